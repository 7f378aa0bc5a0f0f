/* fetch: how long a lease takes while many workers fetch their data set from the coordinator at once.
 *
 * A real coordinator with keys, and COUNT processes with the worker's own parts (agent, dataset, link), each
 * with an empty cache of its own in memory, so that all of it is loopback and none of it a disk. Meanwhile
 * one worker asks for a lease and hands it back, again and again. All share this machine's cores. Figures:
 * milliseconds from REQUEST to LEASE before and meanwhile, and until all have the data set, verified.
 *
 *     fetch [COUNT MEGABYTES]               (default 50 184)
 *     fetch worker ENDPOINT KEY CACHE       (started by itself)
 */
#include "common/numerics.h"
#include "tests/bench/cluster.h"
#include "worker/agent.h"
#include "worker/dataset.h"
#include "worker/nn/data_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IDLE_MS = 2000, PATIENCE_MS = 300 * 1000, TIMES_MAX = 1 << 20, RECORD = 3 * 32 * 32 + 1 };

static char folder[] = "/dev/shm/actsearch-bench-XXXXXX";

/* ---- a worker that never trains ---- */

struct worker {
    struct key key;
    struct link *link;
    struct msg msg;
    struct buf bytes;
};

static void connect_worker(struct worker *worker, const char *endpoint, const char *key)
{
    struct problem problem = {0};
    struct link_settings settings = {.endpoint = endpoint, .key = &worker->key, .queued = 1000};
    must(key_read(key, KEY_WORKER, &worker->key, &problem) == 0, "key", problem.text);
    must(link_connect(&settings, &worker->link, &problem) == 0, "connect", problem.text);
}

static void say(struct worker *worker)
{
    buf_clear(&worker->bytes);
    msg_encode(&worker->msg, &worker->bytes);
    link_send(worker->link, 0, worker->bytes.data, worker->bytes.size);
}

static bool hear(struct worker *worker)
{
    struct link_message message;
    struct problem problem = {0};
    return link_receive(worker->link, &message) == LINK_MESSAGE &&
           msg_decode(message.data, message.size, &worker->msg, &problem) == 0;
}

static struct msg_hello hello(const char *name)
{
    struct msg_hello hello = {.version = PROTO_VERSION, .numerics = NUMERICS, .pid = getpid(), .slots = 1};
    snprintf(hello.worker, sizeof hello.worker, "%s of %d", name, (int)getpid());
    snprintf(hello.host, sizeof hello.host, "here");
    snprintf(hello.trainer, sizeof hello.trainer, "actsearch");
    return hello;
}

/* Fetches, and ends. */
static int be_worker(const char *endpoint, const char *key, const char *cache)
{
    struct worker worker = {0};
    struct problem problem = {0};
    struct msg_hello me = hello("fetcher");
    connect_worker(&worker, endpoint, key);
    struct agent *agent = agent_new(&me, rng_seed((uint64_t)getpid(), "agent", 0), now_ms());
    struct dataset *dataset = dataset_new(cache, rng_seed((uint64_t)getpid(), "dataset", 0));
    enum dataset_state state = DATASET_NONE;
    while (state != DATASET_OPEN && state != DATASET_FAILED) {
        link_news(worker.link); /* what is not taken would wake link_wait for ever */
        while (hear(&worker)) {
            if (worker.msg.type == MSG_WELCOME)
                dataset_greeted(dataset);
            else if (worker.msg.type == MSG_CHUNK)
                dataset_receive(dataset, &worker.msg.chunk_, now_ms());
            agent_receive(agent, &worker.msg, now_ms());
        }
        state = dataset_turn(dataset, now_ms());
        worker.msg.type = MSG_FETCH;
        while (agent_greeted(agent) && dataset_next(dataset, now_ms(), &worker.msg.fetch_))
            say(&worker);
        struct agent_action action;
        while (agent_next(agent, now_ms(), &action, &worker.msg))
            if (action.type == AGENT_SEND)
                say(&worker);
            else if (action.type == AGENT_DATA)
                dataset_want(dataset, action.data, action.data_hash, action.data_bytes);
        int64_t until_ms = dataset_next_ms(dataset, agent_greeted(agent));
        until_ms = until_ms < agent_next_ms(agent) ? until_ms : agent_next_ms(agent);
        const int64_t sleep_ms = until_ms - now_ms();
        link_wait(worker.link, NULL, 0, sleep_ms < 0 ? 0 : sleep_ms > 1000 ? 1000 : sleep_ms, &problem);
    }
    must(state == DATASET_OPEN, "data set", dataset_reason(dataset));
    link_destroy(&worker.link);
    return 0;
}

