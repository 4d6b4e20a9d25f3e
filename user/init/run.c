/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The guest's half of the runner (docs/guest-runner.md): takes a command from one disk, runs it, and
 * writes its output and exit status as frames to another disk, which the host reads as they appear.
 * Kernel messages go to the console and so never mix with them.
 *
 *   runner --fork--> supervisor --fork--> /bin/sh -c -- CMD
 *      ^   output pipe   |                    |
 *      +---status pipe---+ <------wait--------+
 *
 * The supervisor turns the end of the shell into a readable descriptor, so the runner only polls.
 *
 * Invariants
 *   RUN-1  Frames are numbered from 0 without gaps, each starts on a sector after its predecessor, and
 *          is on the disk before the next one is written. HELLO is first, END is last and says all.
 *   RUN-2  What the shell wrote before it ended is framed before END; descendants that outlive it lose
 *          what they write later.
 *   RUN-3  Without a whole HELLO..END the host reports that the guest failed (125): every error here
 *          just ends the runner, after a line on the console.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR 512
#define CMD_MAX (1u << 20)
#define FRAME_MAX 65536
#define LAST_READS 17 /* more than the largest pipe holds: descendants may go on writing */
#define FRAME_MAGIC 0x4d524641u /* "AFRM" */
#define BIG_CMD "/run/alien-run.sh"

enum frame_type { FRAME_HELLO = 1, FRAME_DATA, FRAME_END };

/* Sector 0 of both disks. Integers are little-endian, as riscv64 is. */
struct disk_head {
	char magic[8]; /* "ALIENRUN" command, "ALIENOUT" output */
	uint32_t version;
	uint32_t length; /* of the command, which follows in sector 1 */
	uint32_t crc;    /* of the command */
	uint32_t zero;
	char token[64];
	char rest[SECTOR - 88];
};

struct frame_head {
	uint32_t magic;
	uint32_t type;
	uint32_t seq;
	uint32_t len;
	uint32_t status; /* of END: the exit status */
	uint32_t crc;    /* of this head with crc 0 and the data */
	uint32_t zero[2];
};

_Static_assert(sizeof(struct disk_head) == SECTOR, "disk head");
_Static_assert(sizeof(struct frame_head) == 32, "frame head");

static struct {
	int fd;
	off_t at; /* where the next frame goes */
	uint32_t seq;
	uint8_t *buf; /* one frame, aligned for direct I/O */
} out;

static uint32_t crc32_table[256];

static void crc32_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = (c >> 1) ^ (c & 1 ? 0xedb88320u : 0);
		crc32_table[i] = c;
	}
}

/* The CRC-32 of zlib and Ethernet. */
static uint32_t crc32(const uint8_t *p, size_t n)
{
	uint32_t c = ~0u;
	while (n--)
		c = (c >> 8) ^ crc32_table[(c ^ *p++) & 0xff];
	return ~c;
}

static void *aligned(size_t size)
{
	void *p = NULL;
	if (posix_memalign(&p, 4096, size) != 0) {
		say("run: out of memory");
		_exit(1);
	}
	return p;
}

/* Reads n bytes at off, or false. */
static bool read_at(int fd, void *buf, size_t n, off_t off)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(fd, (char *)buf + done, n - done, off + (off_t)done);
		if (r <= 0 && !(r < 0 && errno == EINTR))
			return false;
		done += r > 0 ? (size_t)r : 0;
	}
	return true;
}

/*
 * Opens the disk that carries magic and token, whatever its name is, with the first of the flags that
 * the kernel takes; fills head. -1: there is none.
 */
static int open_disk(const char *magic, const char *token, const int *flags, struct disk_head *head)
{
	char name[16];
	for (char c = 'a'; c <= 'z'; c++) {
		snprintf(name, sizeof(name), "/dev/vd%c", c);
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		bool match = read_at(fd, head, sizeof(*head), 0) &&
			     memcmp(head->magic, magic, sizeof(head->magic)) == 0 &&
			     strncmp(head->token, token, sizeof(head->token)) == 0;
		close(fd);
		for (int i = 0; match && flags[i] >= 0; i++)
			if ((fd = open(name, flags[i] | O_CLOEXEC)) >= 0)
				return fd;
		if (match)
			say("run: %s: %s", name, strerror(errno));
	}
	say("run: no disk with the head %.8s of this run", magic);
	return -1;
}

/* The command, NUL-terminated; NULL after a message. */
static char *read_command(const char *token)
{
	static const int flags[] = {O_RDONLY, -1};
	struct disk_head *head = aligned(sizeof(*head));
	int fd = open_disk("ALIENRUN", token, flags, head);
	if (fd < 0)
		return NULL;
	size_t room = (head->length + SECTOR) / SECTOR * SECTOR;
	char *cmd = head->length <= CMD_MAX ? aligned(room) : NULL;
	if (!cmd || !read_at(fd, cmd, head->length, SECTOR) ||
	    crc32((uint8_t *)cmd, head->length) != head->crc) {
		say("run: the command disk is damaged");
		return NULL;
	}
	close(fd);
	cmd[head->length] = 0;
	return cmd;
}

