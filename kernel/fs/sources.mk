KERNEL_SRC += $(addprefix kernel/fs/,tmpfs/tmpfs.c tmpfs/tmpfs_file.c initrd/initrd.c pipe/pipe.c tty/tty.c \
	tty/tty_ioctl.c tty/console.c tty/pty.c devfs/devfs.c devfs/mem.c devfs/block.c devfs/chardev.c \
	devfs/ttys.c event/epoll.c event/eventfd.c event/signalfd.c event/timerfd.c sysfs/sysfs.c)
