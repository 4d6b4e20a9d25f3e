/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * engine STORE WORKLOAD DIR LOSS THREADS SECONDS N: one store, one workload, one line of JSON.
 *
 *   put        single puts for SECONDS; new random keys, each thread its own
 *   load       N keys in transactions of 1,000, by one thread; timed to the end of a close (all on disk)
 *   fill       the same, not timed: for get and scan, which open what it left
 *   get        single gets of existing random keys for SECONDS, each in a transaction of its own
 *   scan       all keys in order, again and again for SECONDS
 *   hot        50,000 / SCALE additions to one of N counters at random
 *   transfer   the same, from one counter to another, in random order
 *   recovery   (dbfs) a log of N MiB left by a dead process, time of open; values of
 *              4 KiB (LOSS process) or 150 B (LOSS none), each in a transaction of its own
 *
 * LOSS is none, power or process: what a commit does not survive. Keys are 24 random bytes, values 150 bytes that do
 * not compress. Flushes are counted where the program meets the C library: fsync, fdatasync, msync and
 * writes to descriptors opened with O_DSYNC or O_SYNC.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

enum { BATCH = 1000, COUNTERS_MAX = 64 };

static const struct store *const stores[] = {&store_dbfs, &store_lmdb, &store_sqlite,
					     &store_rocksdb, &store_bdb};

static const struct store *store;
static struct config config;
static double seconds;
static uint64_t number;
static char store_dir[3000];

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

const char *path_in(const char *dir, const char *name)
{
	static _Thread_local char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- Flushes: these stand before the C library's ------------------------------------------ */

static _Atomic(uint64_t) flushes;

int fsync(int fd)
{
	atomic_fetch_add_explicit(&flushes, 1, memory_order_relaxed);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	atomic_fetch_add_explicit(&flushes, 1, memory_order_relaxed);
	return (int)syscall(SYS_fdatasync, fd);
}

int msync(void *addr, size_t len, int flags)
{
	if (flags & MS_SYNC)
		atomic_fetch_add_explicit(&flushes, 1, memory_order_relaxed);
	return (int)syscall(SYS_msync, addr, len, flags);
}

/* Few descriptors, and none changes its mode: asked once. */
static bool writes_through(int fd)
{
	static _Atomic(int) known[256]; /* 0: not asked, 1: no, 2: yes */
	int flags;

	if (fd < 0 || fd >= 256)
		return false;
	if (known[fd] == 0) {
		flags = fcntl(fd, F_GETFL);
		known[fd] = flags != -1 && (flags & O_DSYNC) ? 2 : 1;
	}
	return known[fd] == 2;
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	if (writes_through(fd))
		atomic_fetch_add_explicit(&flushes, 1, memory_order_relaxed);
	return syscall(SYS_pwrite64, fd, buf, len, off);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	return pwrite64(fd, buf, len, off);
}

/* --- Keys and values ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static void key_of(uint64_t i, uint8_t *key)
{
	for (unsigned w = 0; w < KEY_BYTES / 8; w++) {
		uint64_t x = mix(i * 3 + w);

		memcpy(key + (size_t)w * 8, &x, 8);
	}
}

static void value_of(uint64_t i, uint8_t *value)
{
	for (unsigned at = 0; at < VALUE_BYTES; at += 8) {
		uint64_t x = mix(i * 31 + at + 7);

		memcpy(value + at, &x, VALUE_BYTES - at < 8 ? VALUE_BYTES - at : 8);
	}
}

/* --- Threads ------------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	unsigned id;
	void (*run)(struct worker *w, void *t);
	uint64_t ops;
	uint64_t again;
	int64_t sums[COUNTERS_MAX];
	float *latency; /* hot: microseconds */
	uint64_t share; /* hot: how many */
	double start;
};

static pthread_barrier_t barrier;
static _Atomic(bool) stop;

static void *work(void *arg)
{
	struct worker *w = arg;
	void *t = store->thread_begin();

	pthread_barrier_wait(&barrier);
	w->run(w, t);
	store->thread_end(t);
	return NULL;
}

/* Runs all workers, for so many seconds or (0) until they have done their shares. The time that it took. */
static double run_workers(struct worker *w, double secs)
{
	pthread_attr_t attr;
	double start;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 << 10);
	pthread_barrier_init(&barrier, NULL, config.threads + 1);
	for (unsigned i = 0; i < config.threads; i++) {
		w[i].id = i;
		if (pthread_create(&w[i].thread, &attr, work, &w[i]))
			die("thread: %s", strerror(errno));
	}
	atomic_store(&flushes, 0);
	start = now();
	pthread_barrier_wait(&barrier);
	if (secs > 0) {
		usleep((useconds_t)(secs * 1e6));
		atomic_store(&stop, true);
	}
	for (unsigned i = 0; i < config.threads; i++)
		pthread_join(w[i].thread, NULL);
	return now() - start;
}

