#!/usr/bin/env bash
# README.md: the demo's list on its first screen is what the demo comes to. The trainings are looked up in a table; one that lacks
# most of them would make it minutes. ACTSEARCH_README_TABLE: another table, such as one made of a demo.db.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
table=${ACTSEARCH_README_TABLE:-$ROOT/docs/results/table-1.gz}

name=the_demo_comes_to_the_list_of_the_first_screen
functions=$(actsearch table show "$table" --json 2>/dev/null | sed -n 's/.*"functions":\([0-9]*\),"trainings".*/\1/p')
if [ -z "${ACTSEARCH_README_TABLE:-}" ] && [ "${functions:-0}" -lt 3000 ]; then
    skipped $name "the table has ${functions:-no} functions, of 3,712"
    exit 0
fi
# What is the same on each machine: the counts; rank, accuracy and function of each row.
essence() { sed -n 's/^ *\(Proposals: .*\|Trials: .*\|PPO updates: .*\)/\1/p; s/^ *\([0-9][0-9]*\)  *\([0-9.]* %\) .* ns  *\([^ ]*\).*/\1 \2 \3/p'; }
essence <"$ROOT/README.md" >expected
actsearch run "$ROOT/experiments/demo.ini" --db demo.db --table "$table" -q >run.out 2>run.err
essence <run.out >got
[ "$(wc -l <expected)" -ge 8 ] && ! grep -vxFf got expected >differing && pass $name || fail $name 'other lines' differing

name=the_function_that_it_shows_is_the_best_of_it
shown=$(sed -n "s/^ *build.release.actsearch show demo.db '\(.*\)'$/\1/p" "$ROOT/README.md")
actsearch show demo.db "$shown" >show.out 2>&1 && grep -q '^rank  *1 of' show.out && pass $name || fail $name "$shown" show.out
