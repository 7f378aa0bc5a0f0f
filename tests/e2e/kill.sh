#!/usr/bin/env bash
# kill -9 of a trainer, of a daemon and of the coordinator in the middle of a search: it ends all the same, in the same list, and
# each trial is accounted for. SIGTERM hands trials back. No process is left.
. "$(dirname "$0")/lib.sh"
export ACTSEARCH_CACHE=$WORK/cache # so that our trainers are known by it
require_data fashion-mnist
small_experiment small.ini '[queue]' 'lease = 3s' 'heartbeat = 500ms'
sed -i 's/^steps = .*/steps = 100\nlr = 0.01/' small.ini # trainings that can be met in the middle: few diverge at once
endpoint=ipc://$WORK/socket

coordinator() { start "$1.coordinator" actsearchd small.ini --db "$1.db" --bind "$endpoint"; coordinator=$!; }
worker() { start "$1" actsearch-worker "$endpoint" --slots 1 -v; }
trainer_of() { pgrep -P "$1"; } # daemons start nothing else
catch() { # DAEMON: its trainer in $trainer, halted in the middle of its training, so that it cannot end before it is dealt with
    trainer=$(trainer_of "$1") && kill -STOP "$trainer" && grep -q '^State:.T' "/proc/$trainer/status"
}
ends_well() { # NAME PID FILE: by itself, with status 0
    local status
    await 120 gone "$2" || { fail "$1" 'it does not end' "$3"; return 1; }
    wait "$2"; status=$?
    [ $status = 0 ] || { fail "$1" "exit status $status" "$3"; return 1; }
}
list() { actsearch rank "$1.db" --stable >"$1.list"; }
same_list() { # NAME DB
    list "$2" && cmp -s "$2.list" reference.list && { pass "$1"; return; }
    diff reference.list "$2.list" >difference
    fail "$1" 'another list' difference
}
accounted_for() { # NAME DB: each trial closed, by an attempt that says so; no attempt left open
    local open lost
    open=$(scalar "$2.db" "SELECT count(*) FROM trial WHERE state NOT IN ('done', 'diverged')")
    lost=$(scalar "$2.db" "SELECT count(*) FROM attempt WHERE state IN ('leased', 'differed')")
    [ "$open" = 0 ] && [ "$lost" = 0 ] &&
        [ "$(scalar "$2.db" "SELECT count(*) FROM attempt WHERE state = 'taken'")" = "$(scalar "$2.db" 'SELECT count(*) FROM trial')" ] &&
        pass "$1" || fail "$1" "$open trials open, $lost attempts open or different"
}

name=an_undisturbed_search_ends
coordinator reference; worker reference.worker; first=$!
ends_well $name "$coordinator" reference.coordinator && ends_well $name "$first" reference.worker && list reference &&
    [ "$(wc -l <reference.list)" -gt 16 ] && pass $name || { fail $name 'no list' reference.coordinator; exit 1; }

# ---- three kills in one search
coordinator killed; worker first.worker; first=$!
worker second.worker; second=$!
await 60 at_least killed.db "SELECT count(*) FROM trial WHERE state IN ('done', 'diverged')" 2 || fail the_search_gets_going 'it does not' killed.coordinator

name=a_killed_trainer_costs_one_attempt_and_says_how_it_ended
await 20 catch "$first" && kill -KILL "$trainer"
await 20 at_least killed.db "SELECT count(*) FROM failures WHERE reason LIKE '%signal 9%'" 1 && kill -0 "$first" && pass $name || fail $name 'it is not among the failures' first.worker

name=a_killed_daemon_takes_its_trainer_with_it
await 20 catch "$second" && kill -KILL "$second" && await 10 gone "$trainer" && pass $name ||
    fail $name "its trainer '$trainer' is still there" second.worker
worker third.worker; third=$!

name=what_is_trained_while_the_coordinator_is_away_is_kept
taken_of_the_first_start="SELECT count(*) FROM attempt WHERE state = 'taken' AND id < (2 << 32)" # an attempt is start · 2^32 + count
await 20 catch "$first"
kill -KILL "$coordinator"; wait "$coordinator" 2>/dev/null
before=$(scalar killed.db "$taken_of_the_first_start")
kill -CONT "$trainer"
await 60 gone "$trainer"
coordinator killed
await 60 at_least killed.db "$taken_of_the_first_start" $((before + 1)) && kill -0 "$first" && kill -0 "$third" &&
    pass $name || fail $name 'its result is not taken' first.worker

name=the_search_ends_all_the_same
ends_well $name "$coordinator" killed.coordinator && ends_well $name "$first" first.worker && ends_well $name "$third" third.worker && pass $name
same_list the_list_is_that_of_the_undisturbed_search killed
accounted_for each_trial_is_accounted_for killed

# ---- SIGTERM
name=sigterm_hands_back_what_is_being_trained
coordinator stopped; worker leaving.worker; first=$!
await 60 catch "$first" && kill -TERM "$first"
ends_well $name "$first" leaving.worker && gone "$trainer" &&
    [ "$(scalar stopped.db "SELECT count(*) FROM attempt WHERE state = 'returned'")" = 1 ] &&
    [ "$(scalar stopped.db 'SELECT count(*) FROM failures')" = 0 ] && pass $name || fail $name "$(sqlite3 stopped.db 'SELECT id, state, reason FROM attempt')" leaving.worker

name=another_worker_goes_on_with_it
worker next.worker; next=$!
ends_well $name "$coordinator" stopped.coordinator && ends_well $name "$next" next.worker && pass $name
same_list and_the_list_is_the_same stopped
accounted_for and_each_trial_is_accounted_for stopped

name=sigint_to_a_worker_without_a_coordinator_ends_it_too
worker lonely.worker; lonely=$!
takes_signals() { (( 0x$(awk '/^SigBlk/ {print $2}' "/proc/$1/status") & 2 )); } # a signalfd has them
await 10 takes_signals "$lonely"
kill -INT "$lonely"
ends_well $name "$lonely" lonely.worker && pass $name

name=no_process_is_left
pgrep -af "$WORK" >left
[ ! -s left ] && pass $name || fail $name 'left behind' left
