UNITS += port_posix
port_posix_STD := host
port_posix_SRC := $(addprefix subsystems/port/posix/src/,mem.c time.c log.c sync.c blk_file.c blk_count.c)

TESTS += test_posix
TEST_tsan += test_posix
test_posix_SRC := subsystems/port/tests/test_posix.c
test_posix_LIBS := port_posix base
test_posix_LD := -lcmocka

UNITS += port_sim
port_sim_STD := host
port_sim_INC := subsystems/port/sim/include
port_sim_SRC := $(addprefix subsystems/port/sim/src/,sched.c sync.c mem.c log.c disk.c model.c cut.c)

TESTS += test_sim test_disk
TEST_tsan += test_sim test_disk
test_sim_SRC := subsystems/port/tests/test_sim.c
test_sim_INC := subsystems/port/sim/include
test_sim_LIBS := port_sim base
test_sim_LD := -lcmocka
test_disk_SRC := subsystems/port/tests/test_disk.c
test_disk_INC := subsystems/port/sim/include
test_disk_LIBS := port_sim base
test_disk_LD := -lcmocka
