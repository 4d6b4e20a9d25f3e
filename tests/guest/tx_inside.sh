# Runs inside the guest (tests/guest/test_tx.sh): what tx promises, each clause once.
# One line a check; the last line counts them. DBFS is the root.
passed=0 failed=0
check() { # NAME WANT GOT
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: $1: expected '$2', got '$3'"
	fi
}
files() { ls "$@" 2>/dev/null | wc -l; }
mkdir -p /t && cd /t || exit 1

# --- commit and rollback
tx -- sh -c 'echo 1 >/t/a; echo 2 >/etc/tx-b; exit 1'
check 'status of the command comes out' 1 $?
check 'rollback leaves nothing' 0 "$(files /t/a /etc/tx-b)"
tx -- sh -c 'echo 1 >/t/a; echo 2 >/etc/tx-b'
check 'commit exits 0' 0 $?
check 'commit leaves both' '1 2' "$(echo $(cat /t/a /etc/tx-b))"
tx -- sh -c 'echo 3 >/t/a; kill -9 $$'
check 'a killed command' 137 $?
check 'a killed command rolls back' 1 "$(cat /t/a)"
tx -- sh -c 'rm /t/a /etc/tx-b; mkdir /t/d; ln -s x /t/d/l; mv /t/d /t/e; exit 3'
check 'unlink, mkdir, symlink, rename roll back' '1 2 0' "$(echo $(cat /t/a /etc/tx-b) $(files -d /t/d /t/e))"
tx -- sh -c 'rm /t/a; mkdir /t/d; ln -s x /t/d/l; mv /t/d /t/e; chmod 700 /t/e'
check 'they commit' '0 x 700' "$(files /t/a) $(readlink /t/e/l) $(stat -c %a /t/e)"
rm -r /t/e /etc/tx-b

# --- the command's surroundings
check 'relative paths are inside' inside "$(tx -- sh -c 'echo inside >rel; cat /t/rel; exit 1' 2>/dev/null)"
check 'relative paths roll back' 0 "$(files /t/rel)"
check 'the working directory stays' /t "$(tx -- pwd)"
check '-C changes it' /etc "$(tx -C /etc -- pwd)"
check 'proc is there' "tx-probe" "$(tx -- sh -c 'echo tx-probe >/proc/$$/comm; cat /proc/$$/comm')"
check 'dev is there' 0 "$(tx -- sh -c 'echo x >/dev/null; echo $?')"
check 'arguments pass unchanged' 'a b|*|' "$(tx -- printf '%s|' 'a b' '*')"
check 'not found is 127' 127 "$(tx -- /no/such/program 2>/dev/null; echo $?)"
check 'not executable is 126' 126 "$(tx -- /etc/passwd 2>/dev/null; echo $?)"
check 'wrong usage is 125' 125 "$(tx --no-such-option 2>/dev/null; echo $?)"
check 'not a DBFS volume is 125' 125 "$(tx -C /proc -- true 2>/dev/null; echo $?)"
check 'read-only refuses writes' '1 0' "$(tx --read-only -- sh -c 'echo x >/t/ro' 2>/dev/null; echo $? $(files /t/ro) | sed 's/^[^0] /1 /')"

# --- isolation
echo old >/t/v
tx -- sh -c 'echo new >/t/v; : >/t/made; touch /tmp/written; while [ ! -e /tmp/go ]; do sleep 0.05; done' &
while [ ! -e /tmp/written ]; do sleep 0.05; done
check 'outside sees the old contents' old "$(cat /t/v)"
check 'outside sees no new file' 0 "$(files /t/made)"
touch /tmp/go
wait $!
check 'after the commit it sees both' 'new 1' "$(cat /t/v) $(files /t/made)"
rm -f /tmp/go /tmp/written

tx -- sh -c 'cat /t/v >/tmp/first; touch /tmp/read; while [ ! -e /tmp/go ]; do sleep 0.05; done; cat /t/v >/tmp/second; echo x >/t/written' &
while [ ! -e /tmp/read ]; do sleep 0.05; done
echo newer >/t/v
touch /tmp/go
wait $!
check 'what it read and others changed is a conflict' 75 $?
check 'its view did not change' 'new new' "$(echo $(cat /tmp/first /tmp/second))"
rm -f /tmp/go /tmp/read

tx -- sh -c 'ls /t/none 2>/dev/null; touch /tmp/read; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo x >/t/other' &
while [ ! -e /tmp/read ]; do sleep 0.05; done
echo made >/t/none
touch /tmp/go
wait $!
check 'a name that was missing and was made is a conflict' '75 0' "$? $(files /t/other)"
rm -f /tmp/go /tmp/read

tx -- sh -c 'echo mine >/t/in-tx; touch /tmp/read; while [ ! -e /tmp/go ]; do sleep 0.05; done' &
while [ ! -e /tmp/read ]; do sleep 0.05; done
echo theirs >/t/beside
touch /tmp/go
wait $!
check 'different names in one directory do not conflict' '0 mine theirs' "$? $(echo $(cat /t/in-tx /t/beside))"
rm -f /tmp/go /tmp/read

echo 0 >/t/n
for i in 1 2 3 4 5; do
	tx -q --retry 50 -- sh -c 'n=$(cat /t/n); echo $((n + 1)) >/t/n' &
done
wait
check 'five increments with retries' 5 "$(cat /t/n)"

# --- a reader beside many commits never sees one file without the other
echo 0 >/t/p; echo 0 >/t/q
(i=0; while [ $i -lt 20 ]; do i=$((i + 1)); tx -q -- sh -c "echo $i >/t/p; echo $i >/t/q"; done; touch /tmp/done) &
torn=0 looks=0
while [ ! -e /tmp/done ]; do
	q=$(tx -q --read-only -- cat /t/p /t/q)
	looks=$((looks + 1))
	set -- $q
	[ "$1" = "$2" ] || torn=$((torn + 1))
done
wait
check "a reader never sees half ($looks looks)" 0 $torn
check 'the last commit is there' '20 20' "$(echo $(cat /t/p /t/q))"

# --- the death of tx, open files, leftovers
tx -- sh -c 'echo x >/t/orphan; touch /tmp/written; sleep 1000' &
while [ ! -e /tmp/written ]; do sleep 0.05; done
kill -9 $!
wait $! 2>/dev/null
check 'killing tx rolls back' 0 "$(files /t/orphan)"
sleep 0.3
check 'and ends the command' 0 "$(ps 2>/dev/null | grep -c '[s]leep 1000')"
rm -f /tmp/written
echo keep >/t/open
exec 5</t/open
tx -- rm /t/open
check 'an open file survives its committed unlink' keep "$(cat <&5)"
exec 5<&-
check 'and its name is gone' 0 "$(files /t/open)"
tx -q -- sh -c 'sleep 500 & echo done >/t/left'
check 'leftover processes are ended before the commit' 'done 0' "$(cat /t/left) $(ps 2>/dev/null | grep -c '[s]leep 500')"
check '.dbfs is not listed' 0 "$(ls -a / | grep -c '^\.dbfs$')"
check '.dbfs is there' ctl "$(ls /.dbfs | head -1)"
check 'no transaction is left' 0 "$(files /.dbfs/tx)"
check 'link across views is refused' 1 "$(tx -- sh -c 'exit 0'; ln /.dbfs/ctl /t/ctl 2>/dev/null; echo $?)"
rm -rf /t
sync
echo "tx: $passed passed, $failed failed"
[ $failed -eq 0 ]
