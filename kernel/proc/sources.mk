KERNEL_SRC += kernel/proc/args.c kernel/proc/clone.c kernel/proc/cred.c kernel/proc/deliver.c kernel/proc/elf.c \
	kernel/proc/exec.c kernel/proc/exit.c kernel/proc/group.c kernel/proc/send.c kernel/proc/sigops.c kernel/proc/sigtimer.c kernel/proc/stop.c kernel/proc/tables.c \
	kernel/proc/task.c kernel/proc/trap.c kernel/proc/wait_child.c
