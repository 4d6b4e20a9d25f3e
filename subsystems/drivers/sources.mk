UNITS += drivers
drivers_STD := core
drivers_SRC := subsystems/drivers/src/virtq.c
drivers_INC := subsystems/drivers/include

TESTS += test_virtq
test_virtq_SRC := subsystems/drivers/tests/test_virtq.c
test_virtq_INC := subsystems/drivers/include
test_virtq_LIBS := drivers base
test_virtq_LD := -lcmocka
