KERNEL_SRC += kernel/init/main.c kernel/init/userland.c
