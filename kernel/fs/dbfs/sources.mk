KERNEL_SRC += kernel/fs/dbfs/volume.c kernel/fs/dbfs/op.c kernel/fs/dbfs/node.c kernel/fs/dbfs/dir.c \
	kernel/fs/dbfs/file.c kernel/fs/dbfs/view.c kernel/fs/dbfs/changes.c kernel/fs/dbfs/magic.c kernel/fs/dbfs/ctl.c
