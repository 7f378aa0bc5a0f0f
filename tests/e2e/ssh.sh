#!/usr/bin/env bash
# scripts/launch/ssh: workers on the machines of a list, through a real sshd of this test's own on loopback.
. "$(dirname "$0")/lib.sh"
launch=$ROOT/scripts/launch/ssh
refused an_action_is_expected 2 "$launch" begin hosts tcp://127.0.0.1:1 -- 'expected start, status or stop' 'usage'
refused the_list_must_be_there 2 "$launch" status hosts -- 'hosts cannot be read'
printf '# nobody\n\n' >empty
refused a_list_names_a_host 2 "$launch" status empty -- 'empty names no host'
sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || { skipped ssh 'needs sshd (package openssh-server)'; exit 0; }
[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || { skipped ssh 'needs root, for an sshd of its own'; exit 0; }
require_data fashion-mnist
export ACTSEARCH_CACHE=$WORK/cache
small_experiment long.ini '[queue]' 'lease = 3s' 'heartbeat = 300ms'
sed -i 's/^candidates = .*/candidates = 100000/; s/^algorithm = .*/algorithm = random/; s/^units = .*/units = 2/' long.ini

# An sshd with keys of its own, in a mount namespace with its own /run.
port=$((20000 + $$ % 20000))
ssh-keygen -q -t ed25519 -N '' -f host_key && ssh-keygen -q -t ed25519 -N '' -f user_key && cp user_key.pub allowed
cat >sshd_config <<CONFIG
ListenAddress 127.0.0.1:$port
HostKey $WORK/host_key
AuthorizedKeysFile $WORK/allowed
PasswordAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PidFile none
CONFIG
cat >ssh_config <<CONFIG
Host node-1 node-2 node-3
    HostName 127.0.0.1
    Port $port
    User $(id -un)
    IdentityFile $WORK/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $WORK/known
    StrictHostKeyChecking accept-new
Host nowhere
    HostName 127.0.0.1
    Port 1
CONFIG
start sshd.log unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$0" -D -e -f "$1"' "$sshd" "$WORK/sshd_config"
export SSH="ssh -F $WORK/ssh_config -o BatchMode=yes -o ConnectTimeout=10"
await 20 $SSH node-1 true || { skipped ssh "its sshd does not answer: $(tail -n 1 sshd.log)"; exit 0; }

actsearch keygen keys >/dev/null 2>&1
start head.log actsearchd long.ini --keys keys --bind tcp://127.0.0.1:0; coordinator=$!
listens() { ss -ltnpH | grep "pid=$coordinator," | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1 | grep .; }
await 30 listens || { fail the_coordinator_listens 'it does not' head.log; exit 1; }
endpoint=tcp://$(listens)
process() { cut -d' ' -f1 "on-$1/worker.pid"; }
works() { at_least long.db "SELECT results FROM worker WHERE pid = $(process "$1")" 1; }
printf '# two machines\nnode-1 1\nnode-2 2\n' >hosts
common=(--dir "$WORK/on-%h")

name=workers_start_on_every_machine_of_the_list
"$launch" start hosts "$endpoint" --key keys/worker.key --program "$BUILD/actsearch-worker" "${common[@]}" -- --cache "$WORK/cache" >start.out 2>&1; status=$?
for node in node-1 node-2; do [ ! -f on-$node/worker.pid ] || started+=("$(process $node)"); done
[ $status = 0 ] && [ "$(grep -c 'started, process' start.out)" = 2 ] && await 60 works node-1 && await 60 works node-2 && pass $name ||
    fail $name "exit status $status" start.out
name=with_as_many_slots_as_the_list_says
[ "$(scalar long.db "SELECT slots FROM worker WHERE pid = $(process node-2)")" = 2 ] && pass $name || fail $name 'not so'
name=the_key_is_readable_by_its_owner_alone
[ "$(stat -c %a on-node-1/worker.key)" = 600 ] && pass $name || fail $name "$(stat -c %a on-node-1/worker.key)"
name=starting_again_starts_nothing
before=$(process node-1)
"$launch" start hosts "$endpoint" --key keys/worker.key --program "$BUILD/actsearch-worker" "${common[@]}" >again.out 2>&1 &&
    [ "$(grep -c 'runs already' again.out)" = 2 ] && [ "$(process node-1)" = "$before" ] && pass $name || fail $name 'it does' again.out
name=status_tells_what_runs
"$launch" status hosts "${common[@]}" >status.out 2>&1 && [ "$(grep -c 'runs, process' status.out)" = 2 ] && pass $name || fail $name 'it does not' status.out
name=one_machine_that_cannot_be_reached_does_not_keep_the_others
printf 'nowhere\nnode-1 1\nnode-2 2\n' >more
"$launch" status more "${common[@]}" >more.out 2>&1; status=$?
[ $status = 1 ] && grep -q '^nowhere: ' more.out && [ "$(grep -c 'runs, process' more.out)" = 2 ] && pass $name || fail $name "exit status $status" more.out
name=a_program_that_is_not_there_is_told
printf 'node-3\n' >third
"$launch" start third "$endpoint" --program no-such-worker "${common[@]}" >third.out 2>&1; status=$?
[ $status = 1 ] && grep -q 'node-3: no no-such-worker there' third.out && pass $name || fail $name "exit status $status" third.out
name=stop_ends_them_and_hands_back_what_they_held
"$launch" stop hosts "${common[@]}" >stop.out 2>&1 && [ "$(grep -c stopped stop.out)" = 2 ] && gone "$before" &&
    await 10 at_least long.db 'SELECT workers = 0 AND leased = 0 FROM progress' 1 && pass $name || fail $name 'not so' stop.out
name=a_process_id_that_is_anothers_by_now_is_left_alone
sleep 1000 & started+=($!); other=$!
echo "$other 1" >on-node-1/worker.pid
"$launch" stop hosts "${common[@]}" >stop.out 2>&1 && ! gone $other && pass $name || fail $name 'it was ended' stop.out
