#!/usr/bin/env bash
# check and backup: by hand, on a database that is whole, one that is damaged, and one that a coordinator writes.
. "$(dirname "$0")/lib.sh"
cat >small.ini <<'INI'
[experiment]
name = check
seed = 4
[space]
units = 2
[search]
algorithm = random
candidates = 300
[child]
seeds = 5
INI
socket=ipc://$WORK/socket
refused check_wants_a_database 2 actsearch check -- 'DB'
refused backup_wants_two_names 2 actsearch backup a.db -- 'FILE'
refused no_such_database 1 actsearch check none.db -- 'none\.db'
refused no_such_database_to_copy 1 actsearch backup none.db copy.db -- 'none\.db'
name=neither_makes_a_file
[ -z "$(ls ./*.db* 2>/dev/null)" ] && pass $name || fail $name "$(ls ./*.db*)"

start coordinator.log actsearchd small.ini --db live.db --bind "$socket"; coordinator=$!
start workers.log "$BUILD/soak/workers" "$socket" 2 2
name=copies_made_while_it_is_written_are_whole
await 60 at_least live.db 'SELECT done FROM progress' 1
bad= copies=0
while [ $copies -lt 3 ] || { ! gone $coordinator && [ $copies -lt 30 ]; }; do
    actsearch backup live.db copy.db --force >copy.out 2>&1 && actsearch check copy.db >check.out 2>&1 || { bad=$(cat copy.out check.out); break; }
    [ -z "$(ls copy.db-* 2>/dev/null)" ] || bad=$(ls copy.db-*)
    copies=$((copies + 1))
done
[ -z "$bad" ] && pass $name || fail $name "$bad"
await 120 gone $coordinator

refused a_whole_database_passes 0 actsearch check live.db -- 'live\.db is whole' 'figures +ok' 'start +ok'
name=json_says_the_same
actsearch check live.db --json >check.json
[ "$(sqlite3 :memory: "SELECT json_extract(readfile('check.json'), '$.whole')")" = 1 ] && pass $name || fail $name 'not so' check.json
refused an_existing_file_is_not_overwritten 1 actsearch backup live.db copy.db -- 'copy\.db' '--force'
name=a_coordinator_takes_the_copy_for_the_database
actsearch backup live.db copy.db --force && timeout 60 actsearchd small.ini --db copy.db --bind "$socket" >again.log 2>&1 && pass $name || fail $name 'refused' again.log
name=it_ranks_as_the_original
actsearch rank live.db --stable >live.list; actsearch rank copy.db --stable >copy.list
[ -s live.list ] && cmp -s live.list copy.list && pass $name || fail $name 'another list' copy.list

sqlite3 copy.db 'UPDATE candidate SET accuracy_mean = accuracy_mean / 2 WHERE id = 7'
refused a_figure_that_was_changed_is_found 1 actsearch check copy.db -- 'figures +WRONG' 'candidate 7, .*accuracy_mean' 'copy\.db is damaged'
refused and_in_json 1 actsearch check copy.db --json -- '"whole": ?false' 'accuracy_mean'
head -c 5000 live.db >cut.db
refused a_file_that_was_cut_is_damaged 1 actsearch check cut.db -- 'cut\.db'
