KERNEL_SRC += kernel/sys/dispatch.c kernel/sys/ids.c kernel/sys/limits.c kernel/sys/mm.c \
	kernel/sys/proc.c kernel/sys/sched.c kernel/sys/signal.c
KERNEL_GEN += $(OUT)/gen/syscall_table.c

$(OUT)/gen/syscall_table.c: kernel/sys/table scripts/gen_syscalls.py
	@mkdir -p $(@D)
	$(Q)scripts/gen_syscalls.py $< c >$@.tmp && mv $@.tmp $@
