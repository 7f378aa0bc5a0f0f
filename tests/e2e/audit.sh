#!/usr/bin/env bash
# A search whose trials are trained a second time on another host ends in the same list; a candidate whose trainer dies each time is set
# aside with the reasons, and the search goes on.
. "$(dirname "$0")/lib.sh"
export ACTSEARCH_CACHE=$WORK/cache # so that our trainers are known by it
require_data fashion-mnist
endpoint=ipc://$WORK/socket
small_experiment small.ini '[queue]' 'lease = 3s' 'heartbeat = 200ms'
sed -i 's/^steps = .*/steps = 60/' small.ini # so that both hosts have results before the end
sed 's/^\[queue\]/&\naudit = 1/' small.ini >audited.ini
list() { actsearch rank "$1.db" --stable >"$1.list"; }

name=an_undisturbed_search_ends
actsearch run small.ini --db calm.db --workers 1 -q >calm.log 2>&1 && list calm && pass $name || { fail $name 'it does not' calm.log; exit 1; }

name=every_trial_is_computed_again_on_another_host_with_the_same_bits
if unshare --uts true 2>/dev/null; then
    start audited.log actsearchd audited.ini --db audited.db --bind "$endpoint"
    coordinator=$!
    for host in one two; do start "$host.log" unshare --uts sh -c "hostname $host && exec actsearch-worker $endpoint --slots 1"; done
    trials=$(scalar calm.db 'SELECT count(*) FROM trial')
    await 120 gone "$coordinator" && ended "$coordinator" &&
        [ "$(scalar audited.db "SELECT count(DISTINCT again.trial) FROM attempt AS again JOIN trial ON trial.id = again.trial
            JOIN attempt AS first ON first.id = trial.closed_by JOIN worker AS a ON a.id = first.worker
            JOIN worker AS b ON b.id = again.worker WHERE again.state = 'agreed' AND a.host != b.host")" = "$trials" ] &&
        [ "$(scalar audited.db "SELECT count(*) FROM event WHERE kind = 'difference'")" = 0 ] && pass $name ||
        fail $name "$(sqlite3 audited.db 'SELECT state, count(*) FROM attempt GROUP BY 1')" audited.log
    name=its_list_is_that_of_the_undisturbed_search
    list audited && cmp -s audited.list calm.list && pass $name || fail $name 'another list' audited.list
else
    skipped $name 'needs leave for unshare --uts'
fi

# ---- a trainer that dies each time, killed from outside
sed -i 's/^steps = .*/steps = 200/' small.ini
start poison.log actsearchd small.ini --db poison.db --bind "$endpoint"
coordinator=$!
start poison.worker actsearch-worker "$endpoint" --slots 1
worker=$!
leased() { scalar poison.db "SELECT trial FROM attempt WHERE state = 'leased' ORDER BY id DESC LIMIT 1"; }
poison() { # kills the trainer of trial 2, whenever it is met in the middle
    local trainer
    gone "$coordinator" && return 0
    trainer=$(pgrep -P "$worker") && kill -STOP "$trainer" 2>/dev/null || return 1
    if [ "$(leased)" = 2 ] && [ "$(pgrep -P "$worker")" = "$trainer" ]; then kill -KILL "$trainer"; else kill -CONT "$trainer"; fi
    [ "$(scalar poison.db 'SELECT state FROM trial WHERE id = 2')" = failed ]
}
name=a_candidate_that_kills_its_trainer_is_set_aside_with_the_reasons
await 60 poison && [ "$(scalar poison.db "SELECT count(*) FROM failures WHERE reason LIKE '%signal 9%'")" = 3 ] &&
    [ "$(scalar poison.db "SELECT count(*) FROM attempt WHERE trial = 2 AND state = 'failed'")" = 3 ] && pass $name ||
    fail $name "$(sqlite3 poison.db 'SELECT id, trial, state, reason FROM attempt')" poison.worker

name=and_the_search_goes_on_to_its_end
await 120 gone "$coordinator" && ended "$coordinator" && await 20 gone "$worker" && ended "$worker" &&
    [ "$(scalar poison.db "SELECT group_concat(id) FROM trial WHERE state NOT IN ('done', 'diverged')")" = 2 ] && pass $name ||
    fail $name "$(sqlite3 poison.db 'SELECT id, state FROM trial')" poison.log

name=no_process_is_left
pgrep -af "$WORK" >left
[ ! -s left ] && pass $name || fail $name 'left behind' left
