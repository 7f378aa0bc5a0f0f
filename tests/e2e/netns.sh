#!/usr/bin/env bash
# Three machines made of network namespaces: the coordinator on one, a worker on each of two others, over TCP; the cable of one is
# pulled on the way. The list is that of a run on one machine. Needs root (ip netns).
. "$(dirname "$0")/lib.sh"
name=three_machines_give_the_list_of_one
require_data fashion-mnist
head=actsearch-$$-head one=actsearch-$$-one two=actsearch-$$-two
machines $head $one $two || { skipped $name "$(head -n 1 netns.err)"; exit 0; }

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
