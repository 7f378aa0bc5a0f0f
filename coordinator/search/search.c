/* search: numbers the proposals, knows which are open, and frames the saved state; the rest is up to the
 * algorithm.
 *
 * A saved state: magic, version, identity of the experiment, proposals made, number and list of the open
 * ones, the algorithm's part, and a hash of all that came before. A saved model: another magic, version,
 * identity, the algorithm's part, and the hash.
 */
#include "coordinator/search/algorithm.h"

#include "common/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_MAGIC = 0x48435253 /* "SRCH" */, MODEL_MAGIC = 0x4c444f4d /* "MODL" */, STATE_VERSION = 4 };

static const struct search_algorithm *const algorithms[] = {
#define ALGORITHM_ROW(id, row) [id] = &(row),
    ALGORITHM_TABLE(ALGORITHM_ROW)
#undef ALGORITHM_ROW
};

struct search {
    const struct search_algorithm *algorithm;
    void *state; /* the algorithm's own */
    bool asynchronous;
    uint64_t identity; /* of all that the search depends on */
    uint64_t proposals;
    uint64_t *open; /* numbers of the proposals without a reward, ascending */
    size_t open_count, open_capacity;
};

/* A hash of what the course of a search depends on, its rewards apart: the algorithm, its settings, and the
 * shape of the space. */
static uint64_t identity_of(const struct experiment *experiment, const struct space *space)
{
    struct buf buf = {0};
    buf_put(&buf, algorithms[experiment->search.algorithm]->name,
            strlen(algorithms[experiment->search.algorithm]->name));
    buf_put_u64(&buf, experiment->seed);
    buf_put_u64(&buf, (uint64_t)experiment->search.batch);
    buf_put_u64(&buf, (uint64_t)experiment->search.mode);
    buf_put_u64(&buf, (uint64_t)experiment->rl.hidden);
    buf_put_u64(&buf, (uint64_t)experiment->rl.layers);
    buf_put_u64(&buf, (uint64_t)experiment->rl.epochs);
    buf_put_f64(&buf, experiment->rl.lr);
    buf_put_f64(&buf, experiment->rl.clip);
    buf_put_f64(&buf, experiment->rl.entropy);
    buf_put_f64(&buf, experiment->rl.baseline_decay);
    buf_put_f64(&buf, experiment->rl.gradient_clip);
    buf_put_u64(&buf, (uint64_t)experiment->rl.replay);
    buf_put_u64(&buf, experiment->rl.repeats);
    buf_put_u64(&buf, (uint64_t)experiment->evolution.population);
    buf_put_u64(&buf, (uint64_t)experiment->evolution.sample);
    for (int at = 0; at < space_tokens(space); at++)
        buf_put_u32(&buf, (uint32_t)space_choices(space, at));
    uint64_t identity = hash64(buf.data, buf.size);
    buf_release(&buf);
    return identity;
}

struct search *search_new(const struct experiment *experiment, const struct space *space)
{
    size_t id = (size_t)experiment->search.algorithm;
    assert(id < sizeof algorithms / sizeof *algorithms && algorithms[id]);
    struct search *search = xcalloc(1, sizeof *search);
    search->algorithm = algorithms[id];
    search->asynchronous = experiment->search.mode == MODE_ASYNC && search->algorithm->report;
    search->identity = identity_of(experiment, space);
    search->state = search->algorithm->new (experiment, space);
    return search;
}

void search_destroy(struct search **search)
{
    if (!*search)
        return;
    (*search)->algorithm->destroy((*search)->state);
    free((*search)->open);
    free(*search);
    *search = NULL;
}

bool search_asynchronous(const struct search *search)
{
    return search->asynchronous;
}

static void reserve_open(struct search *search, size_t count)
{
    if (count <= search->open_capacity)
        return;
    search->open_capacity = 2 * count;
    search->open = xrealloc(search->open, search->open_capacity, sizeof *search->open);
}

