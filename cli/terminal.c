#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    COLUMNS_DEFAULT = 80,
    COLUMNS_LOW = 4,
    COLUMNS_HIGH = 512,
    ROWS_DEFAULT = 24,
    ROWS_LOW = 4,
    ROWS_HIGH = 512,
};

static int bounded(long value, int low, int high)
{
    return value < low ? low : value > high ? high : (int)value;
}

/* 0 where it is not set or no number. */
static long environment_number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

void terminal_size(FILE *out, int *ret_columns, int *ret_rows)
{
    struct winsize size = {0};
    const bool terminal = ioctl(fileno(out), TIOCGWINSZ, &size) == 0;
    long columns = terminal ? size.ws_col : environment_number("COLUMNS");
    long rows = terminal ? size.ws_row : environment_number("LINES");
    *ret_columns = bounded(columns > 0 ? columns : COLUMNS_DEFAULT, COLUMNS_LOW, COLUMNS_HIGH);
    *ret_rows = bounded(rows > 0 ? rows : ROWS_DEFAULT, ROWS_LOW, ROWS_HIGH);
}

bool terminal_moves(FILE *out)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(out)) && kind && strcmp(kind, "dumb") != 0;
}

bool terminal_has_colours(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    return terminal_moves(out) && !(no_color && no_color[0]);
}

size_t terminal_fit(const char *text, int columns)
{
    size_t size = 0;
    for (int used = 0; text[size]; size++) {
        used += ((unsigned char)text[size] & 0xC0) != 0x80; /* continuation bytes of UTF-8 do not count */
        if (used > columns)
            break;
    }
    return size;
}
