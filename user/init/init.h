/* SPDX-License-Identifier: MIT */
/* Copyright (c) the Alien OS authors */

/*
 * The parts of init (process 1) and of its other names poweroff, halt and reboot. The picture is in
 * init.c; docs/guest-image.md lists the kernel arguments and signals.
 */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>
#include <stddef.h>

#define INIT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* A line on the console: "init: ...". */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

/* init.c: fork; the child has no signal blocked and does not inherit SIGCHLD's handler. */
int fork_child(void);

/* args.c: reads /proc/cmdline (and what the kernel passed on to init). */
void args_read(int argc, char **argv);
/* Copies the value of the last NAME=VALUE into buf; false if there is none or it is too long. */
bool args_value(const char *name, char *buf, size_t size);

/* mounts.c: mounts the file systems that a Debian user land expects; complains, never fails. */
void mounts_make(void);
/* Unmounts everything but the root, newest first, and makes the root read-only. */
void mounts_end(void);

/* console.c: makes the console standard input, output and error; does not become its terminal. */
void console_open(void);
/* Starts the root login shell in a session of its own on the console; its process, or -1. */
int console_shell(void);
/* Host name, environment and working directory of everything that init starts. */
void surroundings_set(void);

/* power.c: ends all processes, syncs, unmounts, and does the reboot(2) command `how`. */
__attribute__((noreturn)) void power_down(int how);
/* The commands poweroff, halt, reboot; exit status. */
int power_command(const char *name, int argc, char **argv);

/* run.c: starts the runner (docs/guest-runner.md) for the run with this token; its process, or -1. */
int run_start(const char *token);

#endif
