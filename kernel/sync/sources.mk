KERNEL_SRC += kernel/sync/lockcheck.c kernel/sync/mutex.c kernel/sync/spinlock.c kernel/sync/wait.c
