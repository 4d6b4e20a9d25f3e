KERNEL_SRC += kernel/sched/clock.c kernel/sched/sched.c kernel/sched/thread.c kernel/sched/timer.c
