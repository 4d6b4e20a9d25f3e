#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
# alien-nbd with real clients (qemu-io, nbdinfo, nbdcopy): what a cut keeps and loses, by which
# command, and that hostile clients do not hurt it. Usage: test_nbd.sh [PROGRAM]
set -u
nbd=${1:-build/bin/alien-nbd}
here=$(dirname "$0")
for tool in qemu-io nbdinfo nbdcopy python3; do
	command -v "$tool" >/dev/null || { echo "no $tool on this machine"; exit 77; }
done
[ -x "$nbd" ] || { echo "$nbd is not built"; exit 1; }
dir=$(mktemp -d) || exit 1
pid=
failed=0
checks=0

stop() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid"
	pid=
}
trap 'stop; rm -rf "$dir"' EXIT

check() { # what, status of the test before
	checks=$((checks + 1))
	[ "$2" -eq 0 ] || { echo "FAILED: $1"; failed=$((failed + 1)); }
}

start() { # options...
	stop
	"$nbd" --socket "$dir/s" --control "$dir/c" "$@" "$dir/img" >"$dir/out" 2>"$dir/err" </dev/null &
	pid=$!
	for _ in $(seq 200); do
		[ -S "$dir/s" ] && return
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.02
	done
	echo "the server did not start:"; cat "$dir/err"; exit 1
}

ctl() { # command line -> answer
	python3 -c 'import socket,sys
s=socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode()+b"\n")
print(s.makefile().readline(), end="")' "$dir/c" "$1"
}

uri="nbd+unix:///?socket=$dir/s"
io() { # qemu-io commands...; it flushes at its end
	local args=()
	for c in "$@"; do args+=(-c "$c"); done
	qemu-io -f raw -t writeback "${args[@]}" "$uri" >"$dir/io" 2>&1 && ! grep -qi 'error\|fail' "$dir/io"
}
raw() { # commands of raw_client.py; flushes only when told
	python3 "$here/raw_client.py" "$dir/s" "$@" 2>"$dir/io"
}
has() { # image, byte, offset, length: is that range full of byte? (qemu-io would want a lock)
	python3 -c 'import sys
f=open(sys.argv[1],"rb"); f.seek(int(sys.argv[3],0)); n=int(sys.argv[4],0)
sys.exit(f.read(n) != bytes([int(sys.argv[2])])*n)' "$@"
}
fresh() {
	rm -f "$dir/img"
	truncate -s 16M "$dir/img"
}

# ---- command line
"$nbd" --help >"$dir/out" && grep -q 'cut-at-flush' "$dir/out"; check "--help" $?
for bad in "" "--socket x" "--socket x a b" "--nonsense" "--socket x --seed y a" "--socket x --mode y a"; do
	# shellcheck disable=SC2086
	"$nbd" $bad >/dev/null 2>"$dir/err"; [ $? -eq 2 ] && grep -q '^Usage' "$dir/err"; check "usage: $bad" $?
done
"$nbd" --socket "$dir/s" "$dir/none" 2>"$dir/err"; [ $? -eq 1 ] && grep -q 'No such file' "$dir/err"; check "no image" $?
truncate -s 1000 "$dir/odd"
"$nbd" --socket "$dir/s" "$dir/odd" 2>/dev/null; [ $? -eq 1 ]; check "odd size" $?

# ---- flushed data survive, unflushed are lost
fresh; start --mode lose-all
[ "$(nbdinfo --size "$uri")" = 16777216 ]; check "size" $?
nbdinfo "$uri" | grep -q 'can_flush: true'; check "can flush" $?
nbdinfo --list "$uri" >/dev/null 2>&1; check "list" $?
io 'write -P 1 0 64k' 'flush'; check "write and flush" $?
raw 'write 2 0 4096' 'write 3 0x100000 0x10000' 'read 2 0 4096' 'read 1 4096 61440'; check "unflushed write" $?
raw 'force 4 0x200000 4096' 'write 5 0x201000 4096'; check "forced write" $?
"$nbd" --socket "$dir/s" "$dir/img" 2>/dev/null; [ $? -eq 1 ]; check "socket in use" $?
ctl "write $dir/a" | grep -q '^error'; check "no write while on" $?
ctl stats | grep -q '^ok power=on .* unflushed=[1-9]'; check "stats" $?
ctl "cut 5" | grep -q '^ok seed=5 mode=lose-all .* survived=0$'; check "cut" $?
grep -q '^cut seed=5 ' "$dir/out"; check "cut is told" $?
! io 'read 0 4k'; check "no service without power" $?
ctl "write $dir/img" | grep -q '^error'; check "not over the image" $?
ctl "commit" | grep -q '^error'; check "no commit without --in-place" $?
[ "$(ctl "write $dir/a")" = ok ]; check "write" $?
has "$dir/a" 1 0 0x10000; check "flushed survived" $?
has "$dir/a" 0 0x100000 0x10000; check "unflushed lost" $?
has "$dir/a" 4 0x200000 4096 && has "$dir/a" 0 0x201000 4096; check "only the forced survived" $?
has "$dir/img" 0 0 0x1000000; check "the image is untouched" $?
[ "$(du -k "$dir/a" | cut -f1)" -lt 1000 ]; check "the copy is sparse" $?
[ "$(ctl on)" = ok ]; check "power on" $?
io 'read -P 1 0 64k' 'read -P 0 1M 64k' 'read -P 4 2M 4k'; check "served again" $?
for bad in nonsense cut-at "cut x" "mode x" "drop-flush 1" "cut 1 2" "a b c d e" "$(printf 'x%.0s' {1..5000})"; do
	ctl "$bad" | grep -q '^error'; check "refused: ${bad:0:20}" $?
