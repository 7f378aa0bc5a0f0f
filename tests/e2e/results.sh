#!/usr/bin/env bash
# The pages of docs/results are made by one command each, here from a small table: whole, and the same however many processes made them.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
[ "$(basename "$BUILD")" = release ] || { skipped results 'the scripts use the release build'; exit 0; }
command -v gnuplot >/dev/null || { skipped results 'needs gnuplot (package gnuplot-nox)'; exit 0; }

# The head of the paper's space, with trainings that take a moment each.
sed 's/^model = .*/model = mlp/; s/^steps = .*/steps = 5/; s/^batch = 128/batch = 64/; s/^top = .*/top = 3/' "$ROOT/experiments/table-1.ini" >table-1.ini
actsearch run table-1.ini --set search.candidates=24 -q >run.out 2>run.err && actsearch table make table-1.db -o table-1.gz >/dev/null ||
    { fail a_small_table_is_made 'no table' run.err; exit 1; }
for pages in one two; do mkdir $pages; cp "$ROOT"/docs/results/*.md $pages; done

name=findings_are_counted_from_a_database
RESULTS=$WORK/one "$ROOT/scripts/findings" "$WORK/table-1.db" >findings.out 2>&1
[ -s one/findings.svg ] && [ -s one/findings-space.svg ] && grep -q '^| [0-9]* | relu | ' one/findings.md && grep -q '^| division | ' one/findings.md && pass $name ||
    fail $name 'not a whole page' findings.out

name=searches_are_compared_on_a_table
export SEEDS=2
RESULTS=$WORK/one PROCESSES=1 "$ROOT/scripts/bench-search" "$WORK/table-1.gz" >bench.out 2>&1
[ -s one/search-trials.svg ] && [ -s one/search-ten.svg ] && [ -s one/search-time.svg ] && [ "$(grep -cE '^\| (random|evolution|rl) \|' one/search.md)" = 12 ] && pass $name ||
    fail $name 'not a whole page' bench.out

name=what_people_wrote_stays
diff <(sed '/: begin -->$/,/: end -->$/d' one/search.md) <(sed '/: begin -->$/,/: end -->$/d' "$ROOT/docs/results/search.md") >difference && pass $name ||
    fail $name 'other words' difference

name=the_same_page_however_many_processes
RESULTS=$WORK/two PROCESSES=3 "$ROOT/scripts/bench-search" "$WORK/table-1.gz" >bench.out 2>&1
cmp one/search.md two/search.md && pass $name || fail $name 'another page' bench.out