static void put_loop(struct worker *w, void *t)
{
	uint8_t key[KEY_BYTES];
	uint8_t value[VALUE_BYTES];
	uint64_t i = ((uint64_t)w->id + 1) << 40;

	for (; !atomic_load_explicit(&stop, memory_order_relaxed); w->ops++, i++) {
		key_of(i, key);
		value_of(i, value);
		store->put(t, key, value);
	}
}

static void get_loop(struct worker *w, void *t)
{
	uint8_t key[KEY_BYTES];
	uint8_t value[VALUE_BYTES];
	uint8_t want[VALUE_BYTES];
	uint64_t r = mix(w->id + 99);

	for (; !atomic_load_explicit(&stop, memory_order_relaxed); w->ops++) {
		r = mix(r);
		key_of(r % number, key);
		if (!store->get(t, key, value))
			die("%s: a key is missing", store->name);
		if (w->ops % 1024 == 0) {
			value_of(r % number, want);
			if (memcmp(value, want, VALUE_BYTES) != 0)
				die("%s: a value is wrong", store->name);
		}
	}
}

static void scan_loop(struct worker *w, void *t)
{
	do {
		uint64_t n = store->scan(t);

		if (n != number)
			die("%s: scan found %llu of %llu", store->name, (unsigned long long)n,
			    (unsigned long long)number);
		w->ops += n;
	} while (!atomic_load_explicit(&stop, memory_order_relaxed));
}

/* --- Counters ------------------------------------------------------------------------------ */

static unsigned keys_per_op; /* 1: hot, 2: transfer */

static void add_loop(struct worker *w, void *t)
{
	uint64_t r = mix(w->id + 5);

	for (w->ops = 0; w->ops < w->share; w->ops++) {
		uint8_t keys[2 * KEY_BYTES];
		int64_t delta[2] = {1, -1};
		unsigned at[2];
		double start = now();

		r = mix(r);
		at[0] = (unsigned)(r % number);
		at[1] = (unsigned)((at[0] + 1 + (r >> 32) % (number > 1 ? number - 1 : 1)) %
				   number);
		for (unsigned i = 0; i < keys_per_op; i++) {
			key_of(at[i], keys + (size_t)i * KEY_BYTES);
			w->sums[at[i]] += delta[i];
		}
		w->again += store->add(t, keys, delta, keys_per_op);
		w->latency[w->ops] = (float)((now() - start) * 1e6);
	}
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return (x > y) - (x < y);
}

/* No update is lost: each counter holds what was added to it. */
static void check_counters(const struct worker *w)
{
	void *t = store->thread_begin();

	for (unsigned k = 0; k < number; k++) {
		uint8_t value[VALUE_BYTES] = {0};
		uint8_t key[KEY_BYTES];
		int64_t want = 0;
		int64_t got;

		for (unsigned i = 0; i < config.threads; i++)
			want += w[i].sums[k];
		key_of(k, key);
		store->get(t, key, value);
		memcpy(&got, value, sizeof(got));
		if (got != want)
			die("%s: counter %u is %lld, not %lld", store->name, k, (long long)got,
			    (long long)want);
	}
	store->thread_end(t);
}

static void run_counters(struct worker *w, uint64_t total)
{
	uint64_t share = total / config.threads;
	float *all = malloc(share * config.threads * sizeof(*all));
	uint64_t again = 0;
	uint64_t n = share * config.threads;
	double secs;

	if (!all || number > COUNTERS_MAX)
		die("no memory, or too many counters");
	for (unsigned i = 0; i < config.threads; i++) {
		w[i].run = add_loop;
		w[i].share = share;
		w[i].latency = all + i * share;
	}
	secs = run_workers(w, 0);
	for (unsigned i = 0; i < config.threads; i++)
		again += w[i].again;
	check_counters(w);
	qsort(all, n, sizeof(*all), by_value);
	printf("{\"rate\": %.1f, \"ops\": %llu, \"flushes\": %llu, \"restarts\": %.4f, \"p50\": "
	       "%.0f, "
	       "\"p99\": %.0f, \"p999\": %.0f}\n",
	       (double)n / secs, (unsigned long long)n, (unsigned long long)atomic_load(&flushes),
	       (double)again / (double)n, (double)all[n / 2], (double)all[n * 99 / 100],
	       (double)all[n * 999 / 1000]);
	free(all);
}

/* --- Loading, recovery --------------------------------------------------------------------- */

static void load(void)
{
	uint8_t *keys = malloc((size_t)BATCH * KEY_BYTES);
	uint8_t *values = malloc((size_t)BATCH * VALUE_BYTES);
	void *t = store->thread_begin();

	if (!keys || !values)
		die("no memory");
	for (uint64_t i = 0; i < number; i += BATCH) {
		unsigned n = number - i < BATCH ? (unsigned)(number - i) : BATCH;

		for (unsigned j = 0; j < n; j++) {
			key_of(i + j, keys + (size_t)j * KEY_BYTES);
			value_of(i + j, values + (size_t)j * VALUE_BYTES);
		}
		store->put_many(t, keys, values, n);
	}
	store->thread_end(t);
	free(keys);
	free(values);
}

