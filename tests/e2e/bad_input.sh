#!/usr/bin/env bash
# Each kind of bad input gets a message that says what was wrong, where, and what was expected; nothing is lost by any of them.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini

# with NAME SECTION.KEY VALUE: the small experiment with that line replaced or added, as NAME.ini
with() {
    sed "s|^${2#*.} = .*|${2#*.} = $3|" small.ini >"$1.ini"
    grep -qF "${2#*.} = $3" "$1.ini" || sed -i "s|^\[${2%.*}\]|&\n${2#*.} = $3|" "$1.ini"
}

# ---- expressions and spaces
refused an_unknown_function_gets_a_caret 2 actsearch expr 'x*sgmoid(b*x)' -- 'sgmoid' '^ +\^' "sigmoid"
refused train_refuses_it_too 2 actsearch train --model mlp --data fashion-mnist --activation 'x*sgmoid(x)' --steps 1 -- 'sgmoid' 'sigmoid'
with unary space.unary ''
refused a_space_with_no_function 1 actsearch space unary.ini --count -- 'unary\.ini' 'unary'
refused run_refuses_such_a_space 1 actsearch run unary.ini --db unary.db -- 'unary\.ini' 'unary'
sed 's/^unary = .*/unary = x-x, 0*x, x\/0/; s/^binary = .*/binary = x1 + x2/' small.ini >useless.ini
refused a_space_with_no_usable_function 1 actsearch run useless.ini --db useless.db -- 'useless\.ini' 'none of' 'constant: [0-9]+'
refused the_coordinator_refuses_it_too 1 actsearchd useless.ini --db useless.db --bind tcp://127.0.0.1:0 -- 'useless\.ini' 'none of'
with template space.unary 'x, sgmoid(x)'
refused an_unknown_function_in_a_template 1 actsearch run template.ini --db template.db -- 'template\.ini:' 'sgmoid' 'sigmoid'
with reference search.references 'relu(x), swsh(x)'
refused an_unknown_function_in_a_reference 1 actsearch run reference.ini --db reference.db -- 'reference\.ini' 'swsh'

# ---- experiment files
refused no_such_experiment_file 1 actsearch run none.ini -- 'none\.ini' 'No such file|not found|no such file'
with model child.model cn
refused an_unknown_model 1 actsearch run model.ini --db model.db -- "cn'?" 'cnn'
sed 's/^\[search\]/[serch]/' small.ini >section.ini
refused an_unknown_section 1 actsearch run section.ini --db section.db -- 'section\.ini:[0-9]+' 'serch' 'search'
sed 's/^candidates/candidate/' small.ini >key.ini
refused an_unknown_key 1 actsearch run key.ini --db key.db -- 'key\.ini:[0-9]+' "candidate" 'candidates'
with value search.candidates many
refused a_bad_value 1 actsearch run value.ini --db value.db -- 'value\.ini:[0-9]+' 'candidates' 'many'
with choice search.algorithm rll
refused an_unknown_choice 1 actsearch run choice.ini --db choice.db -- 'choice\.ini:[0-9]+' 'rll' 'exhaustive'
refused a_bad_override_is_wrong_usage 2 actsearch run small.ini --db override.db --set search.candidate=3 -- 'candidate' 'candidates'
refused for_the_coordinator_too 2 actsearchd small.ini --db override.db --set search.candidates=many --bind tcp://127.0.0.1:0 -- 'candidates' 'many'
refused and_for_the_space 2 actsearch space small.ini --count --set space.units=0 -- 'units'
refused a_folder_that_is_not_there 1 actsearch run small.ini --db nowhere/x.db -- 'nowhere/x\.db: the folder nowhere'
refused the_coordinator_refuses_them_too 1 actsearchd key.ini --db key.db --bind tcp://127.0.0.1:0 -- 'key\.ini:[0-9]+' 'candidates'
with data child.data no-such-data
refused an_unknown_data_set 1 actsearch run data.ini --db data.db -- 'no-such-data' 'data add'
name=a_refused_experiment_makes_no_database
[ -z "$(ls ./*.db 2>/dev/null)" ] && pass $name || fail $name "$(ls ./*.db)"

