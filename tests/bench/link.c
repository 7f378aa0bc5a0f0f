/* link: how soon a whole cluster is back after a restart of the coordinator, and what its connections cost
 * it.
 *
 * A real coordinator, and real agents (worker/agent.h) with real links in processes of their own, whose
 * trainers train for ever: 2,000 with keys, all of which must be connected again, with their leases, after
 * kill -9; and 10,000 without. All share this machine's cores. Figures: seconds until all are connected and
 * leased, and the coordinator's memory.
 *
 *     link [COUNT PLAIN]                    both: so many with keys, and without (default 2000 10000)
 *     link workers ENDPOINT COUNT KEYS      (started by itself) so many workers, with KEYS/wN.key; "" without
 * keys
 */
#include "common/numerics.h"
#include "coordinator/store_read.h"
#include "tests/bench/cluster.h"
#include "worker/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PER_PROCESS = 1000, PROCESSES_MAX = 50, PATIENCE_S = 120, SWEEP_MS = 200 };

static const char DATA_HASH[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static char folder[] = "/tmp/actsearch-bench-XXXXXX";

static void rest(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* ---- workers ---- */

struct worker {
    struct key key;
    struct link *link;
    struct agent *agent;
};

static void start_worker(struct worker *worker, const char *endpoint, const char *keys, int number)
{
    struct problem problem = {0};
    struct link_settings settings = {.endpoint = endpoint, .queued = 1000};
    struct msg_hello hello = {.version = PROTO_VERSION, .numerics = NUMERICS, .pid = getpid(), .slots = 1};
    snprintf(hello.worker, sizeof hello.worker, "%d of %d", number, (int)getpid());
    snprintf(hello.host, sizeof hello.host, "here");
    snprintf(hello.trainer, sizeof hello.trainer, "actsearch");
    if (keys[0] != '\0') {
        char *path = key_path(keys, number);
        must(key_read(path, KEY_WORKER, &worker->key, &problem) == 0, "key", problem.text);
        free(path);
        settings.key = &worker->key;
    }
    must(link_connect(&settings, &worker->link, &problem) == 0, "connect", problem.text);
    worker->agent = agent_new(&hello, rng_seed((uint64_t)getpid(), "bench", (uint64_t)number), now_ms());
}

static void tend_worker(struct worker *worker, struct buf *bytes)
{
    static struct msg msg;
    struct problem problem = {0};
    struct link_message message;
    while (link_receive(worker->link, &message) == LINK_MESSAGE)
        if (msg_decode(message.data, message.size, &msg, &problem) == 0)
            agent_receive(worker->agent, &msg, now_ms());
    enum link_news news = link_news(worker->link);
    if (news == LINK_REFUSED || news == LINK_MISMATCH)
        agent_refused(worker->agent, now_ms());
    struct agent_action action;
    while (agent_next(worker->agent, now_ms(), &action, &msg)) {
        if (action.type == AGENT_SEND) {
            buf_clear(bytes);
            msg_encode(&msg, bytes);
            link_send(worker->link, 0, bytes->data, bytes->size);
        } else if (action.type == AGENT_DATA) {
            agent_data(worker->agent, action.data, DATA_HASH, NULL, now_ms());
        } else if (action.type == AGENT_RECONNECT) {
            must(link_renew(worker->link, &problem) == 0, "renew", problem.text);
        } else if (action.type == AGENT_STOP) {
            static const struct msg failure = {.type = MSG_FAILURE};
            agent_ended(worker->agent, action.slot, &failure, now_ms());
        }
    }
}

/* Until it is killed. */
static void be_workers(const char *endpoint, int count, const char *keys)
{
    struct rlimit limit;
    struct buf bytes = {0};
    struct worker *workers = xcalloc((size_t)count, sizeof *workers);
    setenv("ZSYS_MAX_SOCKETS", "60000", 1); /* of czmq; its default is 1,024 */
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < count; i++)
        start_worker(&workers[i], endpoint, keys, i);
    for (;;) {
        for (int i = 0; i < count; i++)
            tend_worker(&workers[i], &bytes);
        rest(SWEEP_MS);
    }
}

/* ---- the bench ---- */

static bool take_number(void *context, int columns, const char *const *names, const char *const *values)
{
    (void)columns, (void)names;
    *(int64_t *)context = atoll(values[0]);
    return false;
}

/* Seconds until, at the n-th start of the coordinator, so many workers are connected and hold so many leases.
 */
static double await_workers(const char *database, int64_t start_number, int64_t count, double since)
{
    struct progress_row progress = {0};
    int64_t epoch = 0;
    while (epoch < start_number || progress.workers < count || progress.leased < count) {
        struct store_reader *reader = NULL;
        struct problem problem = {0};
        if (store_reader_open(database, &reader, &problem) == 0 &&
            store_query(reader, "SELECT epoch FROM experiment", NULL, 0, take_number, &epoch, &problem) ==
                0 &&
            epoch == start_number)
            store_progress(reader, &progress, &problem);
        store_reader_close(&reader);
        if (now_seconds() - since > PATIENCE_S) {
            printf("  after %d s only %" PRId64 " connected, %" PRId64 " leased\n", PATIENCE_S,
                   progress.workers, progress.leased);
            break;
        }
        rest(100);
    }
    return now_seconds() - since;
}

static void print_memory(pid_t pid)
{
    char *path = xasprintf("/proc/%d/status", (int)pid), line[200];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            printf("  coordinator's memory at its peak: %.0f MB\n", atof(line + 6) / 1024);
    if (file)
        fclose(file);
    free(path);
}

static void run(const char *name, int count, bool with_keys)
{
    char *coordinator = beside_me("actsearchd"), *myself = beside_me("bench/link"),
         *endpoint = free_endpoint();
    char *database = xasprintf("%s/%s.db", folder, name), *file = xasprintf("%s/%s.ini", folder, name);
    char *keys = with_keys ? xasprintf("%s/keys", folder) : xstrdup(""), number[16];
    FILE *experiment = fopen(file, "we");
    must(experiment != NULL, file, strerror(errno));
    fprintf(experiment,
            "[experiment]\nname = %s\n[space]\nunits = 2\n[search]\nalgorithm = random\n"
            "candidates = 100000\n[child]\nseeds = 4\n",
            name);
    fclose(experiment);
    if (with_keys)
        make_keys(keys, count);
    char *plain_argv[] = {coordinator, file, "--db", database, "--bind", endpoint, NULL};
    char *keys_argv[] = {coordinator, file, "--db", database, "--bind", endpoint, "--keys", keys, NULL};
    char *const *argv = with_keys ? keys_argv : plain_argv;

    pid_t clients[PROCESSES_MAX], head = spawn(folder, argv);
    int processes = with_keys ? 1 : (count + PER_PROCESS - 1) / PER_PROCESS;
    must(processes <= PROCESSES_MAX, "workers", "too many");
    snprintf(number, sizeof number, "%d", count / processes);
    char *client_argv[] = {myself, "workers", endpoint, number, keys, NULL};
    double start = now_seconds();
    for (int i = 0; i < processes; i++)
        clients[i] = spawn(folder, client_argv);
    printf("%d workers %s keys\n", count, with_keys ? "with" : "without");
    printf("  connected and leased, from nothing: %.1f s\n", await_workers(database, 1, count, start));
    print_memory(head);
    if (with_keys) {
        end(head);
        start = now_seconds();
        head = spawn(folder, argv);
        printf("  connected and leased, after kill -9 and a start of the coordinator: %.1f s\n",
               await_workers(database, 2, count, start));
        print_memory(head);
    }
    fflush(stdout);
    for (int i = 0; i < processes; i++)
        end(clients[i]);
    end(head);
    free(coordinator);
    free(myself);
    free(endpoint);
    free(database);
    free(file);
    free(keys);
}

int main(int argc, char **argv)
{
    int signals;
    struct problem problem = {0};
    if (argc == 5 && strcmp(argv[1], "workers") == 0)
        be_workers(argv[2], atoi(argv[3]), argv[4]);
    must(link_take_signals(&signals, &problem) == 0, "signals", problem.text);
    must(mkdtemp(folder) != NULL, folder, strerror(errno));
    run("keys", argc == 3 ? atoi(argv[1]) : 2000, true);
    run("plain", argc == 3 ? atoi(argv[2]) : 10000, false);
    return remove_folder(folder);
}
