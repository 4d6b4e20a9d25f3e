KERNEL_SRC += $(addprefix kernel/selftest/,blk_test.c char_test.c crash.c mem_test.c sched_test.c selftest.c)
