#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# panic.sh [CONFIG]: the kernel's ways to stop. Each crash must end QEMU with status 125 and a message
# with a symbolised backtrace. The lock-order check exists in kernel-debug only.
set -euo pipefail
config=${1:-kernel}
qemu=${QEMU:-qemu-system-riscv64}
elf=build/$config/alien.elf
[ -f "$elf" ] || { echo "panic.sh: no $elf (make kernel)" >&2; exit 2; }
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0

check() { # KIND REGEX REGEX: both must be in the output
	local status=0
	timeout 30 "$qemu" -M virt -smp 2 -m 128 -nographic -no-reboot -kernel "$elf" -append "crash=$1" \
		</dev/null >"$out" 2>&1 || status=$?
	if [ $status = 125 ] && grep -aqE "$2" "$out" && grep -aqE "$3" "$out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "crash=$1: FAILED (status $status)"
		sed '1,/Boot HART MEDELEG/d' "$out"
	fi
}

check panic 'kernel panic: asked for' ' selftest_crash\+0x'
check null 'panic: store page fault .* 0000000000000008' ' touch\+0x'
check text 'panic: store page fault .* ffffffff802' ' touch\+0x'
check overflow 'panic: kernel stack overflow in thread init' ' dig\+0x'
check smash 'panic: (stack smashed|breakpoint)' ' smash[.a-z0-9]*\+0x' # the debug build traps the store itself
[ "$config" != kernel-debug ] || check rank 'panic: lock .* of rank 160 taken under .* of rank 250' ' take_in_wrong_order\+0x'
echo "panic.sh: $passed passed, $failed failed"
[ $failed = 0 ]
