#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
#
# test_image.sh: the root that scripts/image builds. Reproducible; dpkg takes it over and changes nothing
# that the builder had made (run under Linux, so that only the image is tested).
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

scripts/image/mkroot base "$tmp/again.tar" build/guest/overlay >/dev/null || fail mkroot
cmp -s build/guest/root.tar "$tmp/again.tar" || fail 'a second build differs'
tar tf build/guest/root.tar | sort | uniq -d >"$tmp/twice"
[ ! -s "$tmp/twice" ] || fail "paths that occur twice: $(head -3 "$tmp/twice")"

cat >"$tmp/cmd" <<'CMD'
export DEBIAN_FRONTEND=noninteractive
cd /
made='etc/passwd etc/group etc/shadow etc/gshadow etc/shells etc/nsswitch.conf etc/profile root/.profile
	root/.bashrc etc/pam.d/common-auth etc/pam.d/common-account etc/pam.d/common-password
	etc/pam.d/common-session etc/pam.d/common-session-noninteractive etc/environment var/lib/pam/auth
	var/lib/pam/session var/lib/pam/seen etc/motd etc/hosts etc/hostname etc/fstab'
states() { # content, mode, owner of what the builder made, and the links that it chose
	sha256sum $made
	stat -c '%n %a %u %g' $made var/mail var/log/wtmp var/log/btmp usr/local/bin
	readlink etc/alternatives/awk etc/alternatives/pager etc/alternatives/which usr/bin/awk var/run
	ldconfig -p | grep -v -e ' libs found in cache' -e '^Cache generated' -e '=> /lib/ld-linux'
}
dpkg --audit >/dev/null || echo 'audit of the unpacked system'
[ "$(dpkg-query -W -f '${db:Status-Status}\n' | sort -u)" = unpacked ] || echo 'not all unpacked'
states >/tmp/before
dpkg --configure -a >/tmp/log 2>&1 || cat /tmp/log
grep -i -e 'local modification' -e 'manual updates' /tmp/log
states >/tmp/after
diff /tmp/before /tmp/after
[ "$(dpkg-query -W -f '${db:Status-Status}\n' | sort -u)" = installed ] || echo 'not all installed'
[ "$(dpkg-query -W | wc -l)" -gt 60 ] || echo 'too few packages'
dpkg --audit
dpkg -V | grep -v -e ' /usr/share/\(doc\|man\|info\|locale\|lintian\|bug\)/'
su -s /bin/sh -c 'id -un' nobody
CMD
scripts/linux-guest -f "$tmp/cmd" >"$tmp/out" || fail "status $? of the guest"
[ "$(cat "$tmp/out")" = nobody ] || fail "$(head -40 "$tmp/out")"
[ "$failed" = 0 ] && echo 'guest image: passed'
exit "$failed"
