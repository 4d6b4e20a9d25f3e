UNITS += base
base_STD := core
base_SRC := subsystems/base/src/bitmap.c subsystems/base/src/crc32c.c subsystems/base/src/crc32c_table.c

TESTS += test_base
test_base_SRC := subsystems/base/tests/test_base.c
test_base_LIBS := base
test_base_LD := -lcmocka
