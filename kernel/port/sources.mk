KERNEL_SRC += kernel/port/mm_platform.c kernel/port/port.c
