#!/usr/bin/env bash
# show.sh: the command that `actsearch show` prints trains the trial that it names once more, to the same bits: with settings that are not
# the defaults, on a lower rung, and in the finals; and the list says the same as CSV and by what nothing beats.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini 'lr = 0.03' 'momentum = 0.8' 'schedule = step' 'seeds = 2' 'beta_lr = 0.01' 'weight_decay = 0.001' '[halving]' 'rungs = 2' 'eta = 2' \
    '[finals]' 'top = 2' 'seeds = 2' 'steps = 25'
sed -i 's/^candidates = .*/candidates = 16/; s/^algorithm = .*/algorithm = random/; s/^steps = 10/steps = 16/' small.ini
actsearch run small.ini --db small.db -q >run.out 2>&1 || { fail the_search_ends 'it failed' run.out; exit 1; }

again() { # ACTIVATION: trains what show prints for it; 0 where accuracy and loss are those of that trial
    local command seed steps stored got
    command=$(actsearch show small.db "$1" | grep -o 'actsearch train .*') || { echo "no command" >again.out; return 1; }
    seed=$(grep -oE -e '--seed [0-9]+' <<<"$command" | cut -d ' ' -f 2)
    steps=$(grep -oE -e '--steps [0-9]+' <<<"$command" | cut -d ' ' -f 2)
    stored=$(sqlite3 -readonly small.db "SELECT printf('%.17g %.17g', 1.0 * correct / validation_count, validation_loss) FROM trial JOIN candidate ON candidate.id = trial.candidate
        WHERE activation = '$1' AND seed = $seed AND trial.steps = $steps AND state = 'done'")
    eval "$command --json" 2>again.err | tail -n 1 >again.json
    got=$(sqlite3 :memory: "SELECT printf('%.17g %.17g', json_extract(line, '\$.validation_accuracy'), json_extract(line, '\$.validation_loss')) FROM (SELECT CAST(readfile('again.json') AS TEXT) AS line)")
    echo "$command: $got, stored $stored" >again.out
    [ -n "$stored" ] && [ "$got" = "$stored" ]
}
pick() { scalar small.db "SELECT activation FROM candidate WHERE $1 AND id IN (SELECT candidate FROM trial WHERE state = 'done') ORDER BY id LIMIT 1"; }
try() { # NAME WHICH
    local activation; activation=$(pick "$2") || { fail "$1" 'there is no such function'; return; }
    again "$activation" && pass "$1" || fail "$1" 'other bits' again.out
}
try the_command_of_a_finalist_gives_its_bits 'steps = 25 AND NOT reference'
try the_command_of_a_lower_rung_gives_its_bits 'steps = 8'
try the_command_of_a_function_with_parameters_gives_its_bits 'betas > 0'
try the_command_of_a_reference_gives_its_bits reference

name=csv_is_the_view
actsearch rank small.db --csv >list.csv
sqlite3 -readonly -csv small.db 'SELECT rank, activation, seeds, steps, parameters FROM ranking' >view.csv
sqlite3 :memory: '.mode csv' '.import list.csv list' 'SELECT CAST(rank AS INTEGER), activation, CAST(seeds AS INTEGER), CAST(steps AS INTEGER), CAST(parameters AS INTEGER) FROM list' >read.csv
cmp -s read.csv view.csv && [ -s view.csv ] && pass $name || fail $name 'they differ' read.csv
name=pareto_is_what_nothing_both_better_and_cheaper_beats
actsearch rank small.db --pareto --csv | tail -n +2 | cut -d , -f 1 >pareto
sqlite3 -readonly small.db "SELECT rank FROM ranking AS a WHERE cost_ns IS NOT NULL AND NOT EXISTS (SELECT * FROM ranking AS b WHERE b.cost_ns < a.cost_ns AND
    (b.steps > a.steps OR (b.steps = a.steps AND b.accuracy_mean > a.accuracy_mean))) ORDER BY rank" | cmp -s - pareto && [ -s pareto ] && pass $name || fail $name 'another choice' pareto
