KERNEL_SRC += kernel/vm/advise.c kernel/vm/fault.c kernel/vm/filemap.c kernel/vm/fork.c kernel/vm/gather.c kernel/vm/map.c \
	kernel/vm/object.c kernel/vm/remap.c kernel/vm/shared.c kernel/vm/space.c kernel/vm/uaccess.c
