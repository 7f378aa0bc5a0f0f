#!/usr/bin/env bash
# Trainings kept in a table: a search that takes them from there ends in the list of one that trains, whatever part of them is there; and
# a table of another kind is refused before anything is trained.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini '[halving]' 'rungs = 2' 'eta = 2' '[finals]' 'top = 2' 'seeds = 2' '[queue]' 'lease = 3s' 'heartbeat = 500ms'

run() { local db=$1; shift; actsearch run small.ini --db "$db" --workers 2 -q "$@" >"$db.out" 2>"$db.err"; }
list() { actsearch rank "$1" --stable; }
same_list() { diff <(list trained.db) <(list "$1"); }
# Trainings whose figures are those of the table, which were measured when it was made: none was done again.
answered() { # DB
    sqlite3 -readonly "$1" "ATTACH 'trained.db' AS first;
        SELECT count(*) FROM trial AS t JOIN candidate AS c ON c.id = t.candidate JOIN first.candidate AS d USING (activation)
        JOIN first.trial AS u ON u.candidate = d.id AND u.steps = t.steps AND u.seed = t.seed
        WHERE t.seconds = round(u.seconds, 1 - CAST(floor(log10(u.seconds)) AS INTEGER) + 1)"
}

name=a_table_is_made_of_a_database
run trained.db && actsearch table make trained.db -o whole.gz >make.out && [ -s whole.gz ] && pass $name || { fail $name 'no table' trained.db.err; exit 1; }
trials=$(scalar trained.db "SELECT count(*) FROM trial WHERE state IN ('done', 'diverged')")

name=it_holds_every_training_as_text
[ "$(zcat whole.gz | sed '1,/^activation\t/d' | wc -l)" = "$trials" ] && pass $name || fail $name "not $trials lines"

name=the_same_trainings_make_the_same_bytes
actsearch table make trained.db whole.gz -o again.gz >/dev/null && cmp whole.gz again.gz && pass $name || fail $name 'other bytes'

name=the_numbers_of_the_trials_do_not_matter
sqlite3 trained.db "VACUUM INTO 'odd.db'"
sqlite3 odd.db "PRAGMA foreign_keys = OFF; UPDATE trial SET id = -5 WHERE id = 1; UPDATE curve SET trial = -5 WHERE trial = 1;
    UPDATE trial SET id = id + (1 << 60) WHERE id > 3; UPDATE curve SET trial = trial + (1 << 60) WHERE trial > 3"
actsearch table make odd.db -o odd.gz >odd.out 2>&1 && cmp whole.gz odd.gz && pass $name || fail $name 'other bytes' odd.out

name=show_says_what_is_in_it
actsearch table show whole.gz --json >show.json && [ "$(scalar :memory: "SELECT json_extract(readfile('show.json'), '\$.trainings')")" = "$trials" ] &&
    actsearch table show trained.db | grep -qE "^ +5 +18 " && pass $name || fail $name "$(actsearch table show whole.gz)"

name=a_search_that_is_answered_from_a_table_ends_in_the_same_list
run answered.db --table whole.gz && same_list answered.db && pass $name || fail $name 'another list' answered.db.err

name=and_trains_nothing
[ "$(answered answered.db)" = "$trials" ] && pass $name || fail $name "$(answered answered.db) of $trials from the table"

name=the_database_is_whole
actsearch check answered.db >check.out && pass $name || fail $name 'damaged' check.out

name=what_a_table_lacks_is_trained
{ zcat whole.gz | sed '/^activation\t/q'; zcat whole.gz | sed '1,/^activation\t/d' | awk 'NR % 2'; } | gzip >part.gz
run completed.db --table part.gz && same_list completed.db && [ "$(answered completed.db)" -lt "$trials" ] && pass $name ||
    fail $name "$(answered completed.db) of $trials from the table" completed.db.err

name=a_part_is_completed_by_a_database
cp part.gz completed.gz && actsearch table make completed.gz completed.db -o completed.gz >/dev/null &&
    diff <(zcat whole.gz | cut -f 1-11) <(zcat completed.gz | cut -f 1-11) >difference && pass $name || fail $name 'another table' difference

refused a_file_that_is_there_is_not_overwritten 1 actsearch table make trained.db -o whole.gz -- 'there already' '--force'
refused a_table_of_other_settings_is_refused 1 actsearch run small.ini --db other.db --table whole.gz --set child.lr=0.2 -- 'child\.lr: 0\.1 -> 0\.2'
name=before_there_is_a_database
[ ! -e other.db ] && pass $name || fail $name 'other.db is there'
printf 'actsearch table 9\n' | gzip >newer.gz
refused a_newer_table_is_refused 1 actsearch run small.ini --db other.db --table newer.gz -- 'newer'
head -c 300 whole.gz >cut.gz
refused a_table_that_is_cut_short_is_refused 1 actsearch table show cut.gz -- 'cut\.gz' 'cut short'
refused a_source_that_is_not_there_is_named 1 actsearch table make whole.gz none.db -o all.gz -- 'none\.db'
zcat whole.gz | sed 's/^lr = 0.1$/lr = 0.2/' | gzip >kinds.gz
refused trainings_of_another_kind_are_not_merged 1 actsearch table make whole.gz kinds.gz -o all.gz -- 'kinds\.gz' 'child\.lr'
zcat whole.gz | sed '0,/^numerics = .*/s//numerics = 1/' | gzip >old.gz
refused a_worker_refuses_a_table_of_another_arithmetic 1 actsearch-worker "ipc://$WORK/nobody" --table old.gz -- 'numerics 1'

name=a_worker_leaves_a_coordinator_whose_trials_are_of_another_kind
start coordinator.out actsearchd small.ini --db kinds.db --bind "ipc://$WORK/kinds" --set child.lr=0.2
refused $name 1 actsearch-worker "ipc://$WORK/kinds" --table whole.gz -- 'whole\.gz' 'child\.lr'
name=and_its_trial_is_free_again_and_not_failed
await 20 at_least kinds.db "SELECT count(*) FROM attempt WHERE state = 'returned'" 1
[ "$(scalar kinds.db 'SELECT leased + failed FROM progress')" = 0 ] && pass $name ||
    fail $name "$(sqlite3 -readonly kinds.db 'SELECT state, reason FROM attempt')" coordinator.out
