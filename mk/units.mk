# What is built on the host. Each unit's sources.mk lists its files (no globs) and adds itself here:
#
#   UNITS += base              a unit: a static library build/CONFIG/libbase.a
#   base_SRC := a.c b.c        its sources, paths from the root
#   base_STD := core           core (freestanding C17) or host (GNU C17 with libc)
#   base_INC := subsystems/x   additional include roots beyond the standard ones (mk/rules.mk)
#
#   TESTS += base_crc          a unit-test program build/CONFIG/tests/base_crc (exit 0 = passed)
#   base_crc_SRC := ...        base_crc_LIBS := base port_sim     base_crc_LD := -lcmocka
#
#   PROGS += mkfs.dbfs         a program, linked to build/bin in the release config
#   mkfs.dbfs_SRC := ...       mkfs.dbfs_LIBS := dbfs base port_posix   mkfs.dbfs_LD := -larchive
UNITS :=
TESTS :=
PROGS :=
SOURCES_MK := $(wildcard subsystems/*/sources.mk linux/*/sources.mk tests/*/sources.mk bench/sources.mk)
include $(SOURCES_MK)
