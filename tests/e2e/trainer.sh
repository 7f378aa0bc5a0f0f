#!/usr/bin/env bash
# Trainers of the user's own (--trainer): a search with one ends in a ranked list, also when it is killed, stopped and gone on with;
# what a trainer does wrong costs that attempt and is told; nothing that it started is left.
. "$(dirname "$0")/lib.sh"
mkdir -m 700 runtime
export XDG_RUNTIME_DIR=$WORK/runtime # the sockets' place, by which our processes are known
endpoint=ipc://$WORK/socket
shell=$ROOT/scripts/trainers/shell.sh
small_experiment small.ini '[queue]' 'lease = 3s' 'heartbeat = 500ms' 'attempts = 1'
sed -i 's/^data = .*/data = none-at-all/; s/^model = .*/model = curve/' small.ini # only the trainer knows what they are

coordinator() { start "$1.coordinator" actsearchd small.ini --db "$1.db" --bind "$endpoint"; coordinator=$!; }
worker() { start "$1.worker" actsearch-worker "$endpoint" --slots 1 --trainer "$2" -v "${@:3}"; worker=$!; }
stopped() { kill -TERM "$1" && await 20 gone "$1"; ended "$1"; }
list() { actsearch rank "$1" --stable >"$1.list"; }
left() { pgrep -fx 'sleep 98[0-9]'; } # what our trainers start
nobody_left() { ! left; }

# ---- searches
name=a_search_with_a_trainer_of_shell_ends_in_a_ranked_list
actsearch run small.ini --db calm.db --workers 2 --trainer "$shell" --trainer-name shell >calm.out 2>&1 && list calm.db &&
    [ "$(scalar calm.db 'SELECT activation FROM ranking LIMIT 1')" = 'x*sigmoid(b0*x)' ] && [ "$(wc -l <calm.db.list)" -gt 16 ] && pass $name ||
    { fail $name 'no list' calm.out; exit 1; }
name=the_experiment_keeps_the_name_of_its_trainer
[ "$(scalar calm.db 'SELECT trainer FROM experiment')" = shell ] && [ "$(scalar calm.db 'SELECT DISTINCT trainer FROM worker')" = shell ] && pass $name ||
    fail $name "$(sqlite3 calm.db 'SELECT trainer FROM experiment')"
name=each_trial_has_what_the_trainer_said
[ "$(scalar calm.db "SELECT count(*) FROM trial WHERE state = 'done' AND step = 10 AND validation_count = 1000000 AND validation_loss >= 0 AND cost_ns > 0")" = \
    "$(scalar calm.db "SELECT count(*) FROM trial WHERE state = 'done'")" ] && pass $name || fail $name "$(sqlite3 calm.db 'SELECT * FROM trial LIMIT 3')"
name=no_train_line_is_shown_for_what_another_trainer_trained
actsearch show calm.db relu >show.out 2>&1 && grep -q 'fingerprint' show.out && ! grep -q 'actsearch train' show.out calm.out && pass $name || fail $name 'there is one' show.out

slow="sleep 0.2; exec $shell"
name=a_killed_and_a_stopped_search_end_in_the_same_list
start killed.first actsearch run small.ini --db killed.db --workers 2 --trainer "$slow" --trainer-name shell; run=$!
await 30 at_least killed.db 'SELECT done FROM progress' 3 && kill -KILL "$run"; ended "$run" 2>/dev/null
await 20 eval '! pgrep -f "$XDG_RUNTIME_DIR"'
start killed.second actsearch run small.ini --db killed.db --workers 2 --trainer "$slow" --trainer-name shell; run=$!
await 30 at_least killed.db 'SELECT done FROM progress' 6 && kill -INT "$run" && await 20 gone "$run"; ended "$run"
grep -q 'goes on' killed.second && actsearch run small.ini --db killed.db --workers 1 --trainer "$shell" --trainer-name shell -q >killed.out 2>&1 &&
    list killed.db && cmp -s calm.db.list killed.db.list && pass $name || fail $name 'another list, or none' killed.out

name=the_page_of_trainers_has_each_key_of_the_job
start keys.first actsearch run small.ini --db keys.db --workers 1 --trainer "cat >$WORK/job.new; mv $WORK/job.new $WORK/job; sleep 980"; run=$!
await 20 test -s job; kill -INT "$run"; ended "$run"
tr ',' '\n' <job | sed -n 's/^{\{0,1\}"\([a-z_]*\)":.*/\1/p' >keys
for key in $(cat keys); do grep -q "^|.*\`$key\`.*|" "$ROOT/docs/trainers.md" || echo "$key"; done >missing
[ "$(wc -l <keys)" -ge 21 ] && [ ! -s missing ] && pass $name || fail $name "$(wc -l <keys) keys, not there: $(cat missing)"

