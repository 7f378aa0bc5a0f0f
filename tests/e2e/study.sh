#!/usr/bin/env bash
# A study of 3 functions in 2 networks on a data set of CIFAR-100's layout, 3 seeds each: interrupted five times it ends in the same
# tables, byte for byte; so it does with the workers of a cluster; and it may grow.
. "$(dirname "$0")/lib.sh"
export ACTSEARCH_CACHE=$WORK/cache
mkdir -m 700 runtime
export XDG_RUNTIME_DIR=$WORK/runtime # the sockets' place, by which our processes are known
nobody_left() { ! pgrep -f "$XDG_RUNTIME_DIR"; }

# records FILE COUNT: coarse label, fine label, 3,072 pixels whose brightness and stripes follow from the fine label.
records() {
    local i fine
    for ((i = 0; i < $2; i++)); do
        fine=$((i * 7 % 100))
        printf "\\x$(printf %02x $((fine / 5)))\\x$(printf %02x $fine)"
        printf "%0$((fine % 9 + 2))d" 0 | tr 0 "\\$(printf %03o $((fine * 2 + 20)))" >stripe
        { cat stripe; head -c 5 /dev/zero; } >period
        while [ "$(stat -c %s period)" -lt 3072 ]; do cat period period >twice; mv twice period; done
        head -c 3072 period
    done >"$1"
}
mkdir hundred
records hundred/train.bin 400
records hundred/test.bin 50
name=a_data_set_of_the_layout_of_cifar_100_is_added
actsearch data add hundred hundred >add.out 2>&1 && [ "$(actsearch data list --json | grep -c '"classes":100')" = 1 ] && pass $name || { fail $name 'it is not' add.out; exit 1; }

