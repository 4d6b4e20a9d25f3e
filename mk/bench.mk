bench-guest: kernel $(G)/alien.img linux-guest-ready ## calls in the guest beside Linux's on the same QEMU
	@bench/guest.py

.PHONY: bench-guest

# Rivals come from Debian packages (group bench of scripts/setup/packages).
ENGINE_SRC := $(addprefix bench/engine/,main.c dbfs.c lmdb.c sqlite.c rocksdb.c bdb.c)
build/bench/engine: $(ENGINE_SRC) bench/engine/engine.h FORCE
	@$(HOSTMAKE) CONFIG=host units
	@mkdir -p $(@D)
	@gcc -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror $(patsubst %,-Isubsystems/%/include,base port port/posix dbfs) \
		-rdynamic -o $@ $(ENGINE_SRC) -Wl,--start-group build/host/libdbfs.a build/host/libbase.a build/host/libport_posix.a \
		-Wl,--end-group -llmdb -lsqlite3 -lrocksdb -ldb -lpthread

bench-engine: | setup-bench ## the engine beside LMDB, SQLite, RocksDB and Berkeley DB: [ROUNDS=n QUICK=1 DIR=d ONLY=name,...]
	@$(MAKE) build/bench/engine
	@bench/engine.py

FORCE:
.PHONY: bench-engine FORCE
