/* The n-th allocation fails, ours or SQLite's: the program aborts there, or goes on and is right; and what it
 * had acknowledged is on disk. (The linker gives our allocations to __wrap_…, see the Makefile.) */
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

enum { BATCHES = 3, SAMPLE = 41 };

/* Declared here, since no header does. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
int __real_vasprintf(char **ret_text, const char *format, va_list arguments);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments);

static int64_t allocations, failing; /* failing 0: none */

static bool out_of_luck(void)
{
    return ++allocations == failing;
}

void *__wrap_malloc(size_t size)
{
    return out_of_luck() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return out_of_luck() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return out_of_luck() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return out_of_luck() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **ret_text, const char *format, va_list arguments)
{
    return out_of_luck() ? -1 : __real_vasprintf(ret_text, format, arguments);
}

/* SQLite's own allocations: its usual ones, counted. */
static sqlite3_mem_methods usual;

static void *sqlite_malloc(int size)
{
    return out_of_luck() ? NULL : usual.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return out_of_luck() ? NULL : usual.xRealloc(old, size);
}

static struct experiment *experiment;
static struct rows batches[BATCHES + 1], models[BATCHES + 1];

static int set_up(void **state)
{
    static const char *const settings[] = {"search.algorithm=random", "search.candidates=25", NULL};
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual);
    sqlite3_mem_methods counted = usual;
    counted.xMalloc = sqlite_malloc;
    counted.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &counted) != SQLITE_OK || enter_folder(state) != 0)
        return -1;
    experiment = experiment_with(settings);
    struct rng rng = rng_seed(3, "memory", 0);
    models[0] = disk_new(experiment);
    for (int n = 1; n <= BATCHES; n++) {
        batches[n] = random_rows(&rng, &models[n - 1]);
        batches[n].experiment_changed = true;
        batches[n].experiment.epoch = n;
        disk_commit(&models[n], &models[n - 1]);
        disk_commit(&models[n], &batches[n]);
    }
    return 0;
}

static int tear_down(void **state)
{
    for (int n = 0; n <= BATCHES; n++) {
        rows_release(&batches[n]);
        rows_release(&models[n]);
    }
    experiment_destroy(&experiment);
    return leave_folder(state);
}

/* All that a coordinator does with its store, in a process whose n-th allocation fails. Says on `out` what is
 * acknowledged. */
static _Noreturn void use_store(int64_t n, int out)
{
    struct store *store = NULL;
    struct problem problem;
    struct rows restored = {0};
    allocations = 0;
    failing = n;
    if (store_open("memory.db", experiment, &store, &problem) != 0 ||
        store_restore(store, &restored, &problem) != 0)
        _exit(1);
    for (char i = 1; i <= BATCHES; i++)
        if (store_write(store, &batches[(int)i], &problem) != 0 || write(out, &i, 1) != 1)
            _exit(1);
    rows_release(&restored);
    if (store_restore(store, &restored, &problem) != 0)
        _exit(1);
    store_close(&store);
    _exit(allocations < n ? 7 : 0);
}

static void assert_holds(int low, int high)
{
    struct store *store = open_store("memory.db", experiment);
    struct rows rows = restore_store(store);
    store_close(&store);
    int n = (int)rows.experiment.epoch;
    assert_in_range(n, low, high);
    struct rows expected = disk_read(&models[n]);
    assert_same_rows(&rows, &expected);
    rows_release(&rows);
    rows_release(&expected);
}

static void any_allocation_may_fail_and_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    const char *wanted = getenv("ACTSEARCH_FIRE");
    int64_t step = wanted && strcmp(wanted, "all") == 0 ? 1 : SAMPLE, aborted = 0, borne = 0;
    bool more = true;
    for (int64_t n = 1; more; n += step) {
        int said[2], status;
        char acknowledged = 0;
        remove_database("memory.db");
        assert_int_equal(pipe(said), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            use_store(n, said[1]);
        }
        close(said[1]);
        while (read(said[0], &acknowledged, 1) == 1)
            continue;
        close(said[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        bool abort_seen = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        if (!abort_seen && !(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7)))
            fail_msg("allocation %lld failed: %s %d", (long long)n,
                     WIFSIGNALED(status) ? "signal" : "exit status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        more = abort_seen || WEXITSTATUS(status) == 0;
        aborted += abort_seen;
        borne += more && !abort_seen;
        if (there_is("memory.db"))
            assert_holds(acknowledged,
                         abort_seen && acknowledged < BATCHES ? acknowledged + 1 : acknowledged);
        else
            assert_int_equal(acknowledged, 0);
    }
    print_message("%lld aborted, %lld did without\n", (long long)aborted, (long long)borne);
    assert_true(aborted > 100);
}

static void fail_one(void (*allocate)(void))
{
    pid_t child = fork();
    int status;
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        allocations = 0;
        failing = 1;
        allocate();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void *volatile kept; /* so that no allocation is left out by the compiler */

static void try_calloc(void)
{
    kept = xcalloc(1, 1);
}

static void try_realloc(void)
{
    kept = xrealloc(NULL, 1, 1);
}

static void try_strdup(void)
{
    kept = xstrdup("a");
}

static void try_asprintf(void)
{
    kept = xasprintf("%d", 1);
}

static void our_own_allocations_abort_where_there_is_no_memory(void **state)
{
    (void)state;
    fail_one(try_calloc);
    fail_one(try_realloc);
    fail_one(try_strdup);
    fail_one(try_asprintf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail_and_nothing_acknowledged_is_lost),
        cmocka_unit_test(our_own_allocations_abort_where_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
