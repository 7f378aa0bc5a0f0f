#!/usr/bin/env bash
# A search on a disk that fills up pauses, loses nothing, and goes on when there is room. In a mount namespace of its own.
if [ -z "${ACTSEARCH_OWN_MOUNTS:-}" ]; then
    unshare -m true 2>/dev/null && ACTSEARCH_OWN_MOUNTS=1 exec unshare -m "$0"
    echo "SKIPPED disk_full: needs the right to mount"
    exit 0
fi
. "$(dirname "$0")/lib.sh"
mkdir disk
mount -t tmpfs -o size=16m none disk || { skipped disk_full 'no tmpfs can be mounted'; exit 0; }

cat >small.ini <<'INI'
[experiment]
name = full
seed = 3
[space]
units = 2
[search]
algorithm = random
candidates = 400
[child]
seeds = 5
INI
socket=ipc://$WORK/socket
coordinator() { start "$2" actsearchd small.ini --db "$1" --bind "$socket"; coordinator=$!; }
workers() { start "$1" "$BUILD/soak/workers" "$socket" 4 8; }
ended() { await 120 gone "$1" || { status=none; return 1; }; wait "$1" 2>/dev/null; status=$?; }
list() { actsearch rank "$1" --stable >"$2" 2>&1; }
finished='SELECT done + diverged FROM progress'

coordinator plain.db plain.log; workers plain-workers.log; ended $coordinator; list plain.db plain.list

name=a_search_pauses_when_the_disk_is_full
head -c 15m /dev/zero >disk/filler 2>/dev/null
coordinator disk/full.db full.log; workers full-workers.log
await 60 grep -q 'pauses' full.log && ! gone $coordinator && pass $name || fail $name 'it does not pause' full.log
name=nothing_is_acknowledged_then
before=$(scalar disk/full.db "$finished" || echo 0)
await 3 at_least disk/full.db "$finished" $((before + 1)) && fail $name 'it went on' full.log || pass $name
name=it_says_so_once_and_not_at_each_try
[ "$(grep -c 'pauses' full.log)" = 1 ] && pass $name || fail $name "$(grep -c 'pauses' full.log) times" full.log
name=it_can_be_read_meanwhile
actsearch rank disk/full.db -n 3 >rank.out 2>&1 && [ "$before" -gt 0 ] && [ -s rank.out ] && pass $name || fail $name "$before trials" rank.out
name=it_goes_on_when_there_is_room
rm disk/filler
ended $coordinator && [ $status = 0 ] && pass $name || fail $name "exit status $status" full.log
name=the_ranked_list_is_that_of_a_disk_with_room
list disk/full.db full.list
[ -s plain.list ] && cmp -s plain.list full.list && pass $name || fail $name 'another list' full.list
name=the_database_is_whole
actsearch check disk/full.db >check.out 2>&1 && pass $name || fail $name 'check' check.out

name=a_database_cannot_even_be_begun_and_is_when_there_is_room
head -c 16m /dev/zero >disk/filler 2>/dev/null
start new.log actsearchd small.ini --db disk/new.db --bind "$socket"; coordinator=$!
if await 30 grep -qE 'pauses|No space' new.log; then
    rm disk/filler
    workers new-workers.log
    ended $coordinator
    list disk/new.db new.list
    [ "$status" = 0 ] && cmp -s plain.list new.list && pass $name || fail $name "exit status $status" new.log
else
    fail $name 'it does not pause' new.log
fi
umount disk
