KERNEL_SRC += $(addprefix kernel/fs/procfs/,procfs.c tree.c text.c target.c system.c sysctl.c process.c stat.c maps.c links.c)
