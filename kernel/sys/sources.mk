KERNEL_SRC += $(addprefix kernel/sys/,dispatch.c futex.c ids.c limits.c misc.c mm.c proc.c sched.c signal.c time.c timer.c)
KERNEL_SRC += $(addprefix kernel/sys/,fs_util.c file_rw.c fd.c dir.c stat.c xattr.c poll.c event.c)
KERNEL_GEN += $(OUT)/gen/syscall_table.c

$(OUT)/gen/syscall_table.c: kernel/sys/table scripts/gen_syscalls.py
	@mkdir -p $(@D)
	$(Q)scripts/gen_syscalls.py $< c >$@.tmp && mv $@.tmp $@
