KERNEL_SRC += $(addprefix kernel/fs/,tmpfs/tmpfs.c tmpfs/tmpfs_file.c initrd/initrd.c)
