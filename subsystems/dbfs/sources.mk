UNITS += dbfs
dbfs_STD := core
dbfs_INC := subsystems/dbfs/src
DBFS_ENGINE_SRC := \
	io/errors.c io/io.c io/runs.c io/super.c \
	cache/cache.c \
	space/space.c space/store.c \
	btree/build.c btree/merge.c btree/page.c btree/read.c btree/walk.c \
	mvcc/layer.c lock/graph.c lock/lock.c lock/modes.c lock/queue.c lock/table.c \
	wal/data.c wal/group.c wal/scan.c wal/wal.c \
	txn/background.c txn/ckpt.c txn/commit.c txn/cursor.c txn/data.c txn/recover.c txn/snap.c \
	txn/track.c txn/tx.c txn/volume.c txn/writer.c txn/wset.c
# Beside the file system on the engine: the key-value face.
DBFS_KV_SRC := $(addprefix kv/,catalog.c copy.c cursor.c load.c reclaim.c stats.c stream.c tx.c value.c)
DBFS_FS_SRC := \
	inode/codec.c inode/inode.c inode/hold.c inode/extent.c \
	dir/siphash.c dir/dirent.c dir/dir.c dir/rename.c \
	file/file.c file/write.c xattr/xattr.c fs/fs.c fs/attr.c \
	txn/inspect.c check/check.c check/blocks.c check/records.c check/inodes.c check/dump.c check/text.c
dbfs_SRC := $(addprefix subsystems/dbfs/src/,$(DBFS_ENGINE_SRC) $(DBFS_KV_SRC) $(DBFS_FS_SRC))

TESTS += test_txn
test_txn_SRC := subsystems/dbfs/tests/engine/test_txn.c
test_txn_INC := subsystems/dbfs/src subsystems/port/sim/include
test_txn_LIBS := dbfs base port_sim
test_txn_LD := -lcmocka

TESTS += test_engine_crash
test_engine_crash_SRC := $(addprefix subsystems/dbfs/tests/engine/,test_engine_crash.c engine_load.c)
test_engine_crash_INC := subsystems/dbfs/src subsystems/port/sim/include tests/lib
test_engine_crash_LIBS := testlib dbfs base port_sim
test_engine_crash_LD := -lcmocka

TESTS += test_engine_fuzz
test_engine_fuzz_SRC := $(addprefix subsystems/dbfs/tests/engine/,test_engine_fuzz.c engine_load.c)
test_engine_fuzz_INC := subsystems/dbfs/src subsystems/port/sim/include
test_engine_fuzz_LIBS := dbfs base port_sim
test_engine_fuzz_LD := -lcmocka

TESTS += test_wal
test_wal_SRC := subsystems/dbfs/tests/engine/test_wal.c
test_wal_INC := subsystems/dbfs/src subsystems/port/sim/include
test_wal_LIBS := dbfs base port_sim
test_wal_LD := -lcmocka

TESTS += test_lock
test_lock_SRC := subsystems/dbfs/tests/lock/test_lock.c
test_lock_INC := subsystems/dbfs/src subsystems/port/sim/include
test_lock_LIBS := dbfs base port_sim
test_lock_LD := -lcmocka

TESTS += test_engine_threads test_engine_real
TEST_tsan += test_engine_real
test_engine_threads_SRC := $(addprefix subsystems/dbfs/tests/engine/,test_engine_threads.c engine_bank.c)
test_engine_threads_INC := subsystems/dbfs/src subsystems/port/sim/include
test_engine_threads_LIBS := dbfs base port_sim
test_engine_threads_LD := -lcmocka
test_engine_real_SRC := $(addprefix subsystems/dbfs/tests/engine/,test_engine_real.c engine_bank.c)
test_engine_real_INC := subsystems/dbfs/src subsystems/port/sim/include
test_engine_real_LIBS := dbfs base port_posix
test_engine_real_LD := -lcmocka

TESTS += test_super
test_super_SRC := subsystems/dbfs/tests/engine/test_super.c
test_super_INC := subsystems/dbfs/src subsystems/port/sim/include
test_super_LIBS := dbfs base port_sim
test_super_LD := -lcmocka

# The cuts and images of the engine take more than the two minutes of `make quick` have for them.
TEST_slow += test_engine_crash test_engine_fuzz

# Real threads over a file: data, snapshots and checkpoints beside writers of both modes.
TESTS += test_engine_stress
TEST_tsan += test_engine_stress
test_engine_stress_SRC := subsystems/dbfs/tests/engine/test_engine_stress.c
test_engine_stress_INC := subsystems/dbfs/src
test_engine_stress_LIBS := dbfs base port_posix
test_engine_stress_LD := -lcmocka
