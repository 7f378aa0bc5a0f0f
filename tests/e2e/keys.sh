#!/usr/bin/env bash
# Keys: whoever has one that is in the allow-list takes part, nobody else gets a word; the list may change at any time; a worker is
# its key's alone; no secret is to be seen anywhere but in its file.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment long.ini '[queue]' 'lease = 3s' 'heartbeat = 300ms'
sed -i 's/^candidates = .*/candidates = 100000/; s/^algorithm = .*/algorithm = random/; s/^units = .*/units = 2/' long.ini
export ACTSEARCH_CACHE=$WORK/cache

# ---- keygen
name=keygen_makes_files_that_only_their_owner_can_read
actsearch keygen keys --worker one --worker two --worker three >keygen.out 2>&1 &&
    [ "$(stat -c %a keys keys/workers | sort -u)" = 700 ] && [ "$(stat -c %a keys/*.key keys/workers/*.pub | sort -u)" = 600 ] && pass $name ||
    fail $name "$(stat -c '%a %n' keys keys/* keys/workers/*)" keygen.out
name=keygen_again_adds_a_worker_and_changes_nothing
cat keys/*.key keys/workers/* | sha256sum >before
actsearch keygen keys >>keygen.out 2>&1 && [ -f keys/worker.key ] && [ -f keys/workers/worker.pub ] && mkdir aside && mv keys/worker.key keys/workers/worker.pub aside &&
    cat keys/*.key keys/workers/* | sha256sum | cmp -s - before && pass $name || fail $name 'it does not' keygen.out
name=keygen_says_it_in_json_too
actsearch keygen more --worker one --worker two --json >more.json 2>&1 &&
    [ "$(sqlite3 :memory: "SELECT json_extract(readfile('more.json'), '\$.workers[1].name') || length(json_extract(readfile('more.json'), '\$.server_public_key'))")" = two40 ] &&
    pass $name || fail $name 'not so' more.json
refused keygen_does_not_overwrite_a_workers_key 1 actsearch keygen keys --worker one -- 'one\.pub' 'already'
refused keygen_refuses_a_name_that_is_a_path 2 actsearch keygen keys --worker ../one -- 'no name' 'letters'
refused keygen_wants_a_folder 2 actsearch keygen -- 'DIR'
actsearch keygen other --worker one >>keygen.out 2>&1 # another coordinator's

# ---- command lines and files
refused keys_and_insecure_exclude_each_other 2 actsearchd long.ini --keys keys --insecure -- '--keys' '--insecure' 'exclude'
refused so_they_do_for_a_worker 2 actsearch-worker tcp://127.0.0.1:1 --key keys/one.key --insecure -- '--key' '--insecure' 'exclude'
refused other_hosts_need_keys_or_a_word 2 actsearchd long.ini --db none.db --bind 'tcp://*:0' -- '--keys' '--insecure' 'keygen'
refused a_worker_elsewhere_needs_a_key_or_a_word 2 actsearch-worker tcp://192.0.2.1:5570 -- '--key' '--insecure'
refused a_folder_without_keys 1 actsearchd long.ini --db none.db --keys nowhere --bind tcp://127.0.0.1:0 -- 'nowhere/server\.key' 'keygen nowhere'
refused no_such_key_file 1 actsearch-worker tcp://127.0.0.1:1 --key none.key -- 'none\.key'
refused a_coordinators_key_is_no_workers 1 actsearch-worker tcp://127.0.0.1:1 --key keys/server.key -- 'server\.key' "a worker's pair" "coordinator's pair"
refused a_public_key_is_no_workers 1 actsearch-worker tcp://127.0.0.1:1 --key keys/workers/one.pub -- 'one\.pub' "a worker's pair"
cp keys/one.key lax.key && chmod 640 lax.key
refused a_key_that_others_can_read 1 actsearch-worker tcp://127.0.0.1:1 --key lax.key -- 'lax\.key' '0640' 'chmod 600'
cp -r keys open && chmod 644 open/server.key
refused a_coordinators_key_that_others_can_read 1 actsearchd long.ini --db none.db --keys open --bind tcp://127.0.0.1:0 -- 'open/server\.key' 'chmod 600'
chmod 600 open/server.key && chmod 777 open/workers
refused an_allow_list_that_others_can_write 1 actsearchd long.ini --db none.db --keys open --bind tcp://127.0.0.1:0 -- 'open/workers' 'chmod go-w'
# ---- the door
coordinator() { # OUTPUT BIND…
    local output=$1; shift
    start "$output" actsearchd long.ini --db keys.db --keys keys "$@"
    coordinator=$!
}
port() { ss -ltnpH | grep "pid=$1," | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1 | grep .; }
mv keys/workers/two.pub keys/workers/three.pub aside # not allowed at first
coordinator head.log --bind tcp://127.0.0.1:0
await 30 port "$coordinator" || { fail the_coordinator_listens 'it does not' head.log; exit 1; }
endpoint=tcp://$(port "$coordinator")
row() { echo "FROM worker WHERE pid = $1"; }
known() { at_least keys.db "SELECT count(*) $(row "$1")" 1; }

start one.log actsearch-worker "$endpoint" --key keys/one.key --slots 1; one=$!
await 60 at_least keys.db "SELECT results $(row $one)" 3 && pass a_worker_with_an_allowed_key_works || fail a_worker_with_an_allowed_key_works 'no results' one.log

# Each of these keeps trying; that it gets nothing shows in the database, in which only a worker that was welcome has a row.
start plain.log actsearch-worker "$endpoint" --slots 1; plain=$!
start stranger.log actsearch-worker "$endpoint" --key other/one.key --slots 1; stranger=$!
start two.log actsearch-worker "$endpoint" --key keys/two.key --slots 1; two=$!
says() { # NAME PID FILE PATTERN
    await 30 grep -qE "$4" "$3" && kill -0 "$2" && ! known "$2" && pass "$1" || fail "$1" "known: $(known "$2" && echo yes || echo no)" "$3"
}
says a_worker_without_a_key_gets_nothing_and_says_so $plain plain.log 'asks? for a key.*--key FILE'
says a_worker_of_another_coordinator_gets_nothing_and_says_so $stranger stranger.log 'is it the coordinator of the key file'
says a_worker_that_is_not_in_the_allow_list_gets_nothing_and_says_so $two two.log "not accepted: is the key in the coordinator's allow-list"
"$BUILD/e2e/peer" worker "$endpoint" 1 >peer.out 2>&1 && fail a_peer_without_encryption_gets_no_word 'it was answered' peer.out || pass a_peer_without_encryption_gets_no_word
"$BUILD/e2e/peer" worker "$endpoint" 1 keys/three.key >peer.out 2>&1 && fail a_peer_with_a_strange_key_gets_no_word 'it was answered' peer.out || pass a_peer_with_a_strange_key_gets_no_word

# ---- the list changes
mv aside/two.pub keys/workers/
await 60 at_least keys.db "SELECT results $(row $two)" 1 && pass a_key_that_is_added_while_it_runs_is_accepted || fail a_key_that_is_added_while_it_runs_is_accepted 'no results' two.log
mv keys/workers/two.pub aside/
name=a_key_that_is_removed_is_cut_off
await 20 at_least keys.db "SELECT NOT connected $(row $two)" 1 &&
    await 20 at_least keys.db "SELECT NOT EXISTS (SELECT 1 FROM attempt JOIN worker ON worker.id = attempt.worker WHERE pid = $two AND state = 'leased')" 1 &&
    pass $name || fail $name 'it is connected' head.log
name=its_connections_are_closed_and_it_gets_nothing_more
results=$(scalar keys.db "SELECT results $(row $two)")
others=$(scalar keys.db "SELECT results $(row $one)")
none_of() { # no TCP connection of that process to the coordinator
    [ "$(ss -tnH state established "dport = :${endpoint##*:}" -p | grep -c "pid=$1,")" = 0 ]
}
await 20 none_of $two && await 60 at_least keys.db "SELECT results $(row $one)" $((others + 5)) && none_of $two && ! none_of $one &&
    [ "$(scalar keys.db "SELECT results $(row $two)")" = "$results" ] && pass $name || fail $name "$(ss -tnpH)" two.log
mv aside/two.pub keys/workers/
await 60 at_least keys.db "SELECT results $(row $two)" $((results + 1)) && pass a_key_that_is_put_back_goes_on || fail a_key_that_is_put_back_goes_on 'no results' two.log
name=a_file_that_is_no_key_harms_nobody
echo nonsense >keys/workers/nonsense && cp keys/one.key keys/workers/secret.pub
others=$(scalar keys.db "SELECT results $(row $one)")
await 30 grep -q 'secret\.pub.*a public key alone' head.log && await 60 at_least keys.db "SELECT results $(row $one)" $((others + 3)) && pass $name || fail $name 'no results' head.log
rm keys/workers/nonsense keys/workers/secret.pub

# ---- a restart
name=a_worker_is_the_same_after_a_restart_of_the_coordinator
kill -KILL "$coordinator"; wait "$coordinator" 2>/dev/null
others=$(scalar keys.db "SELECT results $(row $one)") workers=$(scalar keys.db 'SELECT count(*) FROM worker')
coordinator again.log --bind "$endpoint"
await 60 at_least keys.db "SELECT results $(row $one)" $((others + 3)) && [ "$(scalar keys.db 'SELECT count(*) FROM worker')" = "$workers" ] && pass $name ||
    fail $name "$(scalar keys.db 'SELECT count(*) FROM worker') workers" again.log

# ---- secrets
name=no_secret_is_in_a_command_line_a_log_or_the_database
sed -n 's/.*secret-key = "\(.*\)"/\1/p' keys/*.key other/*.key aside/*.key >secrets
[ "$(wc -l <secrets)" -ge 6 ] || fail $name 'the test found no secrets to look for'
for process in $coordinator $one $two $plain $stranger; do cat "/proc/$process/cmdline" "/proc/$process/environ"; done >processes
grep -alFf secrets processes ./*.log ./*.out keys.db* >leaks && fail $name 'found in these files' leaks || pass $name
kill "$one" "$two" "$plain" "$stranger" "$coordinator"

# ---- identity
cp -r keys thieves && cp aside/three.pub thieves/workers/
start thieves.log actsearchd long.ini --db thieves.db --keys thieves --bind "ipc://$WORK/door"
await 30 test -S door || fail the_coordinator_listens_at_a_path 'it does not' thieves.log
name=another_key_cannot_report_for_a_worker_or_take_its_place
timeout 60 "$BUILD/e2e/peer" thief "ipc://$WORK/door" keys/one.key keys/three.key >thief.out 2>&1
[ "$(grep -c . thief.out)" = 2 ] && grep -q 'thief: stale' thief.out && grep -q 'owner: ack' thief.out && pass $name || fail $name 'other answers' thief.out
