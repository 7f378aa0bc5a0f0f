#!/usr/bin/env bash
# Three machines made of network namespaces: the coordinator on one, a worker on each of two others, over TCP; the cable of one is
# pulled on the way. The list is that of a run on one machine. Needs root (ip netns).
. "$(dirname "$0")/lib.sh"
name=three_machines_give_the_list_of_one
if [ "$(id -u)" != 0 ]; then skipped $name 'needs root, for ip netns'; exit 0; fi
if ! command -v ip >/dev/null; then skipped $name 'needs ip (package iproute2)'; exit 0; fi
require_data fashion-mnist

head=actsearch-$$-head one=actsearch-$$-one two=actsearch-$$-two
take_down() {
    finish
    local space
    for space in $head $one $two; do ip netns del "$space" 2>/dev/null; done # the cables go with them
}
trap take_down EXIT
if ! ip netns add $head 2>netns.err; then skipped $name "ip netns: $(head -n 1 netns.err)"; exit 0; fi

# cable SPACE NUMBER: joins it with the head: 10.213.NUMBER.1 is the head there, .2 the other end
cable() {
    ip -n $head link add "to$2" type veth peer name uplink netns "$1" &&
        ip -n $head address add "10.213.$2.1/24" dev "to$2" && ip -n $head link set "to$2" up &&
        ip -n "$1" address add "10.213.$2.2/24" dev uplink && ip -n "$1" link set uplink up && ip -n "$1" link set lo up
}
{ ip netns add $one && ip netns add $two && cable $one 1 && cable $two 2; } 2>netns.err || { skipped $name "$(head -n 1 netns.err)"; exit 0; }

small_experiment small.ini '[queue]' 'lease = 3s' 'heartbeat = 500ms'
sed -i 's/^steps = .*/steps = 60/; s/^candidates = .*/candidates = 40/' small.ini
actsearch run small.ini --db local.db -q >local.out 2>&1 || { fail a_local_run_ends 'it failed' local.out; exit 1; }
actsearch rank local.db --stable >local.list

refused other_machines_need_a_word 2 ip netns exec $head actsearchd small.ini --db apart.db --bind 'tcp://*:5570' -- 'insecure'
refused so_they_do_for_a_worker 2 ip netns exec $one actsearch-worker tcp://10.213.1.1:5570 -- 'insecure'

start head.log ip netns exec $head actsearchd small.ini --db apart.db --bind 'tcp://*:5570' --insecure
coordinator=$!
start one.log ip netns exec $one actsearch-worker tcp://10.213.1.1:5570 --insecure
worker=$!
start two.log ip netns exec $two actsearch-worker tcp://10.213.2.1:5570 --insecure
other=$!

await 60 at_least apart.db 'SELECT count(*) FROM worker WHERE results > 0' 2 && pass both_machines_have_results || fail both_machines_have_results 'one has none' head.log
ip -n $two link set uplink down
await 30 at_least apart.db "SELECT count(*) FROM worker WHERE connected = 0 AND (SELECT finished_because FROM experiment) = ''" 1 && pass a_machine_whose_cable_is_pulled_is_missed ||
    fail a_machine_whose_cable_is_pulled_is_missed "$(sqlite3 -line apart.db 'SELECT * FROM worker')" head.log
ip -n $two link set uplink up

if await 120 gone $coordinator && wait $coordinator; then
    actsearch rank apart.db --stable >apart.list
    cmp -s apart.list local.list && pass $name || { diff local.list apart.list >difference; fail $name 'another list' difference; }
else
    fail $name 'the coordinator has not ended' head.log
fi
name=the_workers_leave_when_all_is_done
await 60 gone $worker && await 60 gone $other && pass $name || fail $name 'one is still there' two.log
