UNITS += vfs
vfs_STD := core
vfs_INC := subsystems/vfs/include subsystems/vfs/src subsystems/mm/include subsystems/mm/tests/platform
vfs_SRC := $(addprefix subsystems/vfs/src/,fs.c names.c vnode.c page_tree.c page_cache.c mount.c \
	mount_calls.c walk.c path_name.c ops.c attr.c file.c open.c fdtable.c lock.c ldisc.c)

TESTS += test_vfs
test_vfs_SRC := subsystems/vfs/tests/test_vfs.c subsystems/vfs/tests/toyfs.c
test_vfs_INC := subsystems/vfs/include subsystems/mm/include subsystems/mm/tests/platform
test_vfs_LIBS := vfs mm port_posix base
test_vfs_LD := -lcmocka
