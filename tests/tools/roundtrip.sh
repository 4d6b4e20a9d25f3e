#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# A tree with everything that a file system can hold goes into an image, as a directory, as a tar and from
# stdin, and comes out the same; fsck finds nothing; then 20,000 files more.
. tests/tools/lib.sh

src=$T/src
mkdir -p "$src/dir/empty" "$src/setgid" "$src/with space"
printf 'small' >"$src/small"
: >"$src/empty"
head -c 1024 /dev/urandom >"$src/dir/inline-limit"
head -c 1025 /dev/urandom >"$src/dir/over-the-limit"
head -c 3000000 /dev/urandom >"$src/dir/large"
truncate -s 1G "$src/sparse"
printf 'end' | dd of="$src/sparse" bs=1 seek=900000000 conv=notrunc status=none
ln "$src/dir/large" "$src/hard1"
ln "$src/dir/large" "$src/with space/hard2"
ln -s ../dir/large "$src/with space/sym"
ln -s "$(printf 'x%.0s' {1..4000})" "$src/longlink"
: >"$src/$(printf 'n%.0s' {1..255})"
: >"$src/"$'odd\nname\377'
mkfifo "$src/fifo"
chmod 2755 "$src/setgid"
chmod 4711 "$src/small"
chmod 000 "$src/empty"
root=false
[ "$(id -u)" -eq 0 ] && root=true
if $root; then
	mknod "$src/null" c 1 3
	mknod "$src/block" b 259 300
	chown 1234:5678 "$src/dir/over-the-limit"
	chown -h 77:88 "$src/longlink"
fi
xattrs=false
command -v setfattr >/dev/null && setfattr -n user.test -v value "$src/small" 2>/dev/null && xattrs=true
touch -d '2001-02-03 04:05:06.123456789' "$src/small" "$src/dir"
touch -h -d '1969-12-31 23:59:58' "$src/longlink"
describe "$src" >"$T/want"

compare() { # IMAGE WHAT
	expect 0 fsck.dbfs --data "$1"
	says out clean
	rm -rf "$T/back"
	expect 0 dbfs cp "$1:/" "$T/back"
	describe "$T/back" >"$T/got"
	cmp -s "$T/want" "$T/got" || { fail "$2: the tree came back changed"; diff "$T/want" "$T/got" | head -n 10 >&2; }
	[ "$(du -k "$T/back/sparse" | cut -f1)" -lt 1000 ] || fail "$2: holes were filled"
	[ "$(stat -c %i "$T/back/hard1")" = "$(stat -c %i "$T/back/dir/large")" ] || fail "$2: hard link lost"
	$xattrs && { getfattr --only-values -n user.test "$T/back/small" 2>/dev/null | grep -q value || fail "$2: xattr lost"; }
	$root && { [ "$(stat -c %t:%T "$T/back/block")" = 103:12c ] || fail "$2: device number"; }
}

expect 0 mkfs.dbfs 64M "$T/dir.img" --from "$src" && compare "$T/dir.img" directory
tar --xattrs -S -cf "$T/src.tar" -C "$src" .
expect 0 mkfs.dbfs 64M "$T/tar.img" --from "$T/src.tar" && compare "$T/tar.img" tar
gzip -k "$T/src.tar"
expect 0 bash -c "mkfs.dbfs 64M '$T/stdin.img' --from - <'$T/src.tar.gz'" && compare "$T/stdin.img" stdin
expect 0 mkfs.dbfs 64M "$T/cp.img"
expect 0 dbfs cp "$src/." "$T/cp.img:/" && compare "$T/cp.img" "cp into the image"

# Looks.
expect 0 dbfs cat "$T/dir.img" /dir/large && { cmp -s "$T/out" "$src/dir/large" || fail "cat differs"; }
expect 0 dbfs cat "$T/dir.img" "/with space/sym" && { cmp -s "$T/out" "$src/dir/large" || fail "cat through a link"; }
expect 0 dbfs ls -lR "$T/dir.img" && says out '-rws--x--x'
expect 0 dbfs stat "$T/dir.img" /small && says out '2001-02-03 04:05:06.123456789'
expect 0 dbfs info "$T/dir.img" && says out 'inodes:'
expect 0 dbfs dump "$T/dir.img" && says out 'name over-the-limit'
expect 1 dbfs cat "$T/dir.img" /nowhere && says err 'no such object'

# Several sources: directories merge, a later file replaces, links to directories are followed.
mkdir -p "$T/m1/usr/bin" "$T/m2/bin" "$T/m2/usr"
ln -s usr/bin "$T/m1/bin"
echo one >"$T/m1/usr/bin/tool"
echo two >"$T/m2/bin/tool"
chmod 700 "$T/m2/usr"
expect 0 mkfs.dbfs 16M "$T/merge.img" --from "$T/m1" --from "$T/m2"
expect 0 dbfs cat "$T/merge.img" /usr/bin/tool && says out two
expect 0 dbfs ls -l "$T/merge.img" / && { says out '-> usr/bin'; says out 'drwx------'; }
expect 0 fsck.dbfs --data "$T/merge.img"

# Copying in is one transaction: what does not fit leaves nothing behind.
expect 0 mkfs.dbfs 2M "$T/small.img"
expect 1 dbfs cp "$src" "$T/small.img:/" && says err 'no space left'
expect 0 dbfs ls -a "$T/small.img" && { [ -s "$T/out" ] && fail "half a copy stayed"; }
expect 0 fsck.dbfs "$T/small.img"

# Many files.
mkdir -p "$T/many"
seq 1 21000 | awk -v d="$T/many" '{print d "/" int($1 / 300)}' | sort -u | xargs mkdir -p
seq 1 21000 | awk -v d="$T/many" '{f = d "/" int($1 / 300) "/file" $1; for (i = 0; i < $1 % 50; i++) print "line", i, $1 > f; if ($1 % 50 == 0) printf "" > f; close(f)}'
(cd "$T/many" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/want"
expect 0 mkfs.dbfs 256M "$T/many.img" --from "$T/many"
expect 0 fsck.dbfs --data "$T/many.img"
# A small volume has a small log; its transactions are as small.
expect 0 mkfs.dbfs 10M "$T/tight.img" --from "$T/many/0" --from "$T/many/1" --from "$T/many/2" --from "$T/many/3"
expect 0 fsck.dbfs --data "$T/tight.img"
rm -rf "$T/many"
expect 0 dbfs cp "$T/many.img:/" "$T/many"
(cd "$T/many" && find . -type f -print0 | sort -z | xargs -0 sha256sum) | cmp -s - "$T/want" || fail "21,000 files came back changed"
[ "$(wc -l <"$T/want")" -eq 21000 ] || fail "not 21,000 files"
finish
