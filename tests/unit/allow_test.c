/* The allow-list, while its folder changes under it. */
#include "tests/unit/keys_fixture.h"

#include "coordinator/allow.h"

/* What a refresh told. */
struct told {
    int added, removed, bad;
    char key[KEY_TEXT + 1]; /* the last that was added or removed */
    char text[600];
};

static void note(void *context, enum allow_news news, const char *key, const char *name)
{
    struct told *told = context;
    told->added += news == ALLOW_ADDED;
    told->removed += news == ALLOW_REMOVED;
    told->bad += news == ALLOW_BAD;
    snprintf(told->text, sizeof told->text, "%s", name);
    if (news != ALLOW_BAD)
        snprintf(told->key, sizeof told->key, "%s", key);
}

static struct told refresh(struct allow *allow)
{
    struct told told = {0};
    allow_refresh(allow, note, &told);
    return told;
}

static struct allow *open_list(void)
{
    struct allow *allow = NULL;
    struct problem problem = {0};
    assert_int_equal(mkdir(in_folder(KEYS_WORKERS_DIR), 0700), 0);
    assert_int_equal(allow_new(folder, &allow, &problem), 0);
    return allow;
}

static const char *in_list(const char *name)
{
    char inner[100];
    snprintf(inner, sizeof inner, KEYS_WORKERS_DIR "/%s", name);
    return in_folder(inner);
}

/* A new key, in a file of that name. */
static struct key allow_new_key(const char *file, const char *name)
{
    struct problem problem = {0};
    struct key key, public;
    key_new(name, NULL, &key);
    public = key_public(&key);
    assert_int_equal(key_write(in_list(file), &public, &problem), 0);
    return key;
}

static void keys_come_and_go_with_their_files(void **state)
{
    (void)state;
    struct allow *allow = open_list();
    struct key a = allow_new_key("a.pub", "a"), b, never;
    key_new("never", NULL, &never);
    assert_null(allow_find(allow, a.public_key)); /* before it is read */
    struct told told = refresh(allow);
    assert_int_equal(told.added, 1);
    assert_string_equal(told.key, a.public_key);
    assert_string_equal(allow_find(allow, a.public_key)->name, "a");
    told = refresh(allow);
    assert_int_equal(told.added + told.removed + told.bad, 0); /* nothing has changed */
    b = allow_new_key("b.pub", "b");
    told = refresh(allow);
    assert_int_equal(told.added, 1);
    assert_int_equal(told.removed, 0);
    assert_non_null(allow_find(allow, b.public_key));
    assert_int_equal(unlink(in_list("a.pub")), 0);
    told = refresh(allow);
    assert_int_equal(told.removed, 1);
    assert_string_equal(told.key, a.public_key);
    assert_null(allow_find(allow, a.public_key));
    assert_non_null(allow_find(allow, b.public_key));
    assert_null(allow_find(allow, never.public_key));
    assert_null(allow_find(allow, ""));
    assert_null(allow_find(allow, "b"));
    allow_destroy(&allow);
}

static void a_file_that_gets_another_key_changes_the_list(void **state)
{
    (void)state;
    struct allow *allow = open_list();
    struct key a = allow_new_key("a.pub", "a"), b = allow_new_key(".new", "b");
    assert_int_equal(refresh(allow).added, 1); /* a name with a dot is no part of it */
    assert_null(allow_find(allow, b.public_key));
    assert_int_equal(rename(in_list(".new"), in_list("a.pub")), 0);
    struct told told = refresh(allow);
    assert_int_equal(told.added, 1);
    assert_int_equal(told.removed, 1);
    assert_null(allow_find(allow, a.public_key));
    assert_non_null(allow_find(allow, b.public_key));
    allow_destroy(&allow);
}

static void a_file_that_cannot_be_used_counts_as_not_there(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct allow *allow = open_list();
    struct key a = allow_new_key("a.pub", "a"), pair;
    key_new("pair", NULL, &pair);
    put_file(in_list("nonsense"), "nonsense", 0600);
    assert_int_equal(key_write(in_list("pair.key"), &pair, &problem), 0);
    assert_int_equal(mkdir(in_list("folder"), 0700), 0);
    struct told told = refresh(allow);
    assert_int_equal(told.added, 1);
    assert_int_equal(told.bad, 2); /* a folder is passed over without a word */
    assert_null(allow_find(allow, pair.public_key));
    assert_int_equal(chmod(in_list("a.pub"), 0666), 0); /* anyone could have put another key there */
    told = refresh(allow);
    assert_int_equal(told.removed, 1);
    assert_null(allow_find(allow, a.public_key));
    allow_destroy(&allow);
}

static void one_key_in_two_files_is_allowed_while_one_of_them_is_there(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct allow *allow = open_list();
    struct key key = allow_new_key("a.pub", "a"), public = key_public(&key);
    assert_int_equal(key_write(in_list("b.pub"), &public, &problem), 0);
    assert_int_equal(refresh(allow).added, 1);
    assert_int_equal(allow_count(allow), 1);
    assert_int_equal(unlink(in_list("a.pub")), 0);
    assert_int_equal(refresh(allow).removed, 0);
    assert_non_null(allow_find(allow, key.public_key));
    allow_destroy(&allow);
}

