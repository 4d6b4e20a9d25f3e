KERNEL_SRC += $(addprefix kernel/arch/riscv64/,backtrace.c boot.c context.c early.c mmu.c power.c smp.c space.c time.c trap.c vmap.c)
KERNEL_ASM += $(addprefix kernel/arch/riscv64/,entry.S vectors.S)
KERNEL_FP_ASM += kernel/arch/riscv64/fp.S
