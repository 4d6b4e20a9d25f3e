# Tests of the key-value face.
TESTS += test_kv_model
test_kv_model_SRC := subsystems/dbfs/tests/kv/test_kv_model.c
test_kv_model_INC := subsystems/port/sim/include
test_kv_model_LIBS := dbfs base port_sim
test_kv_model_LD := -lcmocka

TESTS += test_kv
test_kv_SRC := subsystems/dbfs/tests/kv/test_kv.c
test_kv_INC := subsystems/dbfs/src subsystems/port/sim/include
test_kv_LIBS := dbfs base port_sim
test_kv_LD := -lcmocka

# Its pseudo-random numbers are the simulator's; its port is the real one.
TESTS += test_kv_threads
TEST_tsan += test_kv_threads
test_kv_threads_SRC := subsystems/dbfs/tests/kv/test_kv_threads.c
test_kv_threads_INC := subsystems/port/sim/include
test_kv_threads_LIBS := dbfs base port_posix
test_kv_threads_LD := -lcmocka
