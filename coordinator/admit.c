#include "coordinator/admit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void admit_start(struct admit *admit, const struct space *space)
{
    *admit = (struct admit){.space = space, .functions = functions_new()};
}

void admit_release(struct admit *admit)
{
    functions_destroy(&admit->functions);
    free(admit->candidate_of);
    *admit = (struct admit){0};
}

/* The place that says which candidate a function is. */
static int64_t *candidate_of(struct admit *admit, int64_t function)
{
    if ((size_t)function >= admit->candidate_of_count) {
        size_t wanted = 2 * (size_t)function + 64;
        admit->candidate_of = xrealloc(admit->candidate_of, wanted, sizeof *admit->candidate_of);
        memset(admit->candidate_of + admit->candidate_of_count, 0,
               (wanted - admit->candidate_of_count) * sizeof *admit->candidate_of);
        admit->candidate_of_count = wanted;
    }
    return &admit->candidate_of[function];
}

static struct admission admit_function(struct admit *admit, const struct function *function, bool in_any_case,
                                       int64_t next_candidate)
{
    int64_t *candidate = candidate_of(admit, function->id);
    struct admission admission = {
        .outcome = PROPOSAL_DUPLICATE,
        .verdict = VERDICT_USABLE,
        .activation = function->text,
        .fingerprint = function->fingerprint,
    };
    if (*candidate == 0 && strlen(function->text) > EXPR_MAX_TEXT) {
        admission.outcome = PROPOSAL_REJECTED;
        admission.verdict = VERDICT_TOO_LARGE;
        admission.activation = "";
    } else if (*candidate == 0 && function->verdict != VERDICT_USABLE && !in_any_case) {
        admission.outcome = PROPOSAL_REJECTED;
        admission.verdict = function->verdict;
    } else if (*candidate == 0) {
        admission.outcome = PROPOSAL_NEW;
        *candidate = next_candidate;
    }
    admission.candidate = *candidate;
    return admission;
}

static struct admission admit_expr(struct admit *admit, const struct expr *expr, bool in_any_case,
                                   int64_t next_candidate)
{
    return admit_function(admit, functions_add(admit->functions, expr, NULL), in_any_case, next_candidate);
}

struct admission admit_tokens(struct admit *admit, const uint16_t *tokens, int64_t next_candidate)
{
    struct expr *expr = NULL;
    if (space_expr(admit->space, tokens, &expr) != 0)
        return (struct admission){
            .outcome = PROPOSAL_REJECTED, .verdict = VERDICT_TOO_LARGE, .activation = ""};
    struct admission admission = admit_expr(admit, expr, false, next_candidate);
    expr_destroy(&expr);
    return admission;
}

struct admission admit_reference(struct admit *admit, const struct expr *expr, int64_t next_candidate)
{
    return admit_expr(admit, expr, true, next_candidate);
}

int admit_restore(struct admit *admit, const struct candidate_row *row, struct problem *problem)
{
    struct expr *expr = NULL;
    int err = expr_parse(row->activation, &expr, problem);
    if (err) {
        problem_prefix(problem, "candidate %lld, '%s'", (long long)row->id, row->activation);
        return ERR_CORRUPT;
    }
    /* Only a reference may be a candidate without being usable: it is judged again. */
    const struct function *function =
        row->reference ? functions_add(admit->functions, expr, NULL)
                       : functions_restore(admit->functions, &expr, &row->fingerprint, NULL);
    expr_destroy(&expr);
    struct admission admission = admit_function(admit, function, true, row->id);
    if (admission.outcome != PROPOSAL_NEW)
        return problem_set(problem, ERR_CORRUPT,
                           "candidate %lld, '%s', is the same function as candidate %lld; was the database "
                           "made by another version of actsearch?",
                           (long long)row->id, row->activation, (long long)admission.candidate);
    return 0;
}
