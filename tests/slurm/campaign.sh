#!/usr/bin/env bash
# A search on a real Slurm of this test's own: three nodes on loopback, an array job of 12 workers, two of them preempted by a job of
# more weight, one node killed with all that runs on it. The ranked list must be that of the same search on one machine.
. "$(dirname "$0")/../e2e/lib.sh"
sbatch=$ROOT/scripts/launch/slurm.sbatch
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd sbatch munged; do
    command -v $program >/dev/null || { skipped slurm "needs $program (packages slurmctld slurmd slurm-client munge)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { skipped slurm 'needs root, as slurmd does'; exit 0; }
require_data fashion-mnist

# ---- a cluster in this folder, ended by the process ids that it leaves there
host=$(hostname -s) port=$((21000 + $$ % 10000))
chmod 755 "$WORK"
mkdir -p state log run munge spool
chown munge: munge && chmod 711 munge
pids() { cat "$WORK"/run/*.pid "$WORK/munge/pid" 2>/dev/null; }
steps() { # [NODE]: what Slurm has started there: the processes that carry its name, and those that keep them
    local environment id keeper
    for environment in /proc/[0-9]*/environ; do
        { tr '\0' '\n' <"$environment" | grep -cxE "SLURM_CONF=$WORK/slurm.conf|SLURMD_NODENAME=${1:-n[1-3]}"; } 2>/dev/null | grep -qx 2 || continue
        id=${environment#/proc/}; id=${id%/environ}
        echo "$id"
        keeper=$(ps -o ppid= -p "$id" | tr -d ' ')
        [ -z "$keeper" ] || [[ $(ps -o args= -p "$keeper") != slurmstepd* ]] || echo "$keeper"
    done | sort -un
}
keepers() { # the processes of Slurm that keep those, whether they still have some or not
    local id
    for id in $(pgrep -x slurmstepd); do
        tr '\0' '\n' <"/proc/$id/environ" 2>/dev/null | grep -qxF "SLURM_CONF=$SLURM_CONF" && echo "$id"
    done
}
cluster_down() {
    local pid
    scancel --state=PENDING,RUNNING --user=root 2>/dev/null
    await 15 idle
    for pid in $(steps) $(pids); do kill -TERM "$pid" 2>/dev/null; done
    await 5 ended_all
    for pid in $(steps) $(keepers) $(pids); do kill -KILL "$pid" 2>/dev/null; done
}
idle() { [ -z "$(squeue -h 2>/dev/null)" ]; }
ended_all() { local pid; for pid in $(pids); do gone "$pid" || return 1; done; }
trap 'cluster_down >/dev/null 2>&1; finish' EXIT

dd if=/dev/urandom of=munge/key bs=128 count=1 status=none && chown munge: munge/key && chmod 400 munge/key
runuser -u munge -- munged --socket="$WORK/munge/s" --key-file="$WORK/munge/key" --pid-file="$WORK/munge/pid" \
    --log-file="$WORK/munge/log" --seed-file="$WORK/munge/seed" --force >munge.out 2>&1 || { skipped slurm "munged: $(tail -n 1 munge.out)"; exit 0; }
cat >slurm.conf <<CONF
ClusterName=campaign
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$WORK/munge/s
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation=$WORK/state
SlurmdSpoolDir=$WORK/spool/%n
SlurmctldPidFile=$WORK/run/ctld.pid
SlurmdPidFile=$WORK/run/%n.pid
SlurmctldLogFile=$WORK/log/ctld.log
SlurmdLogFile=$WORK/log/%n.log
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=20
InactiveLimit=0
MinJobAge=600
KillWait=10
Waittime=0
SlurmdParameters=config_overrides
NodeName=n[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 3))] CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=usual Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
export SLURM_CONF=$WORK/slurm.conf
slurmctld -f "$SLURM_CONF" -c >ctld.out 2>&1
for node in n1 n2 n3; do mkdir -p spool/$node; slurmd -f "$SLURM_CONF" -N $node >$node.out 2>&1; done
all_idle() { [ "$(sinfo -h -p usual -o '%T %D')" = 'idle 3' ]; }
await 60 all_idle || { skipped slurm "its Slurm does not come up: $(tail -n 1 log/ctld.log)"; exit 0; }

