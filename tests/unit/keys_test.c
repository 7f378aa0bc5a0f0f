/* Key files: what is read, what is refused, and that no message shows a secret. */
#include "tests/unit/keys_fixture.h"

#include <czmq.h>

static struct key worker_key(void)
{
    struct key server, worker;
    key_new("", NULL, &server);
    key_new("node-1", server.public_key, &worker);
    return worker;
}

static void what_is_written_is_read_and_only_the_owner_can(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key worker = worker_key(), server, public = key_public(&worker), got;
    struct stat stat_of;
    key_new("", NULL, &server);
    umask(0);
    assert_int_equal(key_write(in_folder("w"), &worker, &problem), 0);
    assert_int_equal(key_write(in_folder("s"), &server, &problem), 0);
    assert_int_equal(key_write(in_folder("p"), &public, &problem), 0);
    umask(022);
    assert_int_equal(stat(in_folder("w"), &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0600);
    assert_int_equal(key_read(in_folder("w"), KEY_WORKER, &got, &problem), 0);
    assert_memory_equal(&got, &worker, sizeof got);
    assert_int_equal(key_read(in_folder("s"), KEY_SERVER, &got, &problem), 0);
    assert_memory_equal(&got, &server, sizeof got);
    assert_int_equal(key_read(in_folder("p"), KEY_PUBLIC, &got, &problem), 0);
    assert_memory_equal(&got, &public, sizeof got);
    assert_string_equal(got.secret_key, "");
}

static void two_keys_are_never_the_same(void **state)
{
    (void)state;
    struct key a = worker_key(), b = worker_key();
    assert_string_not_equal(a.public_key, b.public_key);
    assert_string_not_equal(a.secret_key, b.secret_key);
    key_wipe(&a);
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_equal(((const char *)&a)[i], 0);
}

static void other_tools_of_zeromq_read_our_files_and_we_read_theirs(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key worker = worker_key(), got;
    assert_int_equal(key_write(in_folder("w"), &worker, &problem), 0);
    zcert_t *cert = zcert_load(in_folder("w"));
    assert_non_null(cert);
    assert_string_equal(zcert_public_txt(cert), worker.public_key);
    assert_string_equal(zcert_secret_txt(cert), worker.secret_key);
    assert_string_equal(zcert_meta(cert, "name"), "node-1");
    assert_string_equal(zcert_meta(cert, "server"), worker.server_key);
    zcert_destroy(&cert);

    cert = zcert_new();
    zcert_set_meta(cert, "name", "Somebody With Spaces");
    zcert_set_meta(cert, "email", "somebody@example.org");
    assert_int_equal(zcert_save_public(cert, in_folder("public")), 0);
    assert_int_equal(zcert_save_secret(cert, in_folder("secret")), 0);
    assert_int_equal(chmod(in_folder("public"), 0644), 0);
    assert_int_equal(key_read(in_folder("public"), KEY_PUBLIC, &got, &problem), 0);
    assert_string_equal(got.public_key, zcert_public_txt(cert));
    assert_string_equal(got.name, ""); /* not one that we would take */
    assert_int_equal(key_read(in_folder("secret"), KEY_SERVER, &got, &problem), 0);
    assert_string_equal(got.secret_key, zcert_secret_txt(cert));
    zcert_destroy(&cert);
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key first = worker_key(), second = worker_key(), got;
    assert_int_equal(key_write(in_folder("w"), &first, &problem), 0);
    assert_int_equal(key_write(in_folder("w"), &second, &problem), ERR_CONFLICT);
    assert_non_null(strstr(problem.text, "is there already"));
    assert_int_equal(key_read(in_folder("w"), KEY_WORKER, &got, &problem), 0);
    assert_memory_equal(&got, &first, sizeof got);
    assert_int_equal(symlink("nowhere", in_folder("link")), 0); /* not through a link either */
    assert_int_equal(key_write(in_folder("link"), &first, &problem), ERR_CONFLICT);
    assert_int_equal(key_write(in_folder("no/such/folder"), &first, &problem), ERR_IO);
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key worker = worker_key(), got = {0};
    assert_int_equal(key_write(in_folder("w"), &worker, &problem), 0);
    static const mode_t lax[] = {0640, 0604, 0620, 0602, 0610, 0644, 0666, 0777};
    for (size_t i = 0; i < sizeof lax / sizeof *lax; i++) {
        assert_int_equal(chmod(in_folder("w"), lax[i]), 0);
        assert_int_equal(key_read(in_folder("w"), KEY_WORKER, &got, &problem), ERR_INPUT);
        assert_non_null(strstr(problem.text, "chmod 600"));
        assert_string_equal(got.public_key, "");
    }
    assert_int_equal(chmod(in_folder("w"), 0400), 0);
    assert_int_equal(key_read(in_folder("w"), KEY_WORKER, &got, &problem), 0);
}

static void a_public_key_may_be_read_by_all_but_written_by_none(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key worker = worker_key(), public = key_public(&worker), got;
    assert_int_equal(key_write(in_folder("p"), &public, &problem), 0);
    assert_int_equal(chmod(in_folder("p"), 0644), 0);
    assert_int_equal(key_read(in_folder("p"), KEY_PUBLIC, &got, &problem), 0);
    assert_int_equal(chmod(in_folder("p"), 0664), 0);
    assert_int_equal(key_read(in_folder("p"), KEY_PUBLIC, &got, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "others can write it"));
}

static void a_file_of_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give a file away */
    struct problem problem = {0};
    struct key worker = worker_key(), got;
    assert_int_equal(key_write(in_folder("w"), &worker, &problem), 0);
    assert_int_equal(chown(in_folder("w"), 65534, 65534), 0);
    assert_int_equal(key_read(in_folder("w"), KEY_WORKER, &got, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "another user"));
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key got;
    assert_int_equal(key_read(in_folder("none"), KEY_WORKER, &got, &problem), ERR_NOT_FOUND);
    assert_int_equal(key_read(folder, KEY_WORKER, &got, &problem), ERR_INPUT);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(key_read(in_folder("fifo"), KEY_WORKER, &got, &problem), ERR_INPUT); /* at once */
    char *large = xcalloc(1, KEY_FILE_MAX + 2);
    memset(large, '\n', KEY_FILE_MAX + 1);
    put_file(in_folder("large"), large, 0600);
    assert_int_equal(key_read(in_folder("large"), KEY_WORKER, &got, &problem), ERR_LIMIT);
    free(large);
}

