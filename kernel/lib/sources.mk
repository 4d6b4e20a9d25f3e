KERNEL_SRC += kernel/lib/heap.c kernel/lib/log.c kernel/lib/panic.c kernel/lib/printf.c kernel/lib/string.c