# ---- data sets
mkdir files && cp /usr/share/datasets/fashion-mnist/* files/ 2>/dev/null || find /usr/share -name '*-idx?-ubyte*' -path '*fashion*' -exec cp {} files/ \;
images=$(ls files/train-images*)
head -c 100000 "$images" >cut && mv cut "$images"
refused a_data_file_that_is_cut_short 1 actsearch data add --cache cache cut files -- 'train-images' 'cut short|truncated|ends'
ls cache/cut.data >/dev/null 2>&1 && fail nothing_is_left_of_a_refused_import "$(ls cache)" || pass nothing_is_left_of_a_refused_import

# ---- databases
echo 'this is no database, but long enough to be looked at' >text.db
refused a_file_that_is_no_database 1 actsearch rank text.db -- 'text\.db' 'database'
refused run_keeps_its_hands_off_it 1 actsearch run small.ini --db text.db -- 'text\.db' 'database'
name=the_file_is_untouched
[ "$(cat text.db)" = 'this is no database, but long enough to be looked at' ] && pass $name || fail $name 'it was changed'

actsearch run small.ini --db small.db -q >small.out 2>&1 || fail a_small_run_ends 'it failed' small.out
actsearch rank small.db --stable >before.list
refused a_database_of_another_experiment 1 actsearch run small.ini --db small.db --set child.steps=11 -- 'small\.db' 'steps: *10 *-> *11'
refused a_database_of_another_seed 1 actsearch run small.ini --db small.db --set experiment.seed=8 -- 'seed: *7 *-> *8'
name=its_results_are_all_still_there
actsearch rank small.db --stable | cmp -s - before.list && pass $name || fail $name 'another list'
sqlite3 small.db 'PRAGMA user_version' >version
cp small.db newer.db && sqlite3 newer.db "PRAGMA user_version = $(($(cat version) + 1))"
refused a_database_of_a_newer_version 1 actsearch rank newer.db -- 'newer\.db' 'newer'

# ---- coordinators and workers
with endless search.candidates 100000
start first.log actsearchd endless.ini --db first.db --bind tcp://127.0.0.1:0
coordinator=$!
port() { ss -ltnpH | grep "pid=$1," | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1 | grep .; }
await 20 port "$coordinator" || fail the_coordinator_listens 'it does not' first.log
address=$(port "$coordinator")
refused a_port_in_use 1 actsearchd small.ini --db second.db --bind "tcp://$address" -- "$address" 'in use'
refused a_database_in_use 1 actsearchd endless.ini --db first.db --bind tcp://127.0.0.1:0 -- 'first\.db' 'in use|another coordinator' "$coordinator"
refused run_says_so_too 1 actsearch run endless.ini --db first.db -- 'first\.db' 'in use|another coordinator'
"$BUILD/e2e/peer" worker "tcp://$address" 99 >peer.out 2>&1
grep -q 'bye: .*version 99' peer.out && pass a_worker_of_another_protocol_version_is_told || fail a_worker_of_another_protocol_version_is_told 'no answer' peer.out
name=the_coordinator_is_unharmed
kill -0 "$coordinator" && pass $name || fail $name 'it is gone' first.log
kill "$coordinator"; wait "$coordinator" 2>/dev/null

refused other_hosts_without_keys 2 actsearchd small.ini --db open.db --bind 'tcp://*:0' -- 'insecure'
refused a_worker_asks_for_insecure_too 2 actsearch-worker tcp://192.0.2.1:5570 -- 'insecure'
refused an_endpoint_that_is_none 2 actsearch-worker nowhere -- 'nowhere' 'tcp://'

start peer.log "$BUILD/e2e/peer" coordinator "ipc://$WORK/refuses" 'this worker speaks protocol version 1, the coordinator version 99'
refused a_worker_that_is_refused_says_why 1 actsearch-worker "ipc://$WORK/refuses" -- 'protocol version 1' '99'

# What is wrong, and what to do about it.
refused an_experiment_file_is_no_database 1 actsearch rank small.ini -- 'small\.ini' 'small\.db by default'
refused no_database_says_who_makes_one 1 actsearch rank none.db -- 'actsearch run'
refused a_database_in_no_folder_says_which_option 1 actsearch run small.ini --db nowhere/a.db -- 'nowhere/a\.db' '\-\-db'
refused a_coordinator_in_no_folder_says_which_option 1 actsearchd small.ini --db /proc/none/a.db -- '/proc/none' 'No such file'
refused an_address_of_another_machine_is_told 1 actsearchd small.ini --db elsewhere.db --bind tcp://192.0.2.1:5570 --insecure -- 'this machine'
refused no_key_says_who_makes_one 1 actsearch-worker tcp://127.0.0.1:5570 --key none.key -- 'none\.key' 'actsearch keygen'
refused a_number_without_an_upper_bound_says_so 2 actsearch rank none.db -n -4 -- '0 or more'