static void a_key_of_another_kind_is_refused_with_both_named(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key keys[3], got;
    keys[KEY_WORKER] = worker_key();
    keys[KEY_PUBLIC] = key_public(&keys[KEY_WORKER]);
    key_new("", NULL, &keys[KEY_SERVER]);
    for (int is = 0; is < 3; is++) {
        assert_int_equal(key_write(in_folder("k"), &keys[is], &problem), 0);
        for (int wanted = 0; wanted < 3; wanted++) {
            int err = key_read(in_folder("k"), (enum key_kind)wanted, &got, &problem);
            assert_int_equal(err, is == wanted ? 0 : ERR_INPUT);
            if (err)
                assert_non_null(strstr(problem.text, "expected"));
        }
        assert_int_equal(unlink(in_folder("k")), 0);
    }
}

static void what_cannot_be_read_is_refused_with_its_line_and_without_the_secret(void **state)
{
    (void)state;
    struct key key = worker_key(), other = worker_key(), got;
    char broken[KEY_TEXT + 1];
    memcpy(broken, key.secret_key, sizeof broken);
    broken[7] = ' ';
    const struct {
        const char *format;
        const char *public, *secret;
        int line;
        const char *says;
    } bad[] = {
        {"", "", "", 0, "no public-key"},
        {"metadata\n    name = \"a\"\n", "", "", 0, "no public-key"},
        {"curves\n    public-key = \"%s\"\n%s", key.public_key, "", 1, "expected a section"},
        {"    public-key = \"%s\"\n%s", key.public_key, "", 1, "before the first section"},
        {"curve\n    public-key = %s\n%s", key.public_key, "", 2, "in quotes"},
        {"curve\n    public-key = \"%s\n%s", key.public_key, "", 2, "in quotes"},
        {"curve\n    public-key \"%s\"\n%s", "abc", "", 2, "expected an entry"},
        {"curve\n    public-key = \"%s\"\n%s", key.public_key + 1, "", 2, "40 characters of Z85"},
        {"curve\n    public-key = \"%s0\"\n%s", key.public_key, "", 2, "40 characters of Z85"},
        {"curve\n    public-key = \"%s\"\n%s", "########################################", "", 2,
         "40 characters of Z85"}, /* each five are above 2^32 */
        {"curve\n    private-key = \"%s\"\n%s", key.secret_key, "", 2, "secret-key"},
        {"curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n", key.public_key, broken, 3,
         "40 characters of Z85"},
        {"curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n", other.public_key, key.secret_key, 0,
         "not the one of secret-key"},
        {"curve\n    secret-key = \"%s\"\n    secret-key = \"%s\"\n", key.secret_key, key.secret_key, 3,
         "twice"},
        {"curve\n    secret-key = \"%s\"\n%s", key.secret_key, "", 0, "no public-key"},
        {"metadata\n    server = \"%s\"\n%s", "abc", "", 2, "server: expected a key"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct problem problem = {0};
        char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, bad[i].format, bad[i].public, bad[i].secret);
#pragma GCC diagnostic pop
        assert_int_equal(key_parse(text, strlen(text), &got, &problem), ERR_INPUT);
        assert_int_equal(problem.line, bad[i].line);
        if (!strstr(problem.text, bad[i].says))
            fail_msg("'%s' instead of '%s'", problem.text, bad[i].says);
        assert_null(strstr(problem.text, key.secret_key));
        put_file(in_folder("bad"), text, 0600);
        assert_int_equal(key_read(in_folder("bad"), KEY_WORKER, &got, &problem), ERR_INPUT);
        assert_non_null(strstr(problem.text, in_folder("bad")));
    }
    struct problem problem = {0};
    assert_int_equal(key_parse("curve\n\0", 7, &got, &problem), ERR_INPUT);
    assert_non_null(strstr(problem.text, "NUL"));
}

