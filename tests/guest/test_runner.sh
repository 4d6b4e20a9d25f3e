#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# test_runner.sh [RUNNER]: the contract of the guest runner (docs/guest-runner.md), each clause once.
# RUNNER is scripts/guest (default) or scripts/linux-guest, the same runner under Linux without an image.
# shellcheck disable=SC2016 # commands for the guest stand in single quotes on purpose
set -u
cd "$(dirname "$0")/../.." || exit 1
runner=${1:-scripts/guest}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

# check NAME CONDITION...: one line; CONDITION is a command.
check() {
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: $name ($*)"
		head -1 "$tmp/err"; tail -4 "$tmp/err"
	fi
}

# guest CMD: output in $tmp/out, messages in $tmp/err, status in $status. Variables come from the caller.
guest() {
	"$runner" "$1" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}

guest_file() {
	"$runner" -f "$1" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}

says() { # the output is exactly these lines
	printf '%s\n' "$@" | cmp -s - "$tmp/out"
}

no_process() { # PID: gone within 5 s
	local i
	for ((i = 0; i < 50; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# start_sleeper: a run in the background that has got to its command; its process in $pid, QEMU's in $qemu.
start_sleeper() {
	"$runner" 'echo started; sleep 1000' >"$tmp/sleeper" 2>/dev/null </dev/null &
	pid=$!
	local i
	for ((i = 0; i < 600; i++)); do
		grep -q started "$tmp/sleeper" && break
		sleep 0.1
	done
	qemu=$(pgrep -P "$pid" | head -1)
}

statuses() {
	guest 'exit 0'; check 'status 0' [ "$status" = 0 ]
	check 'no output' [ ! -s "$tmp/out" ]
	guest 'exit 7'; check 'status 7' [ "$status" = 7 ]
	guest 'exit 255'; check 'status 255' [ "$status" = 255 ]
	guest 'kill -9 $$'; check 'SIGKILL is 137' [ "$status" = 137 ]
	guest 'kill -TERM $$'; check 'SIGTERM is 143' [ "$status" = 143 ]
	guest 'echo out; no-such-command; exit 3' ; check 'status after an error' [ "$status" = 3 ]
	check 'stderr is in the stream' grep -q 'no-such-command: not found' "$tmp/out"
}

surroundings() {
	guest 'id -u; readlink /proc/self/fd/0; cat; echo "$0" $#; pwd; echo a; echo b >&2; echo c; tty'
	check 'root, /dev/null, sh, order of both streams' \
		says 0 /dev/null '/bin/sh 0' /root a b c 'not a tty'
	guest '(sleep 1000 >/dev/null 2>&1 &); (while :; do echo x; sleep 0.1; done) & echo done; exit 5'
	check 'processes left behind do not hold the run' [ "$status" = 5 ]
}

bytes() {
	guest 'i=0; while [ $i -lt 256 ]; do printf "\\$(printf %03o $i)"; i=$((i+1)); done'
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)))' >"$tmp/want"
	check 'all 256 byte values out' cmp -s "$tmp/want" "$tmp/out"
	# every byte but NUL and the quote, quoted, with newlines and a trailing one
	python3 -c 'import sys; b = bytes(x for x in range(1, 256) if x != 39)
sys.stdout.buffer.write(b"printf %s \x27" + b + b"\x27\n")' >"$tmp/cmd"
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(x for x in range(1, 256) if x != 39))' >"$tmp/want"
	guest_file "$tmp/cmd"
	check 'all byte values in the command' cmp -s "$tmp/want" "$tmp/out"
	guest 'seq 1 800000 | head -c 5242880'
	seq 1 800000 | head -c 5242880 >"$tmp/want"
	check '5 MiB of output' cmp -s "$tmp/want" "$tmp/out"
}

large_command() {
	{ printf "printf %%s '"; head -c 1048548 /dev/zero | tr '\0' a; printf "' | wc -c; exit 9"; } >"$tmp/cmd"
	check 'the test command is 1 MiB' [ "$(stat -c %s "$tmp/cmd")" = 1048576 ]
	guest_file "$tmp/cmd"
	check 'a command of 1 MiB runs' [ "$status" = 9 ]
	check 'and is whole' says 1048548
	printf ' ' >>"$tmp/cmd"
	guest_file "$tmp/cmd"; check 'one byte more is refused' [ "$status" = 2 ]
}