/* Writes the frame whose data is in out.buf after the head. RUN-1 */
static bool put_frame(enum frame_type type, uint32_t len, uint32_t status)
{
	struct frame_head h = {FRAME_MAGIC, type, out.seq++, len, status, 0, {0, 0}};
	size_t used = sizeof(h) + len;
	size_t size = (used + SECTOR - 1) / SECTOR * SECTOR;
	memset(out.buf + used, 0, size - used);
	memcpy(out.buf, &h, sizeof(h));
	h.crc = crc32(out.buf, used);
	memcpy(out.buf, &h, sizeof(h));
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(out.fd, out.buf + done, size - done, out.at + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("run: output: %s", n == 0 ? "disk full" : strerror(errno));
			return false;
		}
		done += (size_t)n;
	}
	out.at += (off_t)size;
	if (fdatasync(out.fd) != 0 && errno != EINVAL && errno != ENOSYS) {
		say("run: output: %s", strerror(errno));
		return false;
	}
	return true;
}

static bool open_output(const char *token)
{
	static const int flags[] = {O_WRONLY | O_DIRECT, O_WRONLY | O_DSYNC, -1};
	struct disk_head *head = aligned(sizeof(*head));
	out.fd = open_disk("ALIENOUT", token, flags, head);
	out.at = SECTOR;
	out.buf = aligned(FRAME_MAX);
	free(head);
	return out.fd >= 0;
}

/*
 * Runs the command, if need be from a file: Linux takes single arguments of less than 128 KiB only. In
 * both cases $0 is /bin/sh and there are no parameters.
 */
static void exec_command(const char *cmd)
{
	execl("/bin/sh", "/bin/sh", "-c", "--", cmd, (char *)NULL);
	if (errno == E2BIG) {
		size_t n = strlen(cmd);
		int fd = open(BIG_CMD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd >= 0 && write(fd, cmd, n) == (ssize_t)n && close(fd) == 0)
			execl("/bin/sh", "/bin/sh", "-c", ". " BIG_CMD, (char *)NULL);
	}
	dprintf(2, "cannot run /bin/sh: %s\n", strerror(errno));
	_exit(127);
}

/* Does not return: becomes the shell, with stdin from /dev/null and the pipe as stdout and stderr. */
static void shell(const char *cmd, int pipe_fd)
{
	setsid();
	int null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0 || dup2(pipe_fd, 1) < 0 || dup2(pipe_fd, 2) < 0) {
		say("run: standard descriptors: %s", strerror(errno));
		_exit(127);
	}
	if (null > 2)
		close(null);
	unsetenv("TERM");
	exec_command(cmd);
}

/* Starts the shell and writes its wait status to status_fd once it has ended. */
static void supervise(const char *cmd, int pipe_fd, int status_fd)
{
	int status = 0;
	int pid = fork_child();
	if (pid == 0)
		shell(cmd, pipe_fd);
	close(pipe_fd);
	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
	    write(status_fd, &status, sizeof(status)) != sizeof(status)) {
		say("run: %s", strerror(errno));
		_exit(1);
	}
	_exit(0);
}

/* One read of the pipe into one frame. 1: more may come, 0: nothing now or ever, -1: failed. */
static int forward(int pipe_fd)
{
	ssize_t n = read(pipe_fd, out.buf + sizeof(struct frame_head),
			 FRAME_MAX - sizeof(struct frame_head));
	if (n < 0 && errno == EINTR)
		return 1;
	if (n <= 0)
		return n == 0 || errno == EAGAIN ? 0 : -1;
	return put_frame(FRAME_DATA, (uint32_t)n, 0) ? 1 : -1;
}

/* Forwards output until the shell has ended; its exit status as sh's $? says it, or -1. */
static int forward_all(int pipe_fd, int status_fd)
{
	struct pollfd fds[] = {{pipe_fd, POLLIN, 0}, {status_fd, POLLIN, 0}};
	int status, more;
	while (!fds[1].revents) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (fds[0].revents && (more = forward(pipe_fd)) <= 0) {
			if (more < 0)
				return -1;
			fds[0].fd = -1; /* closed by all; only the status is still to come */
			fds[0].revents = 0;
		}
	}
	if (read(status_fd, &status, sizeof(status)) != sizeof(status))
		return -1;
	if (fds[0].fd >= 0 && fcntl(pipe_fd, F_SETFL, O_NONBLOCK) == 0)
		for (int i = 0; i < LAST_READS && forward(pipe_fd) > 0; i++)
			; /* RUN-2 */
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void run(const char *token)
{
	int output[2], result[2];
	crc32_init();
	char *cmd = read_command(token);
	if (!cmd || !open_output(token) || !put_frame(FRAME_HELLO, 0, 0))
		return;
	if (pipe2(output, O_CLOEXEC) != 0 || pipe2(result, O_CLOEXEC) != 0) {
		say("run: pipe: %s", strerror(errno));
		return;
	}
	int pid = fork_child();
	if (pid == 0)
		supervise(cmd, output[1], result[1]);
	close(output[1]);
	close(result[1]);
	int status = pid < 0 ? -1 : forward_all(output[0], result[0]);
	if (status >= 0)
		put_frame(FRAME_END, 0, (uint32_t)status);
	else
		say("run: %s", strerror(errno));
}

int run_start(const char *token)
{
	int pid = fork_child();
	if (pid != 0)
		return pid;
	run(token);
	_exit(0);
}