done

# ---- everything kept, in place
fresh; start --mode keep-all --in-place
"$nbd" --socket "$dir/s2" "$dir/img" 2>"$dir/err"; [ $? -eq 1 ] && grep -q 'in use' "$dir/err"; check "image locked" $?
raw 'write 7 0x300000 0x100000'; check "write" $?
ctl "cut 1" >/dev/null
[ "$(ctl commit)" = ok ] && has "$dir/img" 7 0x300000 0x100000; check "commit in place" $?

# ---- a lying disk loses what was flushed
fresh; start --mode lose-all --drop-flush --output "$dir/b"
io 'write -P 1 0 64k' 'flush'; check "write and flush" $?
kill -USR1 "$pid"; wait "$pid"; check "SIGUSR1 ends with 0" $?
pid=
has "$dir/b" 0 0 0x10000; check "the lie shows" $?
[ ! -e "$dir/s" ] && [ ! -e "$dir/c" ]; check "sockets are removed" $?

# ---- planned cuts: reproducible, and in the middle of things
survivors() { # options... -> $sum; not in a subshell, which would keep the server
	fresh; start "$@"
	raw 'write 1 0 0x10000' flush 'write 2 0 0x40000' 'write 3 0x20000 0x40000' 'write 4 0x80000 0x10000' flush 'write 5 0 4096'
	grep -q '^cut ' "$dir/out"; check "a cut happened: $*" $?
	ctl "write $dir/x" >/dev/null
	sum=$(sha256sum <"$dir/x")
}
survivors --cut-at-flush 2 --seed 3; one=$sum
survivors --cut-at-flush 2 --seed 3; [ "$one" = "$sum" ]; check "same seed, same loss" $?
for seed in 1 2 3 4 5 6; do
	survivors --cut-at-flush 2 --mode torn --seed "$seed"
	echo "$sum" >>"$dir/sums"
done
[ "$(sort -u "$dir/sums" | wc -l)" -eq 6 ]; check "six seeds, six losses" $?
survivors --cut-at 4 --mode keep-all; has "$dir/x" 3 0x20000 0x40000 && has "$dir/x" 0 0x80000 0x10000; check "cut in the fourth change" $?

# ---- a whole image through nbdcopy, flushed at its end
head -c 16M /dev/urandom >"$dir/random"
fresh; start
nbdcopy --flush "$dir/random" "$uri"; check "nbdcopy in" $?
ctl "cut 9" >/dev/null; ctl "write $dir/c1" >/dev/null; cmp -s "$dir/random" "$dir/c1"; check "flushed copy is whole" $?
ctl on >/dev/null; nbdcopy "$uri" "$dir/c2"; cmp -s "$dir/random" "$dir/c2"; check "nbdcopy out" $?

# ---- hostile clients
python3 - "$dir/s" <<'EOF'
import random, socket, struct, sys
r = random.Random(7)
opt = struct.Struct(">QII")
req = struct.Struct(">IHHQQI")
def talk(data):
    s = socket.socket(socket.AF_UNIX); s.settimeout(0.05); s.connect(sys.argv[1])
    try:
        s.sendall(data)
        while s.recv(65536): pass
    except OSError: pass
    s.close()
hello = struct.pack(">I", 3)
go = opt.pack(0x49484156454F5054, 7, 6) + bytes(6)
for i in range(60):
    kind = i % 6
    if kind == 0: talk(r.randbytes(r.randrange(100)))
    elif kind == 1: talk(hello + opt.pack(0x49484156454F5054, r.randrange(12), r.randrange(40)) + r.randbytes(40))
    elif kind == 2: talk(hello + opt.pack(0x49484156454F5054, 7, 0xffffffff))
    elif kind == 3: talk(hello + opt.pack(0x49484156454F5054, 7, 10) + struct.pack(">IIH", 0xfffffff0, 0, 0))
    elif kind == 4: talk(hello + go + req.pack(0x25609513, r.randrange(8), r.randrange(9), i, r.getrandbits(64), r.getrandbits(32)))
    else: talk(hello + go + req.pack(0x25609513, 0, 1, i, r.randrange(20 << 20), 5000) + r.randbytes(r.randrange(5000)))
EOF
check "hostile clients" $?
kill -0 "$pid" && raw 'write 6 100 1000' 'read 6 100 1000' 'write 0 5000 5000' 'trim 0 8192' 'read 0 0 8192'; check "still serves, at any alignment" $?
kill -TERM "$pid"; wait "$pid"; check "SIGTERM ends with 0" $?
pid=
[ ! -s "$dir/err" ]; check "nothing on stderr" $?

echo "$((checks - failed)) of $checks checks passed"
[ "$failed" -eq 0 ]