usage() {
	"$runner" >"$tmp/out" 2>"$tmp/err"; check 'no command: usage' [ $? = 2 ]
	check 'usage is on stderr' grep -q usage: "$tmp/err"
	printf 'a\0b' | "$runner" - >"$tmp/out" 2>"$tmp/err"; check 'NUL is refused' [ $? = 2 ]
	TIMEOUT=x guest true; check 'TIMEOUT=x is refused' [ "$status" = 2 ]
	KERNEL=/no/such/file guest true; check 'a missing kernel is refused' [ "$status" = 2 ]
	QEMU=/no/such/qemu guest true; check 'a missing QEMU is 125' [ "$status" = 125 ]
}

ends() {
	local began=$SECONDS
	TIMEOUT=2 guest 'echo before; sleep 1000'
	check 'timeout is 124' [ "$status" = 124 ]
	check 'output before it is kept' says before
	check 'it does not wait longer' [ $((SECONDS - began)) -lt 60 ]
	printf '\001\240' >"$tmp/loop" # c.j 0
	KERNEL=$tmp/loop BOOT_TIMEOUT=2 guest true
	check 'no boot is 125' [ "$status" = 125 ]
	check 'with the console on stderr' grep -q "Boot HART" "$tmp/err"
	OUT_MAX=1048576 guest 'head -c 3000000 /dev/zero'
	check 'too much output is 125' [ "$status" = 125 ]
	check 'and says why' grep -q 'output:' "$tmp/err"
	CONSOLE=$tmp/console guest true
	check 'CONSOLE keeps the console' grep -q OpenSBI "$tmp/console"
	guest 'poweroff -f; sleep 1000'
	check 'a machine that ends first is 125' [ "$status" = 125 ]
	guest 'test -w /proc/sysrq-trigger || exit 77; echo c >/proc/sysrq-trigger; sleep 1000'
	[ "$status" = 77 ] || check 'a panic is 125' [ "$status" = 125 ]
}

cleaning() {
	start_sleeper
	kill -TERM "$pid"
	wait "$pid" 2>/dev/null
	check 'SIGTERM ends the run with 143' [ $? = 143 ]
	check 'and its QEMU' no_process "$qemu"
	start_sleeper
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	check 'QEMU does not outlive a killed runner' no_process "$qemu"
	check 'no files are left' [ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'alien-*' -print -quit)" ]
}

parallel() {
	"$runner" 'sleep 1; echo one' >"$tmp/one" 2>&1 </dev/null &
	"$runner" 'sleep 1; echo two' >"$tmp/two" 2>&1 </dev/null &
	wait
	check 'parallel runs' [ "$(cat "$tmp/one" "$tmp/two")" = "$(printf 'one\ntwo')" ]
}

# The image's first bytes under Linux (whose root is in memory), a file on it under Alien OS.
keep() {
	local put='echo mark >/root/kept' get='cat /root/kept'
	if [ "$runner" = scripts/guest ]; then
		cp --sparse=always build/guest/alien.img "$tmp/img"
	else
		truncate -s 1M "$tmp/img"
		put='echo mark | dd of=/dev/vda conv=fsync status=none' get='head -n 1 /dev/vda | grep -a mark'
	fi
	export IMG=$tmp/img
	guest "$put"; check 'a throwaway run' [ "$status" = 0 ]
	guest "$get"; check 'leaves no trace' [ "$status" = 1 ]
	KEEP=1 guest "$put"; check 'a KEEP=1 run' [ "$status" = 0 ]
	guest "$get"; check 'leaves its files' says mark
	flock -s "$tmp/img" sleep 3 &
	sleep 0.5
	local began=$SECONDS
	KEEP=1 guest true; check 'KEEP=1 waits for others' [ $((SECONDS - began)) -ge 2 ]
	check 'and says so' grep -q waiting "$tmp/err"
	printf second >"$tmp/two"
	truncate -s 1M "$tmp/two"
	DISK2=$tmp/two guest 'head -c 6 /dev/vdb'
	check 'DISK2 is vdb' [ "$(cat "$tmp/out")" = second ]
	unset IMG
}

usage
statuses
surroundings
bytes
large_command
ends
cleaning
parallel
keep
echo "guest runner: $passed passed, $failed failed"
[ "$failed" = 0 ]
