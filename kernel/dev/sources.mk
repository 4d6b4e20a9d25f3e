KERNEL_SRC += $(addprefix kernel/dev/,blk.c device.c fdt.c plic.c random.c rtc.c uart.c virtio_blk.c virtio_console.c virtio_mmio.c virtio_rng.c)
