UNITS += vfs
vfs_STD := core
vfs_INC := subsystems/vfs/include subsystems/vfs/src subsystems/mm/include
vfs_SRC :=
