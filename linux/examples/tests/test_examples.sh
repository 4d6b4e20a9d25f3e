#!/usr/bin/env bash
# The examples of docs/kv.md do what they say.
set -u
cd "$(dirname "$0")/../../.." || exit 1
bin=$PWD/build/bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# expect WHAT WANTED GOT
expect() {
	[ "$2" = "$3" ] && return
	echo "FAIL  $1: wanted '$2', got '$3'"
	failed=$((failed + 1))
}

want=$'de: Guten Tag\nen: Good day\nla: Salve'
expect "hello" "$want" "$("$bin/kv_hello" "$dir/a" 2>&1)"
expect "hello again" "$want" "$("$bin/kv_hello" "$dir/a" 2>&1)"
expect "bank" "1000 in 10 accounts after 2000 transfers" "$("$bin/kv_bank" "$dir/b" 2>&1)"

head -c 3000000 /dev/urandom >"$dir/in"
: >"$dir/empty"
"$bin/kv_blob" "$dir/c" put big <"$dir/in" || expect "put" 0 $?
"$bin/kv_blob" "$dir/c" put none <"$dir/empty" || expect "put empty" 0 $?
expect "list" "3000000 big,0 none," "$("$bin/kv_blob" "$dir/c" list | awk '{printf "%s %s,", $1, $2}')"
"$bin/kv_blob" "$dir/c" get big | cmp - "$dir/in" || expect "get" same different
"$bin/kv_blob" "$dir/c" backup "$dir/d" || expect "backup" 0 $?
"$bin/kv_blob" "$dir/d" get big | cmp - "$dir/in" || expect "get from the backup" same different
"$bin/kv_blob" "$dir/c" compact >/dev/null || expect "compact" 0 $?
"$bin/kv_blob" "$dir/c" get big | cmp - "$dir/in" || expect "get after compaction" same different
[ "$(stat -c %s "$dir/c")" -lt 64000000 ] || expect "compact" small "$(stat -c %s "$dir/c")"
expect "files left" "a b c d empty in " "$(cd "$dir" && printf '%s ' *)"

# Bad input: a clear error, no crash.
"$bin/kv_blob" "$dir/c" get nothing 2>/dev/null
expect "a missing name" 1 $?
"$bin/kv_blob" "$dir/in" list 2>/dev/null
expect "a foreign file" 1 $?
truncate -s 1M "$dir/d"
"$bin/kv_blob" "$dir/d" list 2>/dev/null
expect "a truncated file" 1 $?
"$bin/kv_blob" "$dir/nowhere/x" put y </dev/null 2>/dev/null
expect "a missing directory" 1 $?
(sleep 3) | "$bin/kv_blob" "$dir/c" put slow & # holds the image until its input ends
sleep 1
message=$("$bin/kv_blob" "$dir/c" list 2>&1)
expect "a second process" 1 $?
expect "its message" 1 "$(grep -c "in use" <<<"$message")"
wait $!
expect "the first one" 0 $?

if [ "$failed" -eq 0 ]; then echo "examples: all as expected"; else exit 1; fi
