#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
# A real tree: files of Debian packages (tests/tools/packages-tree), imported by mkfs.dbfs as the packages
# stream them, checked against what tar unpacks of the same packages.
#
#   real_tree.sh host     import, fsck --data, copy everything out, compare SHA-256, links, modes and times
#   real_tree.sh guest    the image as a second disk of a guest with 128 MiB: sha256sum -c inside
#
# The image is build/guest/tree.img; it is made when it is missing or older than its makers.
set -u
cd "$(dirname "$0")/../.." || exit 1
umask 022
PATH=$PWD/build/bin:$PATH
GLOBS='linux-headers-*-common,libboost1.83-dev,manpages-dev,tzdata,iso-codes'
IMG=build/guest/tree.img
LEAST=20000
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

die() {
	echo "FAIL: $*" >&2
	exit 1
}

# The packages as tars in $T/NAME.tar, and unpacked in $T/tree.
unpack() {
	local deb
	scripts/image/fetch --only "$GLOBS" tests/tools/packages-tree tree || exit 1
	mkdir "$T/tree"
	while read -r deb _; do
		case $deb in '#'*) continue ;; esac
		dpkg-deb --fsys-tarfile "build/cache/debs/$deb" >"$T/${deb%%_*}.tar" || exit 1
		tar -x -f "$T/${deb%%_*}.tar" -C "$T/tree" --no-same-owner --delay-directory-restore ||
			die "$deb does not unpack"
	done <build/cache/tree.lock
	(cd "$T/tree" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/sums"
	[ "$(wc -l <"$T/sums")" -ge $LEAST ] || die "only $(wc -l <"$T/sums") files"
}

# What must agree of each file besides its contents.
describe() {
	(cd "$1" && find . -mindepth 1 \( -type d -printf '%P|%y|%m\n' -o -printf '%P|%y|%m|%n|%s|%T@|%l\n' \) | sort)
}

make_image() {
	local from=() tar
	for tar in "$T"/*.tar; do from+=(--from "$tar"); done
	mkdir "$T/list" && cp "$T/sums" "$T/list/SHA256SUMS" || exit 1
	mkdir -p build/guest
	mkfs.dbfs 1G "$IMG.new" "${from[@]}" --from "$T/list" || die "mkfs.dbfs: status $?"
	mv "$IMG.new" "$IMG"
}

on_host() {
	local name
	unpack
	make_image
	fsck.dbfs --data "$IMG" || die "fsck.dbfs: status $?"
	mkdir "$T/out"
	dbfs cp "$IMG:/" "$T/out" || die "dbfs cp: status $?"
	cmp -s "$T/out/SHA256SUMS" "$T/sums" || die "the list itself came out different"
	(cd "$T/out" && sha256sum --quiet -c SHA256SUMS) || die "contents differ"
	rm "$T/out/SHA256SUMS"
	diff <(describe "$T/tree") <(describe "$T/out") >"$T/diff" || {
		head -n 20 "$T/diff"
		die "names, modes, links, sizes or times differ (< unpacked by tar, > by dbfs)"
	}
	while read -r want name; do # each of these is opened, walked to and read by a process of its own
		[ "$(dbfs cat "$IMG" "/${name#./}" | sha256sum)" = "$want  -" ] || die "dbfs cat: $name differs"
	done < <(awk 'NR % 500 == 1' "$T/sums")
	echo "$(wc -l <"$T/sums") files agree"
}

in_guest() {
	[ -s "$IMG" ] || { unpack && make_image; }
	# shellcheck disable=SC2016 # for the guest's shell
	DISK2=$IMG MEM=128M TIMEOUT=900 scripts/guest '
		mkdir -p /tmp/tree && mount -t dbfs -o ro /dev/vdb /tmp/tree && cd /tmp/tree || exit 1
		n=$(find . -type f | wc -l)
		[ "$n" -ge '$LEAST' ] || { echo "only $n files"; exit 1; }
		sha256sum --quiet -c SHA256SUMS && echo "$n files agree in the guest"' || die "guest: status $?"
}

case ${1-} in
host) on_host ;;
guest) in_guest ;;
*)
	echo "usage: real_tree.sh host|guest" >&2
	exit 2
	;;
esac
