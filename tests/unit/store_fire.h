/* store_fire: a disk that can be told to fail, between SQLite and the real one.
 *
 * It counts what SQLite does (statements, writes, fsyncs, truncations), fails the n-th of a kind, or ends the
 * process there, and remembers of each file what its last fsync made durable: what a power cut would leave.
 */
#ifndef TESTS_UNIT_STORE_FIRE_H
#define TESTS_UNIT_STORE_FIRE_H

#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <sqlite3.h>

#define FIRE_TABLE(ROW) ROW(STATEMENT) ROW(WRITE) ROW(SYNC) ROW(TRUNCATE)

enum fire_event {
#define FIRE_ROW(NAME) FIRE_##NAME,
    FIRE_TABLE(FIRE_ROW)
#undef FIRE_ROW
        FIRE_EVENTS,
};

UNUSED static const char *const fire_names[] = {
#define FIRE_ROW(NAME) #NAME,
    FIRE_TABLE(FIRE_ROW)
#undef FIRE_ROW
};

enum {
    FIRE_FILES = 16,
    FIRE_EXIT = 9,
    FIRE_LOG_PAGES = 40, /* so many in the log, and it is moved into the database: often */
};

static struct {
    sqlite3_vfs vfs, *real;
    int64_t count; /* of what is counted, since it was armed */
    int64_t at;    /* the number that fails; 0: none */
    int64_t last;  /* up to which it goes on failing */
    bool counted[FIRE_EVENTS];
    int code;  /* what SQLite gets */
    bool kill; /* the process ends instead */
    bool torn; /* a write that fails has written half of it */
    int64_t struck;
    struct {
        char path[256];
        struct buf durable;
    } files[FIRE_FILES];
    int file_count;
} fire;

struct fire_file {
    sqlite3_file base;
    sqlite3_file *real;
    int number; /* in fire.files; −1: not watched */
};

/* From now on the events of one kind, or of all (FIRE_EVENTS), are counted; at … last fail. */
UNUSED static void fire_arm(enum fire_event event, int64_t at, int64_t last, int code)
{
    for (int i = 0; i < FIRE_EVENTS; i++)
        fire.counted[i] = event == FIRE_EVENTS || event == (enum fire_event)i;
    fire.count = fire.struck = 0;
    fire.at = at;
    fire.last = last;
    fire.code = code;
    fire.kill = fire.torn = false;
}

UNUSED static void fire_calm(void)
{
    fire_arm(FIRE_EVENTS, 0, 0, SQLITE_OK);
    for (int i = 0; i < FIRE_FILES; i++)
        buf_release(&fire.files[i].durable);
    fire.file_count = 0;
}

/* Counts it; true where it is to fail. */
static bool strikes(enum fire_event event)
{
    if (!fire.counted[event])
        return false;
    fire.count++;
    if (fire.at == 0 || fire.count < fire.at || fire.count > fire.last)
        return false;
    fire.struck++;
    if (fire.kill && !(event == FIRE_WRITE && fire.torn))
        _exit(FIRE_EXIT);
    return true;
}

static void make_durable(int number)
{
    if (number >= 0)
        read_file(fire.files[number].path, &fire.files[number].durable);
}

/* What a power cut would leave of `path`, written to `to`. */
UNUSED static void fire_power_cut(const char *path, const char *to)
{
    unlink(to);
    for (int i = 0; i < fire.file_count; i++) {
        const char *name = strrchr(fire.files[i].path, '/');
        if (strcmp(name ? name + 1 : fire.files[i].path, path) == 0)
            write_file(to, fire.files[i].durable.data, fire.files[i].durable.size);
    }
}

/* ---- the methods of a file ----------------------------------------------------------------------------- */

#define REAL(file) (((struct fire_file *)(file))->real)

static int fire_close(sqlite3_file *file)
{
    return REAL(file)->pMethods->xClose(REAL(file));
}

static int fire_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
    return REAL(file)->pMethods->xRead(REAL(file), data, size, at);
}

static int fire_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    if (strikes(FIRE_WRITE)) {
        if (fire.torn)
            REAL(file)->pMethods->xWrite(REAL(file), data, size / 2, at);
        if (fire.kill)
            _exit(FIRE_EXIT);
        errno = EIO;
        return fire.code;
    }
    return REAL(file)->pMethods->xWrite(REAL(file), data, size, at);
}

