#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
# test_mount_fuzz.sh [COUNT [SEED]]: damaged images through the kernel, all in one boot (default 100).
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/tree/dir/sub"
for i in 1 2 3 4 5 6 7 8 9; do
	head -c $((i * 3000)) /dev/urandom >"$tmp/tree/dir/f$i"
	ln "$tmp/tree/dir/f$i" "$tmp/tree/dir/sub/hard$i"
done
ln -s dir/f1 "$tmp/tree/link"
build/bin/mkfs.dbfs 4M "$tmp/image" --from "$tmp/tree" >/dev/null || exit 1
DISK2=$tmp/image TIMEOUT=600 scripts/guest "mkdir -p /mnt && mountfuzz /dev/vdb /mnt ${1:-100} ${2:-1}"
