UNITS += port_posix
port_posix_STD := host
port_posix_SRC := $(addprefix subsystems/port/posix/src/,mem.c time.c log.c sync.c blk_file.c blk_count.c)

TESTS += test_posix
TEST_tsan += test_posix
test_posix_SRC := subsystems/port/tests/test_posix.c
test_posix_LIBS := port_posix base
test_posix_LD := -lcmocka