# ---- the search
small_experiment search.ini '[queue]' 'lease = 6s' 'heartbeat = 1s' 'attempts = 20'
sed -i 's/^candidates = .*/candidates = 60/; s/^batch = 8/batch = 20/; s/^model = .*/model = cnn/; s/^steps = .*/steps = 200/; s/^units = 1/units = 2/' search.ini
actsearch keygen keys >keygen.out 2>&1
start head.log actsearchd search.ini --db slurm.db --keys keys --bind tcp://127.0.0.1:0; coordinator=$!
listens() { ss -ltnpH | grep "pid=$coordinator," | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1 | grep .; }
await 60 listens || { fail the_coordinator_listens 'it does not' head.log; exit 1; }
export ACTSEARCH_CACHE=$WORK/cache
began=$(date +%s)
job=$(sbatch --parsable --array=1-12 --output="$WORK/log/worker-%a.log" "$sbatch" "tcp://$(listens)" "$WORK/keys/worker.key" --give-up 20s) ||
    { fail an_array_job_starts 'sbatch refuses it'; exit 1; }
done_at_least() { at_least slurm.db 'SELECT done + diverged FROM progress' "$1"; }
running() { squeue -h -t RUNNING -j "$job" -o %i | wc -l; }
workers_are() { [ "$(scalar slurm.db 'SELECT workers FROM progress')" = "$1" ]; }

name=an_array_job_starts_12_workers_on_three_nodes
await 120 workers_are 12 && [ "$(squeue -h -t RUNNING -j "$job" -o %N | sort | uniq -c | awk '{print $1}' | tr '\n' ' ')" = '4 4 4 ' ] && pass $name ||
    fail $name "$(squeue -h -j "$job")" head.log

name=two_workers_are_preempted_and_queued_again
await 120 done_at_least 2
sbatch --parsable --partition=urgent --nodes=2 --ntasks-per-node=1 --output=/dev/null --wrap='sleep 8' >/dev/null # a CPU on each of two nodes
preempted() { [ "$(scontrol show job "$job" | grep -cE 'Restarts=[1-9]')" -ge "$1" ]; }
await 60 preempted 2 && pass $name || fail $name "$(scontrol show job "$job" | grep -E 'Restarts=' | sort | uniq -c)"
name=they_hand_back_what_they_held
await 20 at_least slurm.db "SELECT count(*) FROM attempt WHERE state = 'returned'" 1 && pass $name || fail $name 'nothing was returned'

name=a_node_dies_with_all_that_runs_on_it
await 120 done_at_least 10
victims=$(steps n3)
[ "$(echo "$victims" | wc -w)" -ge 2 ] && kill -KILL "$(cat run/n3.pid)" $victims && pass $name || fail $name "it runs nothing: '$victims'"
name=slurm_notices_and_queues_its_workers_again
node_is_down() { sinfo -h -n n3 -o %T | grep -q '^down'; }
await 120 node_is_down && await 30 preempted 3 && pass $name || fail $name "$(sinfo -h -o '%n %T')"

name=the_search_comes_to_its_end
await 400 gone $coordinator; ended $coordinator; status=$?
[ $status = 0 ] && pass $name || { fail $name "exit status $status" head.log; exit 1; }
echo "    $(scalar slurm.db "SELECT count(*) FROM trial") trials, $(scalar slurm.db "SELECT count(*) FROM attempt") attempts, $(scalar slurm.db \
    "SELECT count(*) FROM attempt WHERE state = 'returned'") handed back, $(scalar slurm.db "SELECT count(*) FROM attempt WHERE state = 'lapsed'") lapsed, $(($(date +%s) - began)) s"
name=all_workers_end_by_themselves
scancel --state=PENDING "$job" # Slurm lets those that it queues again wait for two minutes first
await 60 idle && pass $name || fail $name "$(squeue -h)"
name=the_ranked_list_is_that_of_one_machine
actsearch rank slurm.db --stable >slurm.list 2>&1
timeout 600 actsearch run search.ini --db local.db >run.out 2>&1 </dev/null && actsearch rank local.db --stable >local.list 2>&1 &&
    [ "$(wc -l <local.list)" -gt 50 ] && cmp slurm.list local.list && pass $name || fail $name 'it is another' run.out
