/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The shrinking driver (ops.h). Shrinking is delta debugging: try without each half, each quarter
 * ... each single operation, and start over with the sizes when nothing more goes; then try smaller
 * arguments. A candidate counts only if it fails in the same way (wrong result, or the same signal or exit
 * status), so that one bug is not traded for another.
 */
#include "ops.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHY_BYTES 512
#define RUNS_MAX 3000
#define TIMEOUT_DEFAULT 20u

enum { PASSED = 0, WRONG = 1 };

/* How a run ended: a wait status, 0 if it passed, and the reason if it was a wrong result. */
struct outcome {
	int status;
	char why[WHY_BYTES];
};

static NORETURN void die(const char *what)
{
	fprintf(stderr, "testlib: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* In the child: the report goes to fd, the exit status says passed or wrong. */
static NORETURN void child(const struct test_ops *t, uint64_t seed, const struct test_op *ops,
			   size_t n, int fd)
{
	char why[WHY_BYTES] = "";
	bool ok;

	signal(SIGABRT, SIG_DFL);
	alarm(t->timeout_seconds ? t->timeout_seconds : TIMEOUT_DEFAULT);
	ok = t->run(seed, ops, n, why, sizeof(why));
	if (!ok && write(fd, why, strlen(why)) < 0)
		_exit(3);
	_exit(ok ? PASSED : WRONG);
}

static struct outcome run_forked(const struct test_ops *t, uint64_t seed, const struct test_op *ops,
				 size_t n, bool quiet)
{
	struct outcome o = {0};
	size_t used = 0;
	int fds[2];
	pid_t pid;

	fflush(NULL);
	if (pipe(fds))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (quiet && !freopen("/dev/null", "w", stderr))
			_exit(3);
		child(t, seed, ops, n, fds[1]);
	}
	close(fds[1]);
	for (ssize_t got = 1; got > 0 && used < WHY_BYTES - 1; used += (size_t)MAX(got, 0))
		got = read(fds[0], o.why + used, WHY_BYTES - 1 - used);
	close(fds[0]);
	while (waitpid(pid, &o.status, 0) < 0) {
		if (errno != EINTR)
			die("wait");
	}
	return o;
}

static struct outcome run_once(const struct test_ops *t, uint64_t seed, const struct test_op *ops,
			       size_t n, bool quiet)
{
	struct outcome o = {0};

	if (!getenv("TEST_NOFORK"))
		return run_forked(t, seed, ops, n, quiet);
	if (!t->run(seed, ops, n, o.why, sizeof(o.why)))
		o.status = W_EXITCODE(WRONG, 0);
	return o;
}

/* One shrinking session. */
struct shrink {
	const struct test_ops *t;
	uint64_t seed;
	int status; /* the failure that must stay */
	unsigned runs;
	struct test_op *ops;
	size_t n;
	struct test_op *candidate; /* room for n operations */
};

static bool still_fails(struct shrink *s, size_t n)
{
	s->runs++;
	return run_once(s->t, s->seed, s->candidate, n, true).status == s->status;
}

static void accept(struct shrink *s, size_t n)
{
	memcpy(s->ops, s->candidate, n * sizeof(*s->ops));
	s->n = n;
}

/* Tries without each run of chunk operations, from the end. True if something went. */
static bool drop_chunks(struct shrink *s, size_t chunk)
{
	bool any = false;

	for (size_t end = s->n; end > 0 && s->runs<RUNS_MAX; end = end> chunk ? end - chunk : 0) {
		size_t from = end > chunk ? end - chunk : 0;
		size_t left;

		if (end > s->n)
			continue;
		left = s->n - (end - from);
		memcpy(s->candidate, s->ops, from * sizeof(*s->ops));
		memcpy(s->candidate + from, s->ops + end, (s->n - end) * sizeof(*s->ops));
		if (still_fails(s, left)) {
			accept(s, left);
			any = true;
		}
	}
	return any;
}

/* Tries each argument as 0, then halved while that works. */
static bool simplify_args(struct shrink *s)
{
	bool any = false;

	for (size_t i = 0; i < s->n * TEST_OP_ARGS && s->runs < RUNS_MAX; i++) {
		uint64_t *arg;
		uint64_t tries[2];

		memcpy(s->candidate, s->ops, s->n * sizeof(*s->ops));
		arg = &s->candidate[i / TEST_OP_ARGS].arg[i % TEST_OP_ARGS];
		tries[0] = 0;
		tries[1] = *arg / 2;
		for (unsigned k = 0; k < 2 && *arg > 0; k++) {
			*arg = tries[k];
			if (still_fails(s, s->n)) {
				accept(s, s->n);
				any = true;
				break;
			}
			*arg = s->ops[i / TEST_OP_ARGS].arg[i % TEST_OP_ARGS];
		}
	}
	return any;
}

static void shrink_all(struct shrink *s)
{
	bool any = true;

	while (any && s->runs < RUNS_MAX) {
		any = false;
		for (size_t chunk = MAX(s->n / 2, (size_t)1);; chunk /= 2) {
			any |= drop_chunks(s, chunk);
			if (chunk <= 1)
				break;
		}
	}
	while (s->runs < RUNS_MAX && simplify_args(s))
		continue;
}

size_t test_ops_shrink(const struct test_ops *t, uint64_t seed, struct test_op *ops, size_t n)
{
	struct shrink s = {.t = t, .seed = seed, .ops = ops, .n = n};

	s.candidate = calloc(n ? n : 1, sizeof(*s.candidate));
	if (!s.candidate)
		die("shrink");
	s.status = run_once(t, seed, ops, n, true).status;
	if (s.status)
		shrink_all(&s);
	free(s.candidate);
	return s.n;
}

static void tell(const struct test_ops *t, uint64_t seed, const struct test_op *ops, size_t n,
		 const struct outcome *o)
{
	fprintf(stderr, "%s: FAILED, seed %llu; the shortest failing sequence (%zu operations):\n",
		t->name, (unsigned long long)seed, n);
	for (size_t i = 0; i < n; i++) {
		fprintf(stderr, "  %3zu  ", i + 1);
		t->print(stderr, &ops[i]);
		fprintf(stderr, "\n");
	}
	if (WIFSIGNALED(o->status))
		fprintf(stderr, "%s: it ends by signal %d (%s)\n", t->name, WTERMSIG(o->status),
			strsignal(WTERMSIG(o->status)));
	else if (WEXITSTATUS(o->status) == WRONG && o->why[0])
		fprintf(stderr, "%s: %s\n", t->name, o->why);
	else
		fprintf(stderr, "%s: it exits with status %d\n", t->name, WEXITSTATUS(o->status));
	fprintf(stderr, "%s: replay with SEED=%llu\n", t->name, (unsigned long long)seed);
}

bool test_ops_run(const struct test_ops *t, uint64_t seed, size_t count)
{
	struct sim_prng r = sim_prng_of(seed);
	struct test_op *ops = calloc(count ? count : 1, sizeof(*ops));
	struct outcome o;
	bool ok;

	if (!ops)
		die("operations");
	for (size_t i = 0; i < count; i++)
		t->generate(&r, &ops[i]);
	ok = run_once(t, seed, ops, count, true).status == 0;
	if (!ok) {
		size_t n = test_ops_shrink(t, seed, ops, count);

		o = run_once(t, seed, ops, n, false); /* once more, to be heard */
		tell(t, seed, ops, n, &o);
	}
	free(ops);
	return ok;
}

struct test_seeds test_seeds(uint64_t quick)
{
	const char *one = getenv("SEED");
	const char *many = getenv("SEEDS");
	const char *tier = getenv("TEST_TIER");
	struct test_seeds s = {0, quick};

	if (one) {
		s.first = strtoull(one, NULL, 0);
		s.end = s.first + 1;
	} else if (many) {
		s.end = strtoull(many, NULL, 0);
	} else if (tier && strcmp(tier, "test") == 0) {
		s.end = quick * 4;
	} else if (tier && strcmp(tier, "soak") == 0) {
		s.end = quick * 100;
	}
	return s;
}
