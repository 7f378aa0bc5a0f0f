#!/usr/bin/env bash
# The coordinator is killed under a worker, started again, stopped, refused, and asked for more; no result is lost by any of it.
. "$(dirname "$0")/lib.sh"

refused help_is_there 0 actsearchd --help -- 'FILE\.ini' '--bind' '--db' '--insecure' '--set' '--log-level' 'Exit status'
refused the_version_too 0 actsearchd --version -- '^actsearchd [0-9]+\.[0-9]+'
refused no_file_is_wrong_usage 2 actsearchd -- 'experiment file' 'help'
refused an_unknown_option_too 2 actsearchd --bnid x a.ini -- 'bnid' 'help'
refused an_unknown_level_too 2 actsearchd --log-level loud a.ini -- 'loud' 'debug'
refused no_such_file 1 actsearchd none.ini -- 'none\.ini'

require_data fashion-mnist
small_experiment small.ini
refused other_hosts_must_be_asked_for 2 actsearchd small.ini --db refused.db --bind 'tcp://0.0.0.0:0' -- '--insecure'
refused an_address_that_is_none 2 actsearchd small.ini --db refused.db --bind nowhere -- 'nowhere' 'tcp://'
name=a_refused_start_leaves_no_file
[ -z "$(ls refused.db* 2>/dev/null)" ] && pass $name || fail $name "$(ls refused.db*)"

socket=ipc://$WORK/socket
coordinator() { # DB LOG [OPTION…]: starts it at the socket; its id in $coordinator
    local db=$1 log=$2; shift 2
    start "$log" actsearchd small.ini --db "$db" --bind "$socket" "$@"
    coordinator=$!
}
worker() { start "$1" actsearch-worker "$socket" --slots 1; worker=$!; }
ended() { # ID: waits for its end; its exit status in $status
    await 120 gone "$1" || { status=none; return 1; }
    wait "$1" 2>/dev/null; status=$?
}
list() { actsearch rank "$1" --stable >"$1.list" 2>&1; }

# ---- undisturbed
name=a_coordinator_and_a_worker_finish_a_search
coordinator plain.db plain.log; worker plain-worker.log
ended $coordinator && [ $status = 0 ] && list plain.db && pass $name || {
    fail $name "exit status $status" plain.log
    exit 1
}
name=the_worker_ends_too
ended $worker && [ $status = 0 ] && pass $name || fail $name "exit status $status" plain-worker.log
name=the_database_is_one_file_then
[ "$(ls plain.db*)" = "$(printf 'plain.db\nplain.db.list')" ] && pass $name || fail $name "$(ls plain.db*)"

# ---- killed twice under a worker that goes on
name=killed_and_started_again_it_gives_the_same_list
coordinator killed.db killed.1.log; worker killed-worker.log
await 60 at_least killed.db 'SELECT done FROM progress' 3 && kill -KILL $coordinator; wait $coordinator 2>/dev/null
coordinator killed.db killed.2.log
await 60 at_least killed.db 'SELECT done FROM progress' 8 && kill -KILL $coordinator; wait $coordinator 2>/dev/null
coordinator killed.db killed.3.log
ended $coordinator && [ $status = 0 ] || fail $name "exit status $status" killed.3.log
list killed.db
cmp -s plain.db.list killed.db.list && pass $name || fail $name 'another list' killed.db.list
name=each_start_is_counted
[ "$(scalar killed.db 'SELECT epoch FROM experiment')" = 3 ] && pass $name || fail $name "$(scalar killed.db 'SELECT epoch FROM experiment')"
name=one_worker_did_it_all
[ "$(scalar killed.db 'SELECT count(*) FROM worker')" = 1 ] && pass $name || fail $name "$(scalar killed.db 'SELECT count(*) FROM worker')"
ended $worker

# ---- finished
name=a_finished_search_says_so_and_is_left_alone
sha256sum killed.db >before
refused $name 0 actsearchd small.ini --db killed.db --bind "$socket" -- 'finished'
name=not_a_byte_of_it_changes
sha256sum -c --quiet before && pass $name || fail $name 'it changed'

# as if it had been killed after the COMMIT of the end and before its BYEs: a worker waits, and the database says that one is there
name=a_worker_that_was_not_told_of_the_end_is_told_at_the_next_start
cp killed.db untold.db
sqlite3 untold.db 'UPDATE worker SET connected = 1; UPDATE counters SET workers = 1'
worker untold-worker.log
coordinator untold.db untold.log
ended $worker && [ $status = 0 ] && pass $name || fail $name "exit status $status" untold-worker.log
name=and_that_is_waited_for_a_moment_only
ended $coordinator && [ "$status $(scalar untold.db 'SELECT workers FROM progress')" = '0 0' ] && pass $name || fail $name "exit status $status" untold.log

name=it_goes_on_with_more_candidates
coordinator killed.db grown.log --set search.candidates=20; worker grown-worker.log
ended $coordinator
done=$(scalar killed.db 'SELECT candidates FROM progress WHERE finished_because <> ""')
[ "$status $done" = '0 20' ] && pass $name || fail $name "exit status $status, $done candidates" grown.log
ended $worker
refused fewer_are_refused 1 actsearchd small.ini --db killed.db --bind "$socket" -- 'killed\.db' 'candidates: *20 *-> *16'

# ---- stopped, in use
coordinator busy.db busy.log
await 20 test -s busy.db
refused a_database_in_use_names_its_holder 1 actsearchd small.ini --db busy.db --bind tcp://127.0.0.1:0 -- 'busy\.db' 'in use' "process $coordinator"
refused a_socket_in_use 1 actsearchd small.ini --db other.db --bind "$socket" -- "$WORK/socket" 'in use'
name=neither_leaves_a_file
[ -z "$(ls other.db* 2>/dev/null)" ] && pass $name || fail $name "$(ls other.db*)"
name=stopped_by_a_signal_it_was_not_done
kill -TERM $coordinator
ended $coordinator && [ $status = 1 ] && pass $name || fail $name "exit status $status" busy.log
name=its_lock_is_gone
[ ! -e busy.db-lock ] && pass $name || fail $name "$(cat busy.db-lock)"
