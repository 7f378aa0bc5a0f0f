#!/usr/bin/env bash
# Preemption: a worker that is told to leave saves its training and is gone within five seconds; the next one on this host goes on
# from there, with the bits of the undisturbed training, and does not do again what was done. A checkpoint that is damaged, or of
# another training, is of no harm.
. "$(dirname "$0")/lib.sh"
export ACTSEARCH_CACHE=$WORK/cache # so that our trainers are known by it
require_data fashion-mnist
endpoint=ipc://$WORK/socket
checkpoints=$ACTSEARCH_CACHE/checkpoints

trial() { start "$1.trial" "$BUILD/e2e/peer" trial "$endpoint" "$2" "$3"; trial=$!; } # NAME ACTIVATION STEPS
worker() { start "$1.worker" actsearch-worker "$endpoint" --slots "${2:-1}" -v; worker=$!; }
said() { [ "$(grep -c "^$2" "$1.trial")" -ge "$3" ]; } # NAME WORD COUNT: so many such lines
moved() { awk -v n="$3" '/^leased/ {l++} /^progress/ && l == n && $2 >= s {f = 1} END {exit !f}' s="$2" "$1.trial"; } # NAME STEP LEASE
now_ms() { date +%s%3N; }
leave() { # NAME PID SIGNALLED: SIGTERM to that process; the worker must end well, in time
    local before took status
    before=$(now_ms)
    kill -TERM "$3"
    await 20 gone "$2" || { fail "$1" 'it does not leave' "$1.worker"; return 1; }
    took=$(($(now_ms) - before))
    wait "$2"; status=$?
    echo "from SIGTERM to the end: $took ms"
    [ $status = 0 ] && [ $took -lt 5000 ] || { fail "$1" "exit status $status after $took ms" "$1.worker"; return 1; }
}
result() { grep '^result' "$1.trial"; }
lease_lines() { awk -v n="$2" '/^leased/ {l++} /^progress/ && l == n {print $2}' "$1.trial"; } # NAME LEASE: the steps that it told
same_result() { # NAME TRIAL
    await 120 gone "$trial"
    [ -n "$(result "$2")" ] && [ "$(result "$2")" = "$(result undisturbed)" ] && pass "$1" || fail "$1" "$(result "$2"), not $(result undisturbed)" "$2.trial"
}

# ---- one trial, seen from the coordinator's side
name=an_undisturbed_training_has_a_result
trial undisturbed 'x*sigmoid(b0*x)' 1500; worker undisturbed
await 120 gone "$trial" && await 20 gone "$worker" && [ -n "$(result undisturbed)" ] && pass $name || { fail $name 'none' undisturbed.worker; exit 1; }

name=a_worker_that_is_told_to_leave_is_gone_in_five_seconds
trial preempted 'x*sigmoid(b0*x)' 1500; worker first
await 60 moved preempted 400 1
leave first "$worker" "$worker" && said preempted returned 1 && [ "$(find "$checkpoints" -name '*.checkpoint' | wc -l)" = 1 ] && pass $name ||
    fail $name "$(ls -l "$checkpoints")" first.worker

name=the_next_one_goes_on_where_it_stopped
worker second
await 60 said preempted progress $(($(grep -c '^progress' preempted.trial) + 1))
stopped_at=$(lease_lines preempted 1 | tail -n 1) goes_on_at=$(lease_lines preempted 2 | head -n 1)
[ "$goes_on_at" -gt "$stopped_at" ] && pass $name || fail $name "at step $goes_on_at after step $stopped_at" second.worker
same_result the_result_has_the_bits_of_the_undisturbed_training preempted

name=a_checkpoint_is_removed_once_its_result_is_known
await 20 gone "$worker"
[ -z "$(ls "$checkpoints")" ] && pass $name || fail $name "$(ls "$checkpoints")" second.worker

name=a_damaged_checkpoint_is_ignored
trial damaged 'x*sigmoid(b0*x)' 1500; worker third
await 60 moved damaged 600 1
leave third "$worker" "$worker"
checkpoint=$(find "$checkpoints" -name '*.checkpoint')
printf 'X' | dd of="$checkpoint" bs=1 seek=100000 conv=notrunc status=none
worker fourth
await 60 said damaged leased 2 && await 60 moved damaged 1 2
[ "$(lease_lines damaged 2 | head -n 1)" -lt 600 ] && pass $name || fail $name "it went on at step $(lease_lines damaged 2 | head -n 1)" fourth.worker
same_result its_training_starts_anew_with_the_same_bits damaged
await 20 gone "$worker"

# ---- a whole search
small_experiment small.ini '[queue]' 'lease = 3s' 'heartbeat = 500ms'
sed -i 's/^steps = .*/steps = 400/; s/^candidates = .*/candidates = 12/' small.ini
coordinator() { start "$1.coordinator" actsearchd small.ini --db "$1.db" --bind "$endpoint"; coordinator=$!; }
trainers_of() { pgrep -P "$1"; }
busy() { [ "$(trainers_of "$1" | wc -l)" = 2 ]; }
list() { actsearch rank "$1.db" --stable >"$1.list"; }

name=an_undisturbed_search_ends
coordinator calm; worker calm 2
await 120 gone "$coordinator" && await 20 gone "$worker" && list calm && pass $name || { fail $name 'it does not' calm.coordinator; exit 1; }

name=a_search_whose_worker_is_preempted_again_and_again_ends
coordinator often
for round in 1 2 3 4; do
    worker "round$round" 2
    await 60 busy "$worker" || break
    if [ $round = 3 ]; then # whoever stops a machine tells every process: the trainers first
        kill -TERM $(trainers_of "$worker") 2>/dev/null
    fi
    leave "round$round" "$worker" "$worker"
done
worker last 2
await 120 gone "$coordinator" && wait "$coordinator" && await 20 gone "$worker" && pass $name || fail $name 'it does not' often.coordinator

name=its_list_is_that_of_the_undisturbed_search
list often && cmp -s calm.list often.list && pass $name || { diff calm.list often.list >difference; fail $name 'another list' difference; }

name=being_preempted_is_no_failure
[ "$(scalar often.db 'SELECT count(*) FROM failures')" = 0 ] && [ "$(scalar often.db "SELECT count(*) FROM attempt WHERE state = 'returned'")" -ge 4 ] && pass $name ||
    fail $name "$(sqlite3 often.db 'SELECT id, state, reason FROM attempt')"

name=no_process_is_left
pgrep -af "$WORK" >left
[ ! -s left ] && pass $name || fail $name 'left behind' left