/* ---- one that asks for leases ---- */

static double times[TIMES_MAX];

/* The next message of that type, within PATIENCE_MS. */
static void await_message(struct worker *worker, enum msg_type type)
{
    struct problem problem = {0};
    const int64_t from_ms = now_ms();
    while (!hear(worker) || worker->msg.type != type) {
        must(now_ms() - from_ms < PATIENCE_MS, msg_type_name(type), "does not come");
        link_news(worker->link);
        link_wait(worker->link, NULL, 0, 100, &problem);
    }
}

/* One lease, handed back: milliseconds from REQUEST to LEASE. */
static double take_lease(struct worker *worker, const char *data_hash)
{
    worker->msg = (struct msg){.type = MSG_REQUEST, .request_ = {.free = 1}};
    snprintf(worker->msg.request_.data_hash, sizeof worker->msg.request_.data_hash, "%s", data_hash);
    const double from = now_seconds();
    say(worker);
    await_message(worker, MSG_LEASE);
    const double ms = 1000 * (now_seconds() - from);
    const struct msg_return back = {worker->msg.lease_.attempt, worker->msg.lease_.trial, 0};
    worker->msg = (struct msg){.type = MSG_RETURN, .return_ = back};
    say(worker);
    await_message(worker, MSG_ACK);
    return ms;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *when, int count)
{
    qsort(times, (size_t)count, sizeof *times, by_size);
    printf("  a lease takes %s: median %.2f ms, of 100 the slowest %.1f ms, the slowest of %d %.1f ms\n",
           when, times[count / 2], times[count * 99 / 100], count, times[count - 1]);
    fflush(stdout);
}

/* ---- the bench ---- */

/* Records of CIFAR's shape, so many megabytes, of random bytes. */
static struct hash make_data(const char *cache, int64_t megabytes)
{
    struct problem problem = {0};
    struct import import = {.channels = 3, .height = 32, .width = 32, .classes = 10};
    struct hash hash;
    const size_t records = (size_t)megabytes * 1000000 / RECORD;
    uint8_t *bytes = xcalloc(records, RECORD);
    random_bytes(bytes, records * (RECORD - 1));
    buf_put(&import.train.images, bytes, records * (RECORD - 1));
    buf_put(&import.train.labels, bytes + records * (RECORD - 1), records);
    buf_put(&import.test.images, bytes, RECORD - 1);
    buf_put(&import.test.labels, bytes + records * (RECORD - 1), 1);
    free(bytes);
    char *path = xasprintf("%s/.new", cache);
    must(mkdir(cache, 0700) == 0, cache, strerror(errno));
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0 && data_write(fd, path, &import, &problem) == 0, path, problem.text);
    close(fd);
    must(data_adopt(cache, "made-up", path, NULL, &hash, &problem) == 0, path, problem.text);
    buf_release(&import.train.images), buf_release(&import.train.labels);
    buf_release(&import.test.images), buf_release(&import.test.labels);
    free(path);
    return hash;
}

