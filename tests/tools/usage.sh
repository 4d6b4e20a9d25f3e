#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# Wrong command lines, foreign and damaged images: a clear message and the right status, from every tool.
. tests/tools/lib.sh

# Usage on stderr, nothing on stdout, 2 (fsck 16).
usage() { # STATUS COMMAND...
	expect "$@" || return
	[ -s "$T/out" ] && fail "usage on stdout: ${*:2}"
	[ -s "$T/err" ] || fail "no usage on stderr: ${*:2}"
}
usage 2 mkfs.dbfs
usage 2 mkfs.dbfs 16M
usage 2 mkfs.dbfs 16X "$T/x"
usage 2 mkfs.dbfs -1 "$T/x"
usage 2 mkfs.dbfs 99999999999T "$T/x"
usage 2 mkfs.dbfs 16M "$T/x" extra
usage 2 mkfs.dbfs 16M "$T/x" --label "$(printf 'l%.0s' {1..32})"
usage 2 mkfs.dbfs 16M "$T/x" --nonsense
usage 16 fsck.dbfs
usage 16 fsck.dbfs --nonsense
usage 16 fsck.dbfs a b
usage 2 dbfs
usage 2 dbfs nonsense
for c in ls cat stat cp dump info; do usage 2 dbfs $c; done
usage 2 dbfs cp a b
usage 2 dbfs dump a nonsense
[ -e "$T/x" ] && fail "an image was made for a wrong command line"
expect 0 mkfs.dbfs --help && says out Usage
expect 0 dbfs --help && says out Usage

# mkfs: what it refuses, and that it cleans up.
expect 1 mkfs.dbfs 100K "$T/tiny" && says err 'too few'
[ -e "$T/tiny" ] && fail "an image that could not be made stayed"
expect 1 mkfs.dbfs 16M "$T/x" --from "$T/nowhere" && says err 'No such file'
[ -e "$T/x" ] && fail "an unfinished image stayed"
echo 'important text' >"$T/precious"
expect 1 mkfs.dbfs 16M "$T/precious" && says err force
grep -q important "$T/precious" || fail "a foreign file was overwritten"
expect 0 mkfs.dbfs --force 16M "$T/precious"
expect 0 mkfs.dbfs 16M "$T/precious"
expect 1 mkfs.dbfs 16M "$T/nowhere/x" && says err 'No such file'
expect 1 mkfs.dbfs 16M "$T" && says err 'neither a file'
head -c 100000 /dev/urandom >"$T/junk"
expect 1 mkfs.dbfs 16M "$T/x" --from "$T/junk"
mkdir "$T/evil" && echo x >"$T/evil/x"
tar -cf "$T/evil.tar" -P --transform 's,^,../,' -C "$T/evil" x
expect 1 mkfs.dbfs 16M "$T/x" --from "$T/evil.tar" && says err '".."'
expect 1 mkfs.dbfs 2M "$T/x" --from /usr/include && says err 'no space left'

# Not an image, cut off, damaged.
# shellcheck disable=SC2086 # the tool's name has its subcommand with it
for tool in 'dbfs ls' 'dbfs info' 'dbfs dump' fsck.dbfs; do
	status=1
	[ "$tool" = fsck.dbfs ] && status=8
	expect $status $tool "$T/nowhere" && says err 'No such file'
	expect $status $tool "$T/junk" && says err 'not a DBFS volume'
	expect $status $tool "$T"
	: >"$T/zero"
	expect $status $tool "$T/zero"
done
mkdir "$T/tree"
for i in $(seq 200); do head -c 9000 /dev/zero | tr '\0' "\\$((i % 7 + 60))" >"$T/tree/$i"; done
expect 0 mkfs.dbfs 16M "$T/good.img" --from "$T/tree"
expect 0 fsck.dbfs -n "$T/good.img"
cp "$T/good.img" "$T/cut.img"
truncate -s 300K "$T/cut.img"
expect 1 dbfs ls "$T/cut.img"
fsck.dbfs "$T/cut.img" >"$T/out" 2>&1
case $? in 4 | 8) ;; *) fail "fsck of an image that was cut off" ;; esac
# Rot in file data: found with --data, and never returned as data.
cp "$T/good.img" "$T/rot.img"
off=$(grep -abo "$(head -c 200 "$T/tree/100")" "$T/rot.img" | tail -n 1 | cut -d: -f1)
printf 'ROT' | dd of="$T/rot.img" bs=1 seek="$off" conv=notrunc status=none
expect 0 fsck.dbfs "$T/rot.img"
expect 4 fsck.dbfs --data "$T/rot.img" && says out 'wrong checksum of file block'
bad=0
for i in $(seq 200); do dbfs cat "$T/rot.img" "/$i" >"$T/out" 2>"$T/err" || { bad=$((bad + 1)); says err damaged; }; done
[ $bad -eq 1 ] || fail "$bad files could not be read, 1 is rotten"
# Rot in the tree.
expect 0 dbfs dump "$T/good.img"
cp "$T/good.img" "$T/rot.img"
off=$(LC_ALL=C grep -abo 'T' "$T/rot.img" | awk -F: '$1 % 4096 == 4 {print $1}' | tail -n 1)
printf '\377' | dd of="$T/rot.img" bs=1 seek=$((off + 100)) conv=notrunc status=none
fsck.dbfs "$T/rot.img" >"$T/out" 2>"$T/err"
[ $? -eq 4 ] || fail "rot in the tree was not found"
# In use by another program, which holds the lock that a mount or QEMU holds.
hold='import fcntl, struct, subprocess, sys
f = open(sys.argv[1], "r+b")
fcntl.fcntl(f, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
sys.exit(subprocess.call(sys.argv[2:]))'
expect 1 python3 -c "$hold" "$T/good.img" dbfs ls "$T/good.img" && says err 'in use by another program'
expect 8 python3 -c "$hold" "$T/good.img" fsck.dbfs "$T/good.img" && says err 'in use by another program'
expect 1 python3 -c "$hold" "$T/good.img" mkfs.dbfs 16M "$T/good.img" && says err 'in use by another program'
expect 0 fsck.dbfs "$T/good.img"
finish