static int fire_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (strikes(FIRE_TRUNCATE)) {
        errno = EIO;
        return fire.code == SQLITE_IOERR_WRITE ? SQLITE_IOERR_TRUNCATE : fire.code;
    }
    return REAL(file)->pMethods->xTruncate(REAL(file), size);
}

static int fire_sync(sqlite3_file *file, int flags)
{
    if (strikes(FIRE_SYNC)) {
        errno = EIO;
        return fire.code == SQLITE_IOERR_WRITE ? SQLITE_IOERR_FSYNC : fire.code;
    }
    int code = REAL(file)->pMethods->xSync(REAL(file), flags);
    if (code == SQLITE_OK)
        make_durable(((struct fire_file *)file)->number);
    return code;
}

static int fire_file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), ret_size);
}

static int fire_lock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xLock(REAL(file), lock);
}

static int fire_unlock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), lock);
}

static int fire_check_lock(sqlite3_file *file, int *ret_held)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), ret_held);
}

static int fire_control(sqlite3_file *file, int operation, void *argument)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), operation, argument);
}

static int fire_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static int fire_characteristics(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static int fire_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_memory)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, extend, ret_memory);
}

static int fire_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, count, flags);
}

static void fire_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int fire_shm_unmap(sqlite3_file *file, int remove)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), remove);
}

static const sqlite3_io_methods fire_methods = {
    .iVersion = 2,
    .xClose = fire_close,
    .xRead = fire_read,
    .xWrite = fire_write,
    .xTruncate = fire_truncate,
    .xSync = fire_sync,
    .xFileSize = fire_file_size,
    .xLock = fire_lock,
    .xUnlock = fire_unlock,
    .xCheckReservedLock = fire_check_lock,
    .xFileControl = fire_control,
    .xSectorSize = fire_sector,
    .xDeviceCharacteristics = fire_characteristics,
    .xShmMap = fire_shm_map,
    .xShmLock = fire_shm_lock,
    .xShmBarrier = fire_shm_barrier,
    .xShmUnmap = fire_shm_unmap,
};

/* ---- the disk ------------------------------------------------------------------------------------------ */

/* What is there when a file is opened counts as durable. */
static int watch(const char *path)
{
    int number = 0;
    while (number < fire.file_count && strcmp(fire.files[number].path, path) != 0)
        number++;
    if (number == FIRE_FILES)
        return -1;
    if (number == fire.file_count) {
        fire.file_count++;
        snprintf(fire.files[number].path, sizeof fire.files[number].path, "%s", path);
    }
    make_durable(number);
    return number;
}

static int fire_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    struct fire_file *self = (struct fire_file *)file;
    self->real = (sqlite3_file *)(self + 1);
    self->base.pMethods = NULL;
    int code = fire.real->xOpen(fire.real, name, self->real, flags, ret_flags);
    if (code != SQLITE_OK || !self->real->pMethods)
        return code;
    self->number = name ? watch(name) : -1;
    self->base.pMethods = &fire_methods;
    return code;
}

static int count_statement(unsigned what, void *context, void *statement, void *text)
{
    (void)what, (void)context, (void)statement, (void)text;
    strikes(FIRE_STATEMENT); /* a statement cannot fail by itself: only the process can end there */
    return 0;
}

static int begin_trace(sqlite3 *connection, char **ret_message, const struct sqlite3_api_routines *api)
{
    (void)ret_message, (void)api;
    sqlite3_wal_autocheckpoint(connection, FIRE_LOG_PAGES);
    return sqlite3_trace_v2(connection, SQLITE_TRACE_STMT, count_statement, NULL);
}

/* From here on every connection goes through it. */
UNUSED static void fire_light(void)
{
    fire.real = sqlite3_vfs_find(NULL);
    fire.vfs = *fire.real;
    fire.vfs.zName = "fire";
    fire.vfs.pNext = NULL;
    fire.vfs.szOsFile = (int)sizeof(struct fire_file) + fire.real->szOsFile;
    fire.vfs.xOpen = fire_open;
    sqlite3_vfs_register(&fire.vfs, 1);
    sqlite3_auto_extension((void (*)(void))begin_trace);
}

#endif
