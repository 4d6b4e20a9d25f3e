KERNEL_SRC += kernel/sys/dispatch.c kernel/sys/ids.c kernel/sys/limits.c kernel/sys/mm.c \
	kernel/sys/proc.c kernel/sys/sched.c kernel/sys/signal.c
KERNEL_SRC += $(addprefix kernel/sys/,fs_util.c file_rw.c fd.c dir.c stat.c xattr.c)
KERNEL_GEN += $(OUT)/gen/syscall_table.c

$(OUT)/gen/syscall_table.c: kernel/sys/table scripts/gen_syscalls.py
	@mkdir -p $(@D)
	$(Q)scripts/gen_syscalls.py $< c >$@.tmp && mv $@.tmp $@
