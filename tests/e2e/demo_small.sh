#!/usr/bin/env bash
# The demo, made small: it ends in a ranked list, and the view in the database holds the same.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
demo=("$ROOT/experiments/demo.ini" --db demo.db --set search.candidates=12 --set child.steps=20)

name=a_small_demo_ends_in_a_ranked_list
actsearch run "${demo[@]}" >run.out 2>run.err
status=$?
if [ $status != 0 ]; then
    fail $name "exit status $status" run.err
    exit 1
fi
grep -q 'Finished' run.out && grep -q 'sqlite3 demo.db' run.out && pass $name || fail $name 'no list, or nothing about what to do next' run.out

name=the_database_is_one_file_that_holds_all_of_it
mkdir home && cp demo.db home/
[ ! -e demo.db-wal ] && [ "$(scalar home/demo.db 'SELECT count(*) FROM ranking')" = "$(scalar demo.db 'SELECT count(*) FROM ranking')" ] &&
    pass $name || fail $name "$(ls -l demo.db* home)"

name=relu_and_swish_are_in_the_list
grep -q 'relu(x).*reference' run.out && grep -q 'sigmoid.*reference' run.out && pass $name || fail $name 'a reference is missing' run.out

name=the_view_ranking_holds_what_rank_prints
actsearch rank demo.db --csv >rank.csv
sqlite3 -csv -header demo.db 'SELECT * FROM ranking' >view.csv
sqlite3 :memory: >differing 2>&1 <<'SQL'
.mode csv
.import rank.csv a
.import view.csv b
SELECT 'rows', (SELECT count(*) FROM a), (SELECT count(*) FROM b) WHERE (SELECT count(*) FROM a) <> (SELECT count(*) FROM b);
SELECT a.rank, a.activation, b.activation FROM a JOIN b ON a.rank = b.rank
  WHERE a.activation <> b.activation OR a.seeds <> b.seeds OR a.trials <> b.trials OR a.steps <> b.steps OR a.parameters <> b.parameters
     OR abs(a.accuracy_mean - b.accuracy_mean) > 1e-12 OR abs(a.seconds - b.seconds) > 1e-9 * a.seconds
     OR abs(a.cost_ns - b.cost_ns) > 1e-9 * a.cost_ns OR (a.accuracy_sd = '') <> (b.accuracy_sd = '');
SELECT 'columns', name FROM pragma_table_info('a') WHERE name NOT IN (SELECT name FROM pragma_table_info('b'));
SQL
rows=$(($(wc -l <rank.csv) - 1))
[ ! -s differing ] && [ $rows -ge 12 ] && pass $name || fail $name "$rows rows" differing

name=json_has_the_columns_of_the_view
actsearch rank demo.db --json >rank.json
columns=$(sqlite3 :memory: "SELECT group_concat(key) FROM json_each(readfile('rank.json'), '\$[0]')")
[ "$columns" = rank,activation,accuracy_mean,accuracy_sd,seeds,trials,steps,parameters,seconds,cost_ns,distinct_from_next ] && pass $name || fail $name "$columns"

name=progress_and_failures_are_views_too
[ "$(scalar demo.db "SELECT count(*) FROM progress WHERE finished_because <> ''")" = 1 ] &&
    [ "$(scalar demo.db 'SELECT count(*) FROM failures')" = 0 ] && pass $name || fail $name "$(sqlite3 -line demo.db 'SELECT * FROM progress')"

name=the_same_command_on_a_finished_search_shows_the_list
actsearch run "${demo[@]}" >again.out 2>&1 && actsearch rank demo.db --csv | cmp -s - rank.csv && grep -q 'Finished' again.out &&
    pass $name || fail $name 'it failed, or gave another list' again.out

name=show_knows_a_function_in_any_spelling
actsearch show demo.db 'max(x,0)' >show.out 2>&1 && grep -q '^rank  *[0-9]' show.out && grep -q 'relu(x)' show.out && pass $name ||
    fail $name 'no rank' show.out
refused show_says_what_is_not_there_and_why 1 actsearch show demo.db 'x*0+3' -- 'rejected' 'constant'
refused show_puts_a_caret_under_a_wrong_name 2 actsearch show demo.db 'x*sgmoid(x)' -- '^ *\^' 'sigmoid'
refused an_expression_may_begin_with_a_minus_sign 1 actsearch show demo.db '-x^3-7*x^2' -- 'never proposed'