enum search_answer search_next(struct search *search, struct proposal *ret_proposal)
{
    struct proposal proposal = {.number = search->proposals};
    enum search_answer answer = search->algorithm->next(search->state, &proposal);
    if (answer != SEARCH_PROPOSED)
        return answer;
    reserve_open(search, search->open_count + 1);
    search->open[search->open_count++] = search->proposals++;
    *ret_proposal = proposal;
    return answer;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Its place among the open ones, or NULL. */
static uint64_t *find_open(const struct search *search, uint64_t number)
{
    return search->open_count == 0
               ? NULL
               : bsearch(&number, search->open, search->open_count, sizeof *search->open, compare_u64);
}

bool search_waits_for(const struct search *search, uint64_t number)
{
    return find_open(search, number) != NULL;
}

void search_report(struct search *search, uint64_t number, double reward)
{
    assert(reward >= 0 && reward <= 1);
    uint64_t *at = find_open(search, number);
    assert(at && "reported twice, or never proposed");
    size_t after = (size_t)(search->open + search->open_count - at) - 1;
    memmove(at, at + 1, after * sizeof *at);
    search->open_count--;
    if (search->algorithm->report)
        search->algorithm->report(search->state, number, reward);
}

struct search_status search_status(const struct search *search)
{
    struct search_status status = {.proposals = search->proposals,
                                   .rewards = search->proposals - search->open_count};
    if (search->algorithm->status)
        search->algorithm->status(search->state, &status);
    return status;
}

static void save_head(const struct search *search, uint32_t magic, struct buf *buf)
{
    buf_put_u32(buf, magic);
    buf_put_u32(buf, STATE_VERSION);
    buf_put_u64(buf, search->identity);
}

void search_save(const struct search *search, struct buf *ret_state)
{
    size_t start = ret_state->size;
    save_head(search, STATE_MAGIC, ret_state);
    buf_put_u64(ret_state, search->proposals);
    buf_put_u64(ret_state, search->open_count);
    for (size_t i = 0; i < search->open_count; i++)
        buf_put_u64(ret_state, search->open[i]);
    if (search->algorithm->save)
        search->algorithm->save(search->state, ret_state);
    buf_put_u64(ret_state, hash64(ret_state->data + start, ret_state->size - start));
}

void search_save_model(const struct search *search, struct buf *ret_model)
{
    size_t start = ret_model->size;
    if (!search->algorithm->save_model || search_status(search).policy_version == 0)
        return;
    save_head(search, MODEL_MAGIC, ret_model);
    search->algorithm->save_model(search->state, ret_model);
    buf_put_u64(ret_model, hash64(ret_model->data + start, ret_model->size - start));
}

/* Looks at the hash and the head of a saved part; the cursor stands behind the head, and ends before the
 * hash. */
static int load_head(const struct search *search, uint32_t magic, const void *data, size_t size,
                     struct cursor *ret_cursor)
{
    if (size < sizeof(uint64_t))
        return ERR_CORRUPT;
    size_t body = size - sizeof(uint64_t);
    struct cursor hash = cursor_of((const uint8_t *)data + body, sizeof(uint64_t));
    if (cursor_take_u64(&hash) != hash64(data, body))
        return ERR_CORRUPT;
    *ret_cursor = cursor_of(data, body);
    return cursor_take_u32(ret_cursor) == magic && cursor_take_u32(ret_cursor) == STATE_VERSION &&
                   cursor_take_u64(ret_cursor) == search->identity
               ? 0
               : ERR_CORRUPT;
}

/* Everything between the head and the algorithm's part. */
static int load_open(struct search *search, struct cursor *cursor)
{
    uint64_t proposals = cursor_take_u64(cursor), count = cursor_take_u64(cursor);
    if (cursor->failed || count > proposals || count > (cursor->size - cursor->at) / sizeof(uint64_t))
        return ERR_CORRUPT;
    reserve_open(search, (size_t)count);
    for (size_t i = 0; i < count; i++) {
        search->open[i] = cursor_take_u64(cursor);
        if (search->open[i] >= proposals || (i > 0 && search->open[i] <= search->open[i - 1]))
            return ERR_CORRUPT;
    }
    search->proposals = proposals;
    search->open_count = (size_t)count;
    return 0;
}

int search_load_model(struct search *search, const void *model, size_t size)
{
    struct cursor cursor;
    assert(search->proposals == 0);
    int err = load_head(search, MODEL_MAGIC, model, size, &cursor);
    if (!err)
        err = search->algorithm->load_model ? search->algorithm->load_model(search->state, &cursor)
                                            : ERR_CORRUPT;
    return err ? err : cursor_done(&cursor) ? 0 : ERR_CORRUPT;
}

int search_load(struct search *search, const void *state, size_t size)
{
    struct cursor cursor;
    assert(search->proposals == 0);
    int err = load_head(search, STATE_MAGIC, state, size, &cursor);
    if (!err)
        err = load_open(search, &cursor);
    struct search_frame frame = {search->proposals, search->open, search->open_count};
    if (!err && search->algorithm->load)
        err = search->algorithm->load(search->state, &cursor, &frame);
    return err ? err : cursor_done(&cursor) ? 0 : ERR_CORRUPT;
}
