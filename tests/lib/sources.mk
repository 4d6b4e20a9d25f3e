# Helpers of tests. INC for users: subsystems/port/sim/include and tests/lib.
UNITS += testlib
testlib_STD := host
testlib_INC := subsystems/port/sim/include
testlib_SRC := tests/lib/ops.c tests/lib/crash.c

TESTS += test_ops
test_ops_SRC := tests/lib/test_ops.c
test_ops_INC := subsystems/port/sim/include
test_ops_LIBS := testlib
test_ops_LD := -lcmocka

TESTS += test_crash
test_crash_SRC := tests/lib/test_crash.c
test_crash_INC := subsystems/port/sim/include
test_crash_LIBS := testlib port_sim base
test_crash_LD := -lcmocka