# ---- another trainer
refuses() { # NAME OPTION… -- PATTERN: a worker that is not of the experiment's trainer
    refused "$1" 1 actsearch-worker "$endpoint" "${@:2}"
}
coordinator other
worker other "$slow" --trainer-name shell
await 20 at_least other.db 'SELECT done FROM progress' 1
refuses a_worker_with_another_trainer_is_refused --trainer "$shell" -- "trains with 'custom'" '--trainer CMD --trainer-name shell'
refuses the_built_in_trainer_is_refused_too -- "trains with 'actsearch'"
stopped "$worker"; stopped "$coordinator"

# ---- trainers that do wrong. Each is given one trial, which has one attempt.
wrong() { # NAME COMMAND PATTERN [OPTION…]: the reason that its first attempt fails for
    local name=$1 command=$2 pattern=$3 reason; shift 3
    rm -f wrong.db*
    coordinator wrong; worker wrong "$command" "$@"
    await 30 at_least wrong.db 'SELECT count(*) FROM failures' 1
    reason=$(scalar wrong.db 'SELECT reason FROM failures LIMIT 1')
    grep -qE -e "$pattern" <<<"$reason" && kill -0 "$worker" && await 10 nobody_left && pass "$name" || fail "$name" "reason '$reason', left: $(left)" wrong.worker
    stopped "$worker" && stopped "$coordinator"
}
wrong garbage_is_told_with_its_line 'echo "{\"step\":1}"; echo "Epoch 1/2"; sleep 981' "line 2 of the trainer: 'Epoch 1/2': no JSON from its byte 1"
wrong a_misspelt_key_is_told 'echo "{\"stpe\":1}"; sleep 982' "unknown key 'stpe': did you mean 'step'"
wrong an_impossible_accuracy_is_told 'echo "{\"correct\":5,\"count\":4,\"validation_loss\":1}"' '5 of 4 correct cannot be'
wrong an_endless_line_is_told 'tr "\\0" x </dev/zero' 'line 1 of the trainer.*more than 4096 bytes'
wrong an_exit_is_told_with_its_last_words 'echo "{\"step\":3}"; echo "no GPU here" >&2; exit 5' 'exit status 5 after step 3 and no outcome: no GPU here'
wrong a_crash_is_told_with_its_signal 'kill -SEGV $$' 'signal 11'
wrong a_command_that_is_not_there_is_told 'no-such-trainer' 'exit status 127.*no-such-trainer'
wrong one_that_says_nothing_and_succeeds_has_failed 'cat >/dev/null' 'exit status 0 after step 0 and no outcome'
wrong a_trainer_without_progress_is_ended_with_all_that_it_started 'echo "{\"step\":4}"; sleep 983 & sleep 984' 'no step for [0-9]+ s after step [04]' --stall 1s

name=run_says_why_the_first_attempt_failed
rm -f told.db*
start told.out actsearch run small.ini --db told.db --workers 1 --trainer 'echo Epoch 1; echo no GPU here >&2; sleep 1'; run=$!
await 30 grep -q "attempt failed: line 1 of the trainer: 'Epoch 1'" told.out && pass $name || fail $name 'it does not' told.out
kill -INT "$run"; await 20 gone "$run"; ended "$run"

# ---- processes
name=a_flood_of_progress_keeps_nobody_from_leaving
coordinator flood; worker flood 'while :; do echo "{\"step\":1}"; done'
await 20 at_least flood.db "SELECT count(*) FROM attempt WHERE state = 'leased'" 1
stopped "$worker" && [ "$(scalar flood.db 'SELECT count(*) FROM failures')" = 0 ] && pass $name || fail $name 'it does not end well' flood.worker
stopped "$coordinator"

name=sigterm_reaches_the_trainer_and_hands_its_training_back
coordinator term; worker term "trap 'echo asked >>$WORK/asked; kill %1; exit 0' TERM; echo '{\"step\":1}'; sleep 985 & wait"
await 20 pgrep -fx 'sleep 985'
stopped "$worker" && [ "$(cat asked)" = asked ] && nobody_left && [ "$(scalar term.db "SELECT count(*) FROM attempt WHERE state = 'returned'")" = 1 ] &&
    [ "$(scalar term.db 'SELECT count(*) FROM failures')" = 0 ] && pass $name || fail $name "$(sqlite3 term.db 'SELECT state, reason FROM attempt')" term.worker

