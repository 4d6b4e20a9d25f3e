KERNEL_SRC += kernel/init/main.c
