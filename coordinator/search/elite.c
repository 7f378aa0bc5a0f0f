#include "coordinator/search/elite.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

void elite_init(struct elite *elite, const struct space *space, size_t size)
{
    *elite = (struct elite){.space = space, .size = size, .member = xcalloc(size, sizeof *elite->member)};
}

void elite_release(struct elite *elite)
{
    free(elite->member);
    *elite = (struct elite){0};
}

static bool has(const struct elite *elite, const uint16_t *tokens)
{
    for (size_t i = 0; i < elite->count; i++)
        if (memcmp(elite->member[i].tokens, tokens, sizeof elite->member[i].tokens) == 0)
            return true;
    return false;
}

void elite_add(struct elite *elite, const uint16_t *tokens, double reward)
{
    bool full = elite->count == elite->size;
    if (elite->size == 0 || (full && reward <= elite->member[elite->count - 1].reward) || has(elite, tokens))
        return;
    size_t at = full ? elite->count - 1 : elite->count++;
    for (; at > 0 && elite->member[at - 1].reward < reward; at--)
        elite->member[at] = elite->member[at - 1];
    elite->member[at].reward = reward;
    memcpy(elite->member[at].tokens, tokens, sizeof elite->member[at].tokens);
}

void elite_save(const struct elite *elite, struct buf *buf)
{
    buf_put_u64(buf, elite->count);
    for (size_t i = 0; i < elite->count; i++) {
        buf_put_f64(buf, elite->member[i].reward);
        for (int at = 0; at < space_tokens(elite->space); at++)
            buf_put_u32(buf, elite->member[i].tokens[at]);
    }
}

/* The tokens are looked at before anyone uses them as indices. */
static bool load_member(const struct elite *elite, struct cursor *cursor, struct elite_member *ret_member)
{
    *ret_member = (struct elite_member){.reward = cursor_take_f64(cursor)};
    for (int at = 0; at < space_tokens(elite->space); at++) {
        uint32_t token = cursor_take_u32(cursor);
        if (token >= (uint32_t)space_choices(elite->space, at))
            return false;
        ret_member->tokens[at] = (uint16_t)token;
    }
    return !cursor->failed && ret_member->reward >= 0 && ret_member->reward <= 1;
}

int elite_load(struct elite *elite, struct cursor *cursor)
{
    uint64_t count = cursor_take_u64(cursor);
    if (cursor->failed || count > elite->size)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        struct elite_member member;
        if (!load_member(elite, cursor, &member) || (i > 0 && member.reward > elite->member[i - 1].reward) ||
            has(elite, member.tokens))
            return ERR_CORRUPT;
        elite->member[elite->count++] = member;
    }
    return 0;
}