static void a_file_that_is_cut_short_is_no_key(void **state)
{
    (void)state;
    struct problem problem = {0};
    struct key key = worker_key(), got;
    assert_int_equal(key_write(in_folder("w"), &key, &problem), 0);
    char text[KEY_FILE_MAX];
    int fd = open(in_folder("w"), O_RDONLY);
    ssize_t size = read(fd, text, sizeof text);
    close(fd);
    assert_true(size > 0);
    for (size_t cut = 0; cut + 1 < (size_t)size; cut++) {
        put_file(in_folder("cut"), "", 0600);
        assert_int_equal(truncate(in_folder("cut"), 0), 0);
        fd = open(in_folder("cut"), O_WRONLY);
        assert_int_equal(write(fd, text, cut), cut);
        close(fd);
        assert_int_equal(key_read(in_folder("cut"), KEY_WORKER, &got, &problem), ERR_INPUT);
    }
    assert_int_equal(key_parse(text, (size_t)size - 1, &got, &problem), 0); /* but for the last line's end */
}

static void a_name_is_a_file_name_and_no_path(void **state)
{
    (void)state;
    struct problem problem = {0};
    static const char *const good[] = {"a", "node-17", "node_17.rack-2", "0"};
    static const char *const bad[] = {"",    ".",    "..",  ".a",  "-a",      "_a",
                                      "a/b", "../a", "a b", "a\n", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(key_name_check(good[i], &problem), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(key_name_check(bad[i], &problem), ERR_INPUT);
    char name[KEY_NAME_MAX + 2];
    memset(name, 'a', sizeof name);
    name[KEY_NAME_MAX + 1] = '\0';
    assert_int_equal(key_name_check(name, &problem), ERR_INPUT);
    name[KEY_NAME_MAX] = '\0';
    assert_int_equal(key_name_check(name, &problem), 0);
}

int main(void)
{
    zsys_handler_set(NULL);
    const struct CMUnitTest tests[] = {
        PROMISE(what_is_written_is_read_and_only_the_owner_can),
        PROMISE(two_keys_are_never_the_same),
        PROMISE(other_tools_of_zeromq_read_our_files_and_we_read_theirs),
        PROMISE(nothing_is_overwritten),
        PROMISE(a_secret_that_others_can_read_is_refused),
        PROMISE(a_public_key_may_be_read_by_all_but_written_by_none),
        PROMISE(a_file_of_another_user_is_refused),
        PROMISE(what_is_no_file_is_refused),
        PROMISE(a_key_of_another_kind_is_refused_with_both_named),
        PROMISE(what_cannot_be_read_is_refused_with_its_line_and_without_the_secret),
        PROMISE(a_file_that_is_cut_short_is_no_key),
        PROMISE(a_name_is_a_file_name_and_no_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
