KERNEL_SRC += kernel/ipc/futex.c