static void a_key_without_a_name_goes_by_its_file(void **state)
{
    (void)state;
    struct allow *allow = open_list();
    struct key key = allow_new_key("rack-2.pub", "");
    refresh(allow);
    assert_string_equal(allow_find(allow, key.public_key)->name, "rack-2.pub");
    allow_destroy(&allow);
}

static void a_folder_that_is_gone_allows_nobody(void **state)
{
    (void)state;
    struct allow *allow = open_list();
    struct key key = allow_new_key("a.pub", "a");
    refresh(allow);
    assert_int_equal(rename(in_folder(KEYS_WORKERS_DIR), in_folder("gone")), 0);
    assert_int_equal(refresh(allow).removed, 1);
    assert_null(allow_find(allow, key.public_key));
    assert_int_equal(rename(in_folder("gone"), in_folder(KEYS_WORKERS_DIR)), 0);
    assert_int_equal(refresh(allow).added, 1);
    allow_destroy(&allow);
}

static void a_folder_that_others_can_write_is_refused_and_changes_nothing_later(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct allow *allow = NULL;
    assert_int_equal(allow_new(folder, &allow, &problem), ERR_NOT_FOUND);
    assert_int_equal(mkdir(in_folder(KEYS_WORKERS_DIR), 0700), 0);
    assert_int_equal(chmod(in_folder(KEYS_WORKERS_DIR), 0770), 0);
    assert_int_equal(allow_new(folder, &allow, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "chmod go-w"));
    assert_int_equal(chmod(in_folder(KEYS_WORKERS_DIR), 0700), 0);
    assert_int_equal(allow_new(folder, &allow, &problem), 0);
    struct key a = allow_new_key("a.pub", "a"), b;
    refresh(allow);
    assert_int_equal(chmod(in_folder(KEYS_WORKERS_DIR), 0777), 0);
    b = allow_new_key("b.pub", "b");
    struct told told = refresh(allow);
    assert_int_equal(told.bad, 1);
    assert_non_null(allow_find(allow, a.public_key));
    assert_null(allow_find(allow, b.public_key));
    assert_int_equal(refresh(allow).bad, 0); /* said once */
    assert_int_equal(chmod(in_folder(KEYS_WORKERS_DIR), 0700), 0);
    assert_int_equal(refresh(allow).added, 1);
    allow_destroy(&allow);
}

static void a_thousand_keys_are_all_found(void **state)
{
    (void)state;
    enum { KEYS = 1000 };
    struct allow *allow = open_list();
    static struct key keys[KEYS];
    char name[32];
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "k%d", i);
        keys[i] = allow_new_key(name, name);
    }
    assert_int_equal(refresh(allow).added, KEYS);
    for (int i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "k%d", i);
        assert_string_equal(allow_find(allow, keys[i].public_key)->name, name);
    }
    allow_destroy(&allow);
}

static void a_key_that_floods_is_held_to_its_rate(void **state)
{
    (void)state;
    struct allow *allow = open_list();
    struct key key = allow_new_key("a.pub", "a");
    refresh(allow);
    struct allowed *allowed = allow_find(allow, key.public_key);
    int64_t now_ms = 1000000;
    int spent = 0;
    while (allow_spend(allowed, now_ms))
        spent++;
    assert_int_equal(spent, ALLOW_BURST);
    for (int ms = 1; ms <= 1000; ms++)
        while (allow_spend(allowed, now_ms + ms))
            spent++;
    assert_int_equal(spent, ALLOW_BURST + ALLOW_PER_SECOND);
    allow_new_key("b.pub", "b"); /* a list that is read again forgets nothing */
    refresh(allow);
    assert_false(allow_spend(allow_find(allow, key.public_key), now_ms + 1000));
    assert_true(allow_spend(allow_find(allow, key.public_key), now_ms + 1001));
    for (spent = 0; allow_spend(allow_find(allow, key.public_key), now_ms + (INT64_C(1) << 40)); spent++)
        continue;
    assert_int_equal(spent, ALLOW_BURST); /* a long silence saves no more than that */
    allow_destroy(&allow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(keys_come_and_go_with_their_files),
        PROMISE(a_file_that_gets_another_key_changes_the_list),
        PROMISE(a_file_that_cannot_be_used_counts_as_not_there),
        PROMISE(one_key_in_two_files_is_allowed_while_one_of_them_is_there),
        PROMISE(a_key_without_a_name_goes_by_its_file),
        PROMISE(a_folder_that_is_gone_allows_nobody),
        PROMISE(a_folder_that_others_can_write_is_refused_and_changes_nothing_later),
        PROMISE(a_thousand_keys_are_all_found),
        PROMISE(a_key_that_floods_is_held_to_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
