#!/usr/bin/env bash
# docs/queries.md: each query runs as its reader would run it, and so does the example in Python, on the database of a small search.
. "$(dirname "$0")/lib.sh"
page=$ROOT/docs/queries.md
small_experiment small.ini '[halving]' 'rungs = 2' 'eta = 2'
actsearch run small.ini --workers 2 -q --trainer "$ROOT/scripts/trainers/shell.sh" >run.out 2>&1 || { fail a_small_search_ends 'it does not' run.out; exit 1; }

name=each_query_runs_in_the_shell_of_sqlite
awk '/^```sql/ {n++; inside = 1; next} /^```/ {inside = 0} inside {print > ("query" n ".sql")}' "$page"
queries=0 wrong=''
for query in query*.sql; do
    queries=$((queries + 1))
    sqlite3 -readonly -box small.db <"$query" >answer 2>&1 || wrong="$wrong $(head -n 1 "$query") $(cat answer)"
done
[ $queries -ge 12 ] && [ -z "$wrong" ] && pass $name || fail $name "$queries queries:$wrong"

name=the_example_in_python_prints_the_list
awk '/^```python/ {inside = 1; next} /^```/ {inside = 0} inside' "$page" >example.py
if ! command -v python3 >/dev/null; then skipped $name 'no python3'
else
    python3 example.py small.db >python.out 2>&1 && grep -q 'x\*sigmoid(b0\*x)' python.out && [ "$(wc -l <python.out)" = 6 ] && pass $name || fail $name 'it does not' python.out
fi
