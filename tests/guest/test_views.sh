#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
# test_views.sh: commits of views over open and mapped files, and views that outlive a mount. In the guest.
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"${CROSS:-riscv64-linux-gnu-}gcc" -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -Isubsystems/dbfs/include \
	-o "$tmp/views" tests/guest/views.c || exit 1
build/bin/mkfs.dbfs 16M "$tmp/image" >/dev/null || exit 1
{
	echo "base64 -d >/tmp/views <<'END'"
	base64 "$tmp/views"
	echo END
	echo "chmod 755 /tmp/views && /tmp/views /dev/vdb"
} >"$tmp/cmd"
DISK2=$tmp/image TIMEOUT=${TIMEOUT:-120} scripts/guest -f "$tmp/cmd"
