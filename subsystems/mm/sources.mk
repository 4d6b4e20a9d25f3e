# The platform header mm_platform.h is the kernel's own in the kernel; mm_INC serves the host build.
UNITS += mm
mm_STD := core
mm_SRC := subsystems/mm/src/page.c subsystems/mm/src/slab.c
mm_INC := subsystems/mm/include subsystems/mm/tests/platform

TESTS += test_mm
test_mm_SRC := subsystems/mm/tests/test_mm.c
test_mm_INC := subsystems/mm/include subsystems/mm/tests/platform
test_mm_LIBS := mm base
test_mm_LD := -lcmocka
