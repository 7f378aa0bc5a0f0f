#!/usr/bin/env bash
# control.sh: a running search is paused, resumed and stopped from outside, by way of the socket beside its database; what top says of a
# search whose coordinator is gone.
. "$(dirname "$0")/lib.sh"

refused stop_without_a_database_is_wrong_usage 2 actsearch stop -- 'DB'
refused stop_of_no_database_fails 1 actsearch stop none.db -- 'none\.db'
require_data fashion-mnist
small_experiment small.ini '[queue]' 'lease = 5s' 'heartbeat = 500ms'
sed -i 's/^steps = .*/steps = 150/; s/^candidates = .*/candidates = 40/' small.ini
refused pause_of_an_experiment_file_fails 1 actsearch pause small.ini -- 'not a database'
phase() { scalar "$1" 'SELECT phase FROM progress'; }
is() { [ "$("${@:2}")" = "$1" ]; }
closed() { scalar "$1" 'SELECT done + diverged + failed FROM progress'; }
quiet_for() { # DB: nothing is in training, and while five heartbeats pass nothing is closed
    await 30 at_least "$1" 'SELECT leased = 0 FROM progress' 1 || return 1
    local before; before=$(closed "$1")
    await 4 [ "$(closed "$1")" != "$before" ] && return 1
    return 0
}

actsearch run small.ini --db reference.db --workers 2 -q >reference.out 2>&1 && actsearch rank reference.db --stable >reference.list || {
    fail an_undisturbed_run_ends 'it failed' reference.out; exit 1; }
refused a_finished_search_cannot_be_paused 1 actsearch pause reference.db -- 'is finished'

start run.out actsearch run small.ini --db run.db --workers 2
run=$!
name=its_socket_is_for_its_user_alone
await 60 at_least run.db 'SELECT done FROM progress' 2 && [ "$(stat -c '%F %a' run.db-control)" = 'socket 600' ] && pass $name || fail $name "$(stat -c '%F %a' run.db-control 2>&1)" run.out

name=pause_lets_trainings_end_and_starts_none
actsearch pause run.db >pause.out 2>&1 && grep -q '^paused' pause.out && is paused phase run.db && quiet_for run.db && pass $name || fail $name "$(phase run.db)" pause.out
name=pausing_again_says_so
actsearch pause run.db >pause.out 2>&1 && grep -q 'already' pause.out && pass $name || fail $name 'it does not' pause.out
name=top_says_that_it_is_paused
actsearch top run.db --once >top.out && head -n 1 top.out | grep -q 'paused' && pass $name || fail $name 'it does not' top.out

name=a_pause_outlives_the_coordinator
kill -KILL "$(pgrep -P $run -x actsearchd)"
await 20 grep -q 'started again' run.out && await 20 actsearch resume run.db && is search phase run.db && pass $name || fail $name "$(phase run.db)" run.out
await 60 at_least run.db "SELECT max(ended_ms) > (SELECT at_ms FROM event WHERE kind = 'resume') FROM attempt WHERE state = 'taken'" 1 ||
    fail it_goes_on_after_the_pause 'nothing is trained' run.out

name=stop_ends_a_run_in_order
timeout 30 actsearch stop run.db >stop.out 2>&1; status=$?
left=$(scalar run.db 'SELECT leased FROM progress')
await 10 gone $run; ended $run; ran=$?
if [ $status != 0 ] || ! grep -q '^stopped' stop.out; then fail $name "exit status $status" stop.out
elif [ $ran != 1 ] || ! grep -q 'the same command goes on' run.out; then fail $name "the run ended with $ran" run.out
elif [ "$left" != 0 ]; then fail $name "$left trials were not handed back" run.out
elif [ -e run.db-control ] || [ -e run.db-wal ] || [ -e run.db-lock ]; then fail $name "left behind: $(ls run.db-*)"
else pass $name; fi
refused nobody_is_left_to_stop 1 actsearch stop run.db -- 'no coordinator runs on run.db' 'goes on with it'
name=top_says_that_it_does_not_run
actsearch top run.db --once >top.out && head -n 1 top.out | grep -q 'not running' && grep -q 'no coordinator runs' top.out && pass $name || fail $name 'it does not' top.out

name=the_same_command_goes_on_to_the_same_list
actsearch run small.ini --db run.db --workers 2 -q >again.out 2>&1 && actsearch rank run.db --stable | cmp -s - reference.list && pass $name || fail $name 'another list' again.out

# A coordinator and a worker as on a cluster.
start head.out actsearchd small.ini --db head.db --bind "ipc://$WORK/head"; head=$!
start worker.out actsearch-worker "ipc://$WORK/head" --slots 1 --cache "$WORK/cache"; worker=$!
name=stop_sends_the_workers_home_and_they_save
await 60 at_least head.db 'SELECT leased FROM progress' 1
timeout 30 actsearch stop head.db >stop.out 2>&1; status=$?
await 10 gone $head && await 10 gone $worker; ended $head; coordinator=$?; ended $worker; went=$?
[ "$status $coordinator $went" = '0 3 0' ] && is 0 scalar head.db 'SELECT count(*) FROM attempt WHERE state = '"'leased'" &&
    ls cache/checkpoints/* >/dev/null 2>&1 && pass $name || fail $name "stop $status, coordinator $coordinator, worker $went, $(ls cache)" head.out

name=workers_of_a_killed_coordinator_are_not_shown_as_connected
start head.out actsearchd small.ini --db head.db --bind "ipc://$WORK/head"; head=$!
start worker.out actsearch-worker "ipc://$WORK/head" --slots 1 --cache "$WORK/cache"; worker=$!
await 60 at_least head.db 'SELECT workers FROM progress' 1
actsearch top head.db --once >alive.out
kill -KILL $head; await 10 gone $head
actsearch top head.db --once >dead.out
grep -qE '^worker +pid' alive.out && ! grep -qE '^worker +pid' dead.out && head -n 1 dead.out | grep -q 'not running' && [ -S head.db-control ] && pass $name || fail $name 'they are' dead.out
name=what_it_left_is_no_obstacle
start head.out actsearchd small.ini --db head.db --bind "ipc://$WORK/head"; head=$!
await 30 actsearch pause head.db && pass $name || fail $name 'no orders are taken' head.out
actsearch stop head.db >/dev/null 2>&1
