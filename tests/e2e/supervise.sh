#!/usr/bin/env bash
# run looks after its processes: what is killed is started again and the list stays the same; what dies over and over, or refuses, is
# given up with the reason; a second Ctrl-C is quick and leaves nobody behind.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini '[queue]' 'lease = 2s' 'heartbeat = 500ms'
sed -i 's/^steps = .*/steps = 50/; s/^candidates = .*/candidates = 40/' small.ini
mkdir -m 700 runtime
export XDG_RUNTIME_DIR=$WORK/runtime # the sockets' place, by which our processes are known
nobody_left() { ! pgrep -f "$XDG_RUNTIME_DIR"; }
child() { pgrep -P "$1" -x "$2" | head -n 1; } # of a run, by the program's name (15 characters are kept)

name=an_undisturbed_run_ends
actsearch run small.ini --db reference.db --workers 2 -q >reference.out 2>&1 && actsearch rank reference.db --stable >reference.list && pass $name ||
    fail $name 'it failed' reference.out

killed() { # NAME PROGRAM: kills that child once some trials are done; the run must end as if nothing had happened
    local name=$1 program=$2 run pid
    start "$name.out" actsearch run small.ini --db "$name.db" --workers 2
    run=$!
    await 60 at_least "$name.db" 'SELECT done + diverged FROM progress' 3 || { fail "$name" 'no trial was done in a minute' "$name.out"; return; }
    pid=$(child "$run" "$program")
    kill -KILL "$pid" || { fail "$name" "no $program runs" "$name.out"; return; }
    wait "$run" || { fail "$name" "exit status $?" "$name.out"; return; }
    grep -q 'started again' "$name.out" || { fail "$name" 'says nothing of it' "$name.out"; return; }
    actsearch rank "$name.db" --stable | cmp -s - reference.list && pass "$name" || fail "$name" 'another list' "$name.out"
}
killed a_killed_worker_is_replaced actsearch-worke
killed a_killed_coordinator_is_started_again actsearchd

name=a_program_that_dies_over_and_over_is_given_up
mkdir broken
ln -s "$BUILD/actsearchd" broken/
cp "$BUILD/actsearch" broken/
printf '#!/bin/sh\necho here I fall\nkill -KILL $$\n' >broken/actsearch-worker
chmod +x broken/actsearch-worker
timeout 60 broken/actsearch run small.ini --db broken.db --workers 1 >broken.out 2>&1
status=$?
[ $status = 1 ] && grep -q 'here I fall' broken.out && grep -q 'in a row' broken.out && nobody_left && pass $name || fail $name "exit status $status" broken.out

name=the_same_command_goes_on_once_it_is_mended
actsearch run small.ini --db broken.db -q >mended.out 2>&1 && actsearch rank broken.db --stable | cmp -s - reference.list && pass $name ||
    fail $name 'it failed, or gave another list' mended.out

name=a_second_ctrl_c_is_quick_and_leaves_nobody_behind
sed 's/^steps = .*/steps = 100000/; s/^lr = .*//' small.ini >long.ini
start long.out actsearch run long.ini --db long.db --workers 2
run=$!
await 60 at_least long.db 'SELECT leased FROM progress' 2
kill -INT "$run"; kill -INT "$run"
await 5 gone "$run" && await 5 nobody_left && [ -z "$(ls "$XDG_RUNTIME_DIR")" ] && pass $name || fail $name "$(pgrep -af "$XDG_RUNTIME_DIR")" long.out

name=what_a_killed_run_left_is_cleared_away_by_the_next
start killed.out actsearch run long.ini --db killed.db --workers 1
run=$!
await 60 at_least killed.db 'SELECT leased FROM progress' 1
kill -KILL "$run"
await 20 nobody_left && actsearch run small.ini --db reference.db >/dev/null && actsearch run small.ini --db next.db -q >next.out 2>&1 &&
    [ -z "$(ls "$XDG_RUNTIME_DIR")" ] && pass $name || fail $name "$(ls "$XDG_RUNTIME_DIR")" next.out