static double processor_seconds(pid_t pid)
{
    char *path = xasprintf("/proc/%d/stat", (int)pid);
    unsigned long user = 0, system = 0;
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &system) != 2)
            user = system = 0;
        fclose(file);
    }
    free(path);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void run(int count, int64_t megabytes)
{
    char *coordinator = beside_me("actsearchd"), *myself = beside_me("bench/fetch"),
         *endpoint = free_endpoint();
    char *database = xasprintf("%s/bench.db", folder), *file = xasprintf("%s/bench.ini", folder),
         *keys = xasprintf("%s/keys", folder), *key = key_path(keys, 0),
         *cache = xasprintf("%s/head", folder);
    char hash[HASH_HEX];
    const struct hash content = make_data(cache, megabytes);
    hash_hex(&content, hash);
    make_keys(keys, 1);
    FILE *experiment = fopen(file, "we");
    must(experiment != NULL, file, strerror(errno));
    fprintf(experiment, "[experiment]\nname = fetch\n[space]\nunits = 2\n[search]\nalgorithm = random\n"
                        "candidates = 100000\n[child]\ndata = made-up\n");
    fclose(experiment);
    char *argv[] = {coordinator, file, "--db",    database, "--bind", endpoint,
                    "--keys",    keys, "--cache", cache,    NULL};
    pid_t head = spawn(folder, argv), *workers = xcalloc((size_t)count, sizeof *workers);

    struct worker worker = {0};
    connect_worker(&worker, endpoint, key);
    worker.msg = (struct msg){.type = MSG_HELLO, .hello_ = hello("asker")};
    say(&worker);
    await_message(&worker, MSG_WELCOME);
    printf("%d workers fetch %lld MB each, with keys\n", count, (long long)megabytes);
    int done = 0;
    for (const int64_t until_ms = now_ms() + IDLE_MS; now_ms() < until_ms && done < TIMES_MAX; done++)
        times[done] = take_lease(&worker, hash);
    print_times("while nobody fetches", done);

    const double start = now_seconds(), before = processor_seconds(head);
    for (int i = 0; i < count; i++) {
        char *own = xasprintf("%s/host-%d", folder, i);
        char *worker_argv[] = {myself, "worker", endpoint, key, own, NULL};
        workers[i] = spawn(folder, worker_argv);
        free(own);
    }
    int left = count;
    for (done = 0; left > 0 && done < TIMES_MAX; done++) {
        times[done] = take_lease(&worker, hash);
        for (int status; left > 0 && waitpid(-1, &status, WNOHANG) > 0; left--)
            must(status == 0, "a worker", "failed: see the log");
    }
    print_times("meanwhile", done);
    const double seconds = now_seconds() - start;
    printf("  all have it, verified, after %.1f s: %.0f MB/s; processor time of the coordinator %.1f s\n",
           seconds, (double)count * (double)megabytes / seconds, processor_seconds(head) - before);
    end(head);
    link_destroy(&worker.link);
    buf_release(&worker.bytes);
    free(workers);
    free(coordinator), free(myself), free(endpoint), free(database), free(file), free(keys), free(key),
        free(cache);
}

int main(int argc, char **argv)
{
    int signals;
    struct problem problem = {0};
    struct statvfs room;
    must(link_take_signals(&signals, &problem) == 0, "signals", problem.text);
    if (argc == 5 && strcmp(argv[1], "worker") == 0)
        return be_worker(argv[2], argv[3], argv[4]);
    const int count = argc == 3 ? atoi(argv[1]) : 50;
    const int64_t megabytes = argc == 3 ? atoi(argv[2]) : 184;
    if (statvfs("/dev/shm", &room) != 0 ||
        (int64_t)(room.f_bavail * room.f_frsize / 1000000) < (count + 2) * megabytes) {
        printf("not run: /dev/shm has no room for %lld MB\n", (long long)(count + 2) * megabytes);
        return 0;
    }
    must(mkdtemp(folder) != NULL, folder, strerror(errno));
    run(count, megabytes);
    return remove_folder(folder);
}
