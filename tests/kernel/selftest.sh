#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# selftest.sh [CONFIG]: the kernel's own tests (kernel/selftest) on 1, 2 and 4 harts with three disks: vda to
# overwrite, vdb read-only, vdc with injected errors. CONFIG: kernel (default) or kernel-debug.
# SMP="1 2 4", QEMU=, LEGACY=true (old virtio), CPU=rv64,sstc=off (timer by SBI) may be set. Exit status 0: all passed.
set -euo pipefail
config=${1:-kernel}
qemu=${QEMU:-qemu-system-riscv64}
elf=build/$config/alien.elf
[ -f "$elf" ] || { echo "selftest.sh: no $elf (make kernel)" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

truncate -s 16M "$tmp/a.img"
python3 -c '
import struct, sys
for i in range(2048):
    sys.stdout.buffer.write(struct.pack("<Q", i).ljust(512, b"\0"))' >"$tmp/b.img"
mkfifo "$tmp/port.in" "$tmp/port.out"
{ echo HELLO; for ((i = 0; i < 30000; i++)); do printf 0123456789; done; } >"$tmp/port.want"
truncate -s 1M "$tmp/c.img"
cat >"$tmp/errors" <<END
[inject-error]
event = "none"
iotype = "read"
errno = "5"
sector = "64"
once = "off"
[inject-error]
event = "none"
iotype = "flush"
errno = "5"
once = "off"
END

failed=0
for smp in ${SMP:-1 2 4}; do
	status=0
	cat "$tmp/port.out" >"$tmp/port.got" &
	reader=$!
	(echo hello >"$tmp/port.in") &
	writer=$!
	timeout "${TIMEOUT:-120}" "$qemu" -M virt -cpu "${CPU:-rv64}" -smp "$smp" -m 128 -nographic -no-reboot \
		-global virtio-mmio.force-legacy="${LEGACY:-false}" \
		-drive if=none,id=a,format=raw,file="$tmp/a.img" -device virtio-blk-device,drive=a,serial=first \
		-drive if=none,id=b,format=raw,readonly=on,file="$tmp/b.img" -device virtio-blk-device,drive=b \
		-drive if=none,id=c,format=raw,file="blkdebug:$tmp/errors:$tmp/c.img" -device virtio-blk-device,drive=c \
		-device virtio-rng-device -device virtio-serial-device \
		-chardev pipe,id=p,path="$tmp/port" \
		-device virtserialport,chardev=p,name=selftest \
		-kernel "$elf" -append selftest </dev/null >"$tmp/out" 2>&1 || status=$?
	# The machine has closed its ends, or never opened them: nothing may be left waiting.
	timeout 2 tail --pid="$reader" -f /dev/null || kill "$reader" 2>/dev/null || true
	kill "$writer" 2>/dev/null || true
	wait "$reader" "$writer" 2>/dev/null || true
	if [ "$status" = 0 ] && grep -q '^selftest: [1-9][0-9]* passed, 0 failed' "$tmp/out" &&
		cmp "$tmp/port.want" "$tmp/port.got"; then
		echo "selftest -smp $smp: $(grep -a ' passed, ' "$tmp/out" | tr -d '\r')"
	else
		echo "selftest -smp $smp: FAILED (status $status)"
		sed '1,/Boot HART MEDELEG/d' "$tmp/out" | grep . || tail -5 "$tmp/out"
		failed=1
	fi
done
exit $failed