name=a_killed_daemon_takes_the_trainer_and_all_of_its_with_it
worker killed 'echo "{\"step\":1}"; sleep 986 & sleep 987'
await 20 pgrep -fx 'sleep 987'
kill -KILL "$worker"; ended "$worker" 2>/dev/null
await 10 nobody_left && pass $name || fail $name "left: $(left)"

name=the_trainer_has_the_environment_and_the_number_of_its_slot
MINE=here worker environment "echo \"\$MINE \$ACTSEARCH_SLOT\" >$WORK/environment; sleep 988"
await 20 test -s environment && [ "$(cat environment)" = 'here 0' ] && pass $name || fail $name "$(cat environment)" environment.worker
stopped "$worker"; stopped "$coordinator"

name=the_same_training_has_the_same_id_at_each_attempt
sed -i 's/^attempts = .*/attempts = 3/' small.ini
coordinator same; worker same "sed -n 's/.*\"id\":\"\([0-9a-f]*\)\".*\"activation\":\"\([^\"]*\)\".*/\2 \1/p' >>$WORK/ids; echo '{\"step\":1}'; sleep 989"
await 20 test -s ids
stopped "$worker"; worker again "sed -n 's/.*\"id\":\"\([0-9a-f]*\)\".*\"activation\":\"\([^\"]*\)\".*/\2 \1/p' >>$WORK/ids; echo '{\"step\":1}'; sleep 989"
await 20 eval '[ $(wc -l <ids) -ge 2 ]'
[ "$(sort -u ids | wc -l)" = 1 ] && [ "$(awk '{print length($2); exit}' ids)" = 64 ] && pass $name || fail $name 'other ids' ids
stopped "$worker"; stopped "$coordinator"

refused a_trainer_cannot_call_itself_the_built_in_one 2 actsearch-worker "$endpoint" --trainer true --trainer-name actsearch -- 'built-in'
refused a_name_without_a_trainer_is_wrong_usage 2 actsearch-worker "$endpoint" --trainer-name mine -- '--trainer'
refused run_takes_no_name_without_a_trainer_either 2 actsearch run small.ini --trainer-name mine -- '--trainer'
refused a_table_and_a_trainer_exclude_each_other 2 actsearch-worker "$endpoint" --table x --trainer true -- 'exclude'
refused a_stall_has_a_unit 2 actsearch-worker "$endpoint" --stall 60 -- '--stall'

# ---- PyTorch
name=the_pytorch_example_trains_the_default_network
python=/usr/bin/python3
if ! "$python" -c 'import torch' 2>/dev/null; then skipped $name 'no python3 with torch (package python3-torch)'
elif ! actsearch train --describe --model mlp --data fashion-mnist --activation 'relu(x)' >data.out 2>&1; then skipped $name "$(head -n 1 data.out)"
else
    cat >torch.ini <<'INI'
[experiment]
name = torch
[space]
unary = x, sigmoid(b*x), max(x, 0)
binary = x1 * x2
[search]
algorithm = exhaustive
candidates = 1
references = relu(x), x*sigmoid(b*x)
[child]
steps = 20
INI
    timeout 400 actsearch run torch.ini --workers 1 --trainer "$python $ROOT/scripts/trainers/pytorch.py" --trainer-name pytorch -q >torch.out 2>&1
    [ "$(scalar torch.db "SELECT count(*) FROM trial WHERE state = 'done' AND correct > 0.25 * validation_count AND parameters = 16794")" -ge 2 ] &&
        [ "$(scalar torch.db "SELECT trial.betas FROM trial JOIN candidate ON candidate.id = trial.candidate WHERE activation = 'x*sigmoid(b0*x)'")" = 96 ] && pass $name ||
        fail $name "$(sqlite3 torch.db 'SELECT * FROM trial')" torch.out
    name=the_pytorch_example_takes_no_other_data_for_what_was_asked_for
    echo '{"data":"cifar-10","model":"cnn","validation":5000,"seed":1,"b":0,"pytorch":"class Activation: pass"}' |
        env -u ACTSEARCH_IDX "$python" "$ROOT/scripts/trainers/pytorch.py" >other.out 2>&1 && fail $name 'it trains' other.out ||
        { grep -q 'where is cifar-10.*ACTSEARCH_IDX' other.out && pass $name || fail $name 'it says something else' other.out; }
fi

name=no_process_is_left
pgrep -af "$WORK" >left_processes
[ ! -s left_processes ] && nobody_left && pass $name || fail $name 'left behind' left_processes