cat >tiny.ini <<'INI'
[study]
name = tiny
functions = relu, swish, max(x, tanh(x))
models = mlp, cnn
data = hundred
seeds = 3
against = swish
[child]
batch = 20
validation = 100
[model mlp]
steps = 400
lr = 0.01
[model cnn]
steps = 60
augment = yes
[queue]
lease = 3s
heartbeat = 500ms
INI
study() { local folder=$1; shift; actsearch study tiny.ini --dir "$folder" "$@" >"$folder.out" 2>"$folder.err"; }
tables() { actsearch study tiny.ini --dir "$1" --show >"$1.tables" && actsearch study tiny.ini --dir "$1" --show --json >>"$1.tables"; }
same_tables() { # NAME FOLDER
    tables "$2" && cmp -s "$2.tables" whole.tables && { pass "$1"; return; }
    diff whole.tables "$2.tables" >difference
    fail "$1" 'other tables' difference
}
closed() { # FOLDER: trainings with an outcome
    local db sum=0
    for db in "$1"/*.db; do [ -e "$db" ] && sum=$((sum + $(scalar "$db" "SELECT count(*) FROM trial WHERE state IN ('done', 'diverged')"))); done
    echo $sum
}
closed_at_least() { [ "$(closed "$1")" -ge "$2" ]; }

name=an_undisturbed_study_ends_in_tables
study whole --workers 1 -q && tables whole && [ "$(closed whole)" = 18 ] && grep -q '^swish .* ([0-9.]*-[0-9.]*)' whole.out &&
    grep -q '^swish against' whole.out && pass $name || { fail $name 'no tables' whole.err; exit 1; }

name=a_finished_study_shows_them_again_and_trains_nothing
cp whole.out before; study whole && cmp -s before whole.out && [ "$(scalar whole/hundred+cnn+0.1.db 'SELECT epoch FROM experiment')" = 1 ] && pass $name ||
    fail $name 'something changed' whole.err

# ---- interrupted five times
interrupted() { # NAME SIGNAL CLOSED: stopped by that signal once so many trainings are closed
    local pid status
    start broken.out actsearch study tiny.ini --dir broken --workers 2
    pid=$!
    await 60 closed_at_least broken "$3" || { fail "$1" "no $3 trainings in a minute" broken.out; return; }
    kill "-$2" "$pid"
    ended "$pid"; status=$?
    await 40 nobody_left || { fail "$1" "left behind: $(pgrep -af "$XDG_RUNTIME_DIR")"; return; }
    [ "$(closed broken)" -lt 18 ] || { fail "$1" 'it had ended before' broken.out; return; }
    [ "$2" = KILL ] || { [ $status = 1 ] && grep -q 'goes on' broken.out; } || { fail "$1" "exit status $status" broken.out; return; }
    pass "$1"
}
interrupted a_first_ctrl_c_stops_it INT 1
interrupted a_kill_leaves_nobody_behind KILL 4
interrupted sigterm_stops_it TERM 7
interrupted a_second_kill_leaves_nobody_behind KILL 10
interrupted a_second_ctrl_c_stops_it INT 13
name=the_tables_of_what_is_there_say_what_is_missing
actsearch study tiny.ini --dir broken --show >partial 2>&1 && grep -qE ' of 3 seeds|-$' partial && pass $name || fail $name 'they do not' partial
study broken --workers 2 || fail it_goes_on_to_the_end 'it does not' broken.err
same_tables interrupted_five_times_it_ends_in_the_same_tables broken
name=nothing_was_trained_twice
taken=0; for db in broken/*.db; do taken=$((taken + $(scalar "$db" "SELECT count(*) FROM attempt WHERE state = 'taken'"))); done
[ $taken = 18 ] && pass $name || fail $name "$taken trainings"

# ---- a cluster
name=with_the_workers_of_a_cluster_the_tables_are_the_same
endpoint=ipc://$WORK/socket
start worker.out bash -c "while actsearch-worker '$endpoint' --slots 1; do :; done"
worker=$!
study cluster --bind "$endpoint" && same_tables $name cluster || fail $name 'it does not end' cluster.err
child=$(pgrep -P "$worker"); kill -KILL "$worker" $child 2>/dev/null

# ---- growing
name=a_function_and_a_seed_that_come_later_are_trained_and_no_more
study whole --set 'study.functions=relu, gelu, swish, max(x, tanh(x))' --set study.seeds=4 && [ "$(closed whole)" = 32 ] &&
    grep -q '^gelu' whole.out && [ "$(scalar whole/hundred+mlp+0.01.db "SELECT count(*) FROM attempt WHERE state = 'taken'")" = 16 ] &&
    pass $name || fail $name "$(closed whole) trainings" whole.err
name=and_the_old_seeds_are_what_they_were
tables broken && actsearch study tiny.ini --dir whole --show --json >grown && tail -n 1 broken.tables | cmp -s - grown && pass $name || fail $name 'they are not' grown
for db in whole/*.db; do
    name=$(basename "$db" .db)_is_whole
    actsearch check "$db" >check.out 2>&1 && pass "$name" || fail "$name" 'it is not' check.out
done

# ---- other ways to print, and refusals
name=csv_has_a_line_for_each_function_in_each_network
actsearch study tiny.ini --dir broken --format csv >csv && [ "$(grep -c '^hundred,' csv)" = 6 ] && pass $name || fail $name 'it has not' csv
name=prepared_files_are_experiments
actsearch study tiny.ini --dir prepared --prepare >prepared.out && [ "$(wc -l <prepared.out)" = 2 ] &&
    actsearch space "$(head -n 1 prepared.out)" --count >/dev/null && pass $name || fail $name 'they are not' prepared.out
refused a_network_that_is_not_there_is_named_before_anything_is_trained 1 actsearch study tiny.ini --dir none --set study.models=mlp,resnet-9 -- 'resnet-9'
refused a_wrong_line_is_named 2 actsearch study tiny.ini --set child.stpes=3 -- "did you mean 'steps'"
refused an_unknown_format_is_wrong_usage 2 actsearch study tiny.ini --format word -- 'text, csv, markdown'
name=nothing_was_made_for_what_was_refused
[ ! -e none ] && pass $name || fail $name 'a folder'
