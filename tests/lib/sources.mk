# Helpers of tests. INC for users: subsystems/port/sim/include and tests/lib.
UNITS += testlib
testlib_STD := host
testlib_INC := subsystems/port/sim/include
testlib_SRC := tests/lib/ops.c

TESTS += test_ops
test_ops_SRC := tests/lib/test_ops.c
test_ops_INC := subsystems/port/sim/include
test_ops_LIBS := testlib
test_ops_LD := -lcmocka
