KERNEL_SRC += $(addprefix kernel/dev/,device.c fdt.c plic.c random.c rtc.c uart.c)
