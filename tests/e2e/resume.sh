#!/usr/bin/env bash
# A run that is stopped goes on with the same command, and ends in the same list, bit for bit, whatever the number of workers.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini
mkdir -m 700 runtime
export XDG_RUNTIME_DIR=$WORK/runtime # the sockets' place, by which our processes are known

run() { actsearch run small.ini --db "$1" --workers "$2" -q >"$1.out" 2>"$1.err"; }
same_list() { # NAME DB
    actsearch rank "$2" --stable >"$2.list" && cmp -s "$2.list" reference.list && return
    diff reference.list "$2.list" >difference
    fail "$1" 'another list' difference
    return 1
}
nobody_left() { ! pgrep -f "$XDG_RUNTIME_DIR"; }

name=an_undisturbed_run_ends
run reference.db 1 && actsearch rank reference.db --stable >reference.list && [ "$(wc -l <reference.list)" -gt 16 ] && pass $name || {
    fail $name 'no list' reference.db.err
    exit 1
}

name=three_workers_give_the_same_list_as_one
run three.db 3 && same_list $name three.db && pass $name || fail $name 'the run failed' three.db.err

disturbed() { # NAME SIGNAL DB WORKERS: stops with the signal once some trials are done, then goes on
    local name=$1 signal=$2 db=$3 workers=$4 pid status
    start "$db.first" actsearch run small.ini --db "$db" --workers "$workers" --set child.steps=10
    pid=$!
    await 60 at_least "$db" 'SELECT done FROM progress' 3 || { fail "$name" 'no trial was done in a minute' "$db.first"; return; }
    kill "-$signal" "$pid"
    wait "$pid" 2>/dev/null; status=$?
    await 40 nobody_left || { fail "$name" "left behind: $(pgrep -af "$XDG_RUNTIME_DIR")"; return; }
    if [ "$signal" != KILL ] && { [ $status != 1 ] || ! grep -q 'goes on' "$db.first"; }; then
        fail "$name" "exit status $status" "$db.first"
        return
    fi
    run "$db" "$workers" || { fail "$name" 'the second run failed' "$db.err"; return; }
    same_list "$name" "$db" && pass "$name"
}
disturbed ctrl_c_and_the_same_command_give_the_same_list INT interrupted.db 1
disturbed sigterm_and_the_same_command_give_the_same_list TERM terminated.db 2

name=the_directory_of_the_socket_is_removed
[ -z "$(ls "$XDG_RUNTIME_DIR")" ] && pass $name || fail $name "$(ls "$XDG_RUNTIME_DIR")"

disturbed a_killed_run_leaves_nobody_behind_and_goes_on KILL killed.db 2

name=every_trial_is_accounted_for
open=$(scalar interrupted.db "SELECT count(*) FROM trial WHERE state NOT IN ('done', 'diverged')")
[ "$open" = 0 ] && pass $name || fail $name "$open trials without outcome"
