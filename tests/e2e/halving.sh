#!/usr/bin/env bash
# Successive halving and finals with the real programs: killed in the search and in the finals, the run goes on with the same command and
# ends in the same list; a finished one takes larger finals, and trains only what is missing.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini '[halving]' 'rungs = 2' 'eta = 2' '[finals]' 'top = 3' 'seeds = 2' 'steps = 20' '[queue]' 'lease = 3s' 'heartbeat = 500ms'
sed -i 's/^candidates = .*/candidates = 12/; s/^batch = 8/batch = 6/' small.ini
mkdir -m 700 runtime
export XDG_RUNTIME_DIR=$WORK/runtime # the sockets' place, by which our processes are known

run() { local db=$1 workers=$2; shift 2; actsearch run small.ini --db "$db" --workers "$workers" -q "$@" >"$db.out" 2>"$db.err"; }
list() { actsearch rank "$1" --stable >"$1.list"; }
nobody_left() { ! pgrep -f "$XDG_RUNTIME_DIR"; }

name=a_search_with_halving_and_finals_ends
run reference.db 1 && list reference.db &&
    [ "$(scalar reference.db 'SELECT phase FROM progress')" = finished ] && pass $name || { fail $name 'no list' reference.db.err; exit 1; }

name=each_rung_trains_its_steps_and_the_finalists_head_the_list
trained() { scalar reference.db "SELECT count(DISTINCT candidate) FROM trial JOIN candidate AS c ON c.id = candidate WHERE NOT reference AND trial.steps = $1"; }
[ "$(trained 5)" = 12 ] && [ "$(trained 10)" -ge 3 ] && [ "$(trained 10)" -le 7 ] && [ "$(trained 20)" = 3 ] && # 7: of three batches one more than half
    [ "$(scalar reference.db 'SELECT count(*) FROM ranking WHERE rank <= 5 AND steps = 20 AND seeds = 2')" = 5 ] &&
    [ "$(scalar reference.db 'SELECT count(*) FROM trial WHERE step > steps')" = 0 ] && pass $name ||
    fail $name "$(sqlite3 reference.db 'SELECT rank, steps, seeds, trials FROM ranking')"

killed() { # NAME DB QUERY N: killed once the query says N or more, then the same command again, with other workers
    start "$2.first" actsearch run small.ini --db "$2" --workers 2
    local pid=$!
    await 60 at_least "$2" "$3" "$4" || { fail "$1" 'it does not come so far' "$2.first"; return; }
    kill -KILL "$pid"; wait "$pid" 2>/dev/null
    await 40 nobody_left || { fail "$1" "left behind: $(pgrep -af "$XDG_RUNTIME_DIR")"; return; }
    run "$2" 1 && list "$2" || { fail "$1" "it does not go on" "$2.err"; return; }
    diff reference.db.list "$2.list" >difference && pass "$1" || fail "$1" 'another list' difference
}
killed a_kill_while_candidates_climb_changes_nothing climbing.db 'SELECT done FROM progress' 5
killed a_kill_in_the_finals_changes_nothing finals.db 'SELECT finals FROM progress' 1

name=nothing_is_trained_twice
[ "$(scalar finals.db 'SELECT count(*) - count(DISTINCT candidate || " " || steps || " " || seed) FROM trial')" = 0 ] &&
    [ "$(scalar finals.db "SELECT count(*) FROM attempt WHERE state = 'taken'")" = "$(scalar reference.db 'SELECT count(*) FROM trial')" ] &&
    pass $name || fail $name "$(sqlite3 finals.db 'SELECT state, count(*) FROM attempt GROUP BY 1')"

name=a_finished_search_takes_larger_finals_and_trains_what_is_missing
before=$(scalar reference.db 'SELECT finals FROM progress')
run reference.db 2 --set finals.top=4 --set finals.seeds=3 &&
    [ "$before" = 10 ] && [ "$(scalar reference.db 'SELECT finals FROM progress')" = 18 ] &&
    [ "$(scalar reference.db 'SELECT count(*) FROM ranking WHERE steps = 20 AND seeds = 3')" = 6 ] && pass $name ||
    fail $name "$(sqlite3 reference.db 'SELECT rank, steps, seeds, trials FROM ranking')" reference.db.err

refused smaller_finals_are_refused 1 actsearch run small.ini --db reference.db --workers 1 --set finals.top=2 -- 'finals'