/* The child fills the log and dies without a close; what it had synced must come back, and only that. */
static void run_recovery(void)
{
	size_t size = config.loss == LOSS_NONE ? VALUE_BYTES : 4096;
	uint64_t commits = (number << 20) / (size + 100);
	uint64_t found;
	double secs;
	int status;
	pid_t pid;

	config.loss = LOSS_PROCESS;
	config.log_bytes = (2 * number + 64) << 20;
	pid = fork();
	if (pid == 0) {
		static uint8_t value[4096];
		uint8_t key[KEY_BYTES];

		store->open(&config);
		for (uint64_t i = 0; i < commits; i++) {
			key_of(i, key);
			value_of(i, value);
			dbfs_put_sized(key, value, size);
		}
		dbfs_sync_all();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("recovery: the writer failed");
	secs = dbfs_recovery_time(&config, &found);
	if (found != commits)
		die("recovery: %llu of %llu commits came back", (unsigned long long)found,
		    (unsigned long long)commits);
	for (uint64_t i = 0; i < commits; i += 97) {
		uint8_t key[KEY_BYTES];
		uint8_t value[VALUE_BYTES];
		uint8_t want[VALUE_BYTES];

		key_of(i, key);
		value_of(i, want);
		if (!store->get(NULL, key, value) || memcmp(value, want, VALUE_BYTES) != 0)
			die("recovery: a key is missing or wrong");
	}
	printf("{\"rate\": %.6f, \"ops\": %llu, \"flushes\": 0}\n", secs * 1000,
	       (unsigned long long)commits);
}

/* --- The choice ----------------------------------------------------------------------------- */

static void run_timed(struct worker *w, void (*run)(struct worker *w, void *t))
{
	struct rusage usage;
	uint64_t ops = 0;
	double secs;

	for (unsigned i = 0; i < config.threads; i++)
		w[i].run = run;
	secs = run_workers(w, seconds);
	for (unsigned i = 0; i < config.threads; i++)
		ops += w[i].ops;
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"rate\": %.1f, \"ops\": %llu, \"flushes\": %llu, \"rss\": %ld}\n",
	       (double)ops / secs, (unsigned long long)ops,
	       (unsigned long long)atomic_load(&flushes), usage.ru_maxrss);
}

static void run(const char *workload)
{
	struct worker *w = calloc(config.threads, sizeof(*w));
	double start = now();

	if (!w)
		die("no memory");
	config.fresh = strcmp(workload, "get") != 0 && strcmp(workload, "scan") != 0;
	if (strcmp(workload, "recovery") == 0) {
		run_recovery();
		return;
	}
	store->open(&config);
	if (strcmp(workload, "put") == 0)
		run_timed(w, put_loop);
	else if (strcmp(workload, "get") == 0)
		run_timed(w, get_loop);
	else if (strcmp(workload, "scan") == 0)
		run_timed(w, scan_loop);
	else if (strcmp(workload, "hot") == 0 || strcmp(workload, "transfer") == 0) {
		keys_per_op = strcmp(workload, "hot") == 0 ? 1 : 2;
		run_counters(w, (uint64_t)seconds);
	} else if (strcmp(workload, "load") != 0 && strcmp(workload, "fill") != 0) {
		die("no workload %s", workload);
	} else {
		load();
		store->close();
		printf("{\"rate\": %.1f, \"ops\": %llu, \"flushes\": %llu}\n",
		       (double)number / (now() - start), (unsigned long long)number,
		       (unsigned long long)atomic_load(&flushes));
		return;
	}
	fflush(stdout);
	store->close();
}

int main(int argc, char **argv)
{
	static const char *const losses[] = {"none", "power", "process"};
	int loss = -1;

	if (argc != 8)
		die("usage: engine STORE WORKLOAD DIR LOSS THREADS SECONDS N");
	for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		if (strcmp(stores[i]->name, argv[1]) == 0)
			store = stores[i];
	}
	for (int i = 0; i < 3; i++) {
		if (strcmp(losses[i], argv[4]) == 0)
			loss = i;
	}
	if (!store || loss < 0 || !store->has_loss((enum loss)loss))
		die("no such store or loss class: %s %s", argv[1], argv[4]);
	snprintf(store_dir, sizeof(store_dir), "%s", argv[3]);
	config = (struct config){
		.dir = store_dir,
		.loss = (enum loss)loss,
		.cache = (size_t)(getenv("BENCH_CACHE_MIB") ? atoi(getenv("BENCH_CACHE_MIB")) : 256)
			 << 20,
		.threads = (unsigned)atoi(argv[5]),
	};
	seconds = atof(argv[6]);
	number = strtoull(argv[7], NULL, 10);
	if (config.threads == 0 || config.threads > 1000 || seconds < 0)
		die("bad number of threads or seconds");
	run(argv[2]);
	return 0;
}
