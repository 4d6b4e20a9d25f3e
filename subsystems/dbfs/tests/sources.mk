# Tests of the file system: on a trivial engine in memory (fs/fake_txn.c), and the same on the real one over
# the simulated disk. The fake stands in for src/txn, so these programs list the file system's sources.
DBFS_T := subsystems/dbfs/tests/fs
DBFS_T_INC := subsystems/dbfs/src $(DBFS_T) subsystems/port/sim/include tests
DBFS_T_FAKE := $(addprefix $(DBFS_T)/,vol_common.c vol_fake.c fake_txn.c) $(addprefix subsystems/dbfs/src/,io/errors.c \
	inode/codec.c inode/inode.c inode/hold.c inode/extent.c dir/siphash.c dir/dirent.c dir/dir.c dir/rename.c \
	file/file.c file/write.c xattr/xattr.c fs/fs.c fs/attr.c)
DBFS_T_REAL := $(addprefix $(DBFS_T)/,vol_common.c vol_sim.c)

TESTS += test_fs_fake test_fs test_model_fake test_model
test_fs_fake_SRC := $(DBFS_T)/test_fs.c $(DBFS_T_FAKE)
test_fs_fake_LIBS := base port_sim
test_fs_SRC := $(DBFS_T)/test_fs.c $(DBFS_T_REAL)
test_fs_LIBS := dbfs base port_sim
test_model_fake_SRC := $(DBFS_T)/test_model.c $(DBFS_T)/model.c $(DBFS_T_FAKE)
test_model_fake_LIBS := base port_sim
test_model_SRC := $(DBFS_T)/test_model.c $(DBFS_T)/model.c $(DBFS_T_REAL)
test_model_LIBS := dbfs base port_sim
$(foreach t,test_fs_fake test_fs test_model_fake test_model,$(eval $(t)_INC := $(DBFS_T_INC))$(eval $(t)_LD := -lcmocka))

# Images made to hurt: seeded, and for libFuzzer.
TESTS += test_hostile
TEST_slow += test_hostile
test_hostile_SRC := $(addprefix $(DBFS_T)/,test_hostile.c hostile.c vol_common.c vol_sim.c)
FUZZ += fuzz_image
fuzz_image_SRC := $(addprefix $(DBFS_T)/,fuzz_image.c hostile.c vol_common.c vol_sim.c)
$(foreach t,test_hostile fuzz_image,$(eval $(t)_INC := $(DBFS_T_INC))$(eval $(t)_LIBS := dbfs base port_sim))

# Damage that no checksum shows, for fsck to find.
TESTS += test_check
test_check_SRC := $(addprefix $(DBFS_T)/,test_check.c vol_common.c vol_sim.c)
test_check_INC := $(DBFS_T_INC)
test_check_LIBS := dbfs base port_sim

# Power cuts at every write, and again during recovery.
TESTS += test_fs_crash
test_fs_crash_SRC := $(addprefix $(DBFS_T)/,test_fs_crash.c vol_common.c vol_sim.c)
test_fs_crash_INC := $(DBFS_T_INC)
test_fs_crash_LIBS := testlib dbfs base port_sim

# Transactions side by side.
TESTS += test_fs_tx
test_fs_tx_SRC := $(DBFS_T)/test_fs_tx.c $(DBFS_T_REAL)
test_fs_tx_INC := $(DBFS_T_INC)
test_fs_tx_LIBS := dbfs base port_sim
test_fs_tx_LD := -lcmocka

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
