/* driver: runs a fuzz target with any compiler: first on the files of its corpus, then on random changes of
 * them.
 *
 *     NAME_fuzz SECONDS CORPUS_DIR CRASH    for so long; or, with "1000000x", so many changes. An input that
 *                                           crashes the target, or hangs it, is written to the file CRASH
 *     NAME_fuzz 0 FILE CRASH                that one input again
 *
 * clang's -fsanitize=fuzzer can take the driver's place: a target is an ordinary LLVMFuzzerTestOneInput.
 */
#include "common/err.h"
#include "common/rng.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* the target */

enum { INPUT_MAX = 1 << 16, CORPUS_MAX = 1024, CHANGES_MAX = 8, CLOCK_EVERY = 64, HANG_S = 20 };

struct input {
    uint8_t *data;
    size_t size;
};

static struct input corpus[CORPUS_MAX];
static int corpus_count;

static void corpus_add(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (!file || corpus_count == CORPUS_MAX) {
        if (file)
            fclose(file);
        return;
    }
    uint8_t *data = xcalloc(INPUT_MAX, 1);
    size_t size = fread(data, 1, INPUT_MAX, file);
    fclose(file);
    corpus[corpus_count++] = (struct input){data, size};
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void corpus_load(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, by_name);
    if (count < 0)
        corpus_add(path); /* one file */
    for (int i = 0; i < count; i++) {
        char *name = xasprintf("%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            corpus_add(name);
        free(name);
        free(entries[i]);
    }
    free(entries);
    if (corpus_count == 0)
        corpus[corpus_count++] = (struct input){xcalloc(1, 1), 0};
}

/* One random change in place: returns the new size. */
static size_t change(uint8_t *data, size_t size, struct rng *rng)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, '(', ')', ',', '=', '-', '\n', '"', 0xc0, 0xdf};
    size_t at = size ? rng_below(rng, (uint64_t)size) : 0;
    size_t length = 1 + rng_below(rng, 16);
    const struct input *other = &corpus[rng_below(rng, (uint64_t)corpus_count)];
    switch (rng_below(rng, 6)) {
    case 0: /* flips a bit */
        if (size)
            data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
        return size;
    case 1: /* a value at the edge of something */
        if (size)
            data[at] = edges[rng_below(rng, sizeof edges)];
        return size;
    case 2: /* cuts the end off */
        return at;
    case 3: /* takes some bytes out */
        length = length > size - at ? size - at : length;
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    case 4: /* says some bytes twice */
        length = length > size - at ? size - at : length;
        if (size + length > INPUT_MAX)
            return size;
        memmove(data + at + length, data + at, size - at);
        return size + length;
    default: /* goes on like another input */
        if (other->size == 0)
            return size;
        length = other->size - rng_below(rng, (uint64_t)other->size);
        length = length > INPUT_MAX - at ? INPUT_MAX - at : length;
        memcpy(data + at, other->data + (other->size - length), length);
        return at + length;
    }
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What the child works on, visible to the parent after a crash. */
struct shared {
    size_t size;
    uint8_t data[INPUT_MAX];
};

/* The target gets a copy of exactly the input's size, so that a sanitizer sees a read past its end. */
static void test(const struct shared *input)
{
    uint8_t *exact = xcalloc(1, input->size ? input->size : 1);
    memcpy(exact, input->data, input->size);
    LLVMFuzzerTestOneInput(exact, input->size);
    free(exact);
}

static void take(struct shared *input, const struct input *from)
{
    memcpy(input->data, from->data, from->size);
    input->size = from->size;
}

/* For so many seconds, or so many runs; the other one is 0. */
static void fuzz(const char *target, double seconds, uint64_t wanted, struct shared *input)
{
    for (int i = 0; i < corpus_count; i++) {
        alarm(HANG_S);
        take(input, &corpus[i]);
        test(input);
    }
    struct rng rng = rng_seed((uint64_t)time(NULL), "fuzz", 0);
    const double start_s = now_s(), end_s = start_s + seconds;
    uint64_t runs = 0;
    while (runs < wanted || (seconds > 0 && (runs % CLOCK_EVERY || now_s() < end_s))) {
        if (runs % CLOCK_EVERY == 0)
            alarm(HANG_S);
        take(input, &corpus[rng_below(&rng, (uint64_t)corpus_count)]);
        for (uint64_t i = 1 + rng_below(&rng, CHANGES_MAX); i > 0; i--)
            input->size = change(input->data, input->size, &rng);
        test(input);
        runs++;
    }
    printf("%s: %d inputs of the corpus, %" PRIu64 " changed ones, %.0f a second\n", target, corpus_count,
           runs, (double)runs / (now_s() - start_s + 1e-9));
}

static void keep(const char *path, const struct shared *input)
{
    FILE *file = fopen(path, "wbe");
    if (file) {
        fwrite(input->data, 1, input->size, file);
        fclose(file);
    }
    fprintf(stderr, "the input that did it is in %s\n", path);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: NAME_fuzz SECONDS|RUNSx CORPUS CRASH\n", stderr);
        return 2;
    }
    struct shared *input =
        mmap(NULL, sizeof *input, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (input == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    corpus_load(argv[2]);
    const bool counted = strchr(argv[1], 'x') != NULL;
    pid_t pid = fork();
    if (pid == 0)
        fuzz(argv[0], counted ? 0 : atof(argv[1]), counted ? strtoull(argv[1], NULL, 10) : 0, input);
    int status = 0;
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
        keep(argv[3], input);
    for (int i = 0; i < corpus_count; i++)
        free(corpus[i].data);
    return status == 0 && pid >= 0 ? 0 : 1;
}
