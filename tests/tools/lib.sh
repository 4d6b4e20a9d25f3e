# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
# shellcheck shell=bash
# For the tests of the image tools: `. tests/tools/lib.sh` gives $T (a scratch directory that goes
# away), the tools in PATH, and checks. Each test runs at the root of the tree after `make build-host`.
set -u
umask 022
PATH=${TOOLS:-$PWD/build/bin}:$PATH # TOOLS=build/asan/bin: with sanitizers
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
failed=0

fail() {
	echo "FAIL: $*" >&2
	failed=1
}

# expect STATUS COMMAND...: runs it, output in $T/out and $T/err.
expect() {
	local want=$1 got
	shift
	"$@" >"$T/out" 2>"$T/err"
	got=$?
	[ "$got" -eq "$want" ] && return 0
	fail "status $got instead of $want: $*"
	tail -n 5 "$T/out" "$T/err" >&2
	return 1
}

# says FILE TEXT: the last command's out or err has TEXT.
says() {
	grep -qF -- "$2" "$T/$1" || { fail "$1 lacks: $2"; head -n 5 "$T/$1" >&2; }
}

# One line a file: type, mode, owner, links, size, device, time, name, target; then contents' sums.
describe() {
	(cd "$1" && find . -mindepth 1 -printf '%P|%y|%m|%U:%G|%s|%T@|%l\n' | awk -F'|' -v OFS='|' '$2 == "d" {$5 = 0} {print}' | sort)
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
	(cd "$1" && find . -type f -links +1 -printf '%n %P\n' | sort)
}

finish() {
	[ "$failed" -eq 0 ] && echo "all as expected"
	exit "$failed"
}
