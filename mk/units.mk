# What is built on the host. Each unit's sources.mk lists its files (no globs) and adds itself here:
#
#   UNITS += base              a unit: a static library build/CONFIG/libbase.a
#   base_SRC := a.c b.c        its sources, paths from the root
#   base_STD := core           core (freestanding C17) or host (GNU C17 with libc)
#   base_INC := subsystems/x   additional include roots beyond the standard ones (mk/rules.mk)
#
#   TESTS += test_crc          a unit-test program build/CONFIG/tests/test_crc (exit 0 = passed)
#   test_crc_SRC := ...        test_crc_LIBS := base port_sim     test_crc_LD := -lcmocka
#   TEST_tsan += test_crc      ... is also built and run with ThreadSanitizer
#   TEST_slow += test_crc      ... is left out of `make quick` (more than a second or two)
#
#   FUZZ += fuzz_wal           a libFuzzer target (LLVMFuzzerTestOneInput); seeds in tests/corpus/fuzz_wal/
#   fuzz_wal_SRC := ...        fuzz_wal_LIBS := ...
#
#   PROGS += mkfs.dbfs         a program, linked to build/bin in the release config
#   mkfs.dbfs_SRC := ...       mkfs.dbfs_LIBS := dbfs base port_posix   mkfs.dbfs_LD := -larchive
UNITS :=
TESTS :=
TEST_tsan :=
TEST_slow :=
FUZZ :=
PROGS :=
SOURCES_MK := $(wildcard subsystems/*/sources.mk subsystems/*/*/sources.mk linux/*/sources.mk tests/sources.mk tests/*/sources.mk bench/sources.mk)
include $(SOURCES_MK)
