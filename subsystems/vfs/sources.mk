UNITS += vfs
vfs_STD := core
vfs_INC := subsystems/vfs/include subsystems/vfs/src subsystems/mm/include
vfs_SRC := $(addprefix subsystems/vfs/src/,fs.c names.c vnode.c page_tree.c page_cache.c mount.c \
	mount_calls.c walk.c path_name.c ops.c attr.c file.c open.c fdtable.c lock.c ldisc.c)
