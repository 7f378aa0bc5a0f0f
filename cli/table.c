#include "cli/table.h"

#include "cli/terminal.h"
#include "common/err.h"
#include "common/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char *cells[TABLE_MAX_COLUMNS];
    bool bold[TABLE_MAX_COLUMNS];
    int count;
};

struct table {
    char alignment[TABLE_MAX_COLUMNS + 1];
    int columns;
    struct row *rows;
    size_t count, capacity;
};

struct table *table_new(const char *alignment)
{
    assert(strlen(alignment) <= TABLE_MAX_COLUMNS);
    struct table *table = xcalloc(1, sizeof *table);
    strcpy(table->alignment, alignment);
    table->columns = (int)strlen(alignment);
    return table;
}

void table_destroy(struct table **table)
{
    if (!*table)
        return;
    for (size_t i = 0; i < (*table)->count; i++)
        for (int c = 0; c < (*table)->rows[i].count; c++)
            free((*table)->rows[i].cells[c]);
    free((*table)->rows);
    free(*table);
    *table = NULL;
}

void table_row(struct table *table)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 16;
        table->rows = xrealloc(table->rows, table->capacity, sizeof *table->rows);
    }
    table->rows[table->count++] = (struct row){.count = 0};
}

void table_cell(struct table *table, const char *format, ...)
{
    assert(table->count > 0);
    struct row *row = &table->rows[table->count - 1];
    assert(row->count < table->columns);
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    text_disarm(text);
    row->cells[row->count++] = text;
}

void table_emphasise(struct table *table)
{
    struct row *row = &table->rows[table->count - 1];
    assert(row->count > 0);
    row->bold[row->count - 1] = true;
}

int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80; /* continuation bytes of UTF-8 do not count */
    return width;
}

/* The width of each column. */
static void measure(const struct table *table, int ret_width[TABLE_MAX_COLUMNS])
{
    memset(ret_width, 0, TABLE_MAX_COLUMNS * sizeof *ret_width);
    for (size_t i = 0; i < table->count; i++)
        for (int c = 0; c < table->rows[i].count; c++) {
            int w = text_width(table->rows[i].cells[c]);
            if (w > ret_width[c])
                ret_width[c] = w;
        }
}

/* Cells of the row up to the last that is not empty. */
static int cells_shown(const struct row *row)
{
    int last = row->count;
    while (last > 0 && row->cells[last - 1][0] == '\0')
        last--;
    return last;
}

int table_width(const struct table *table)
{
    int width[TABLE_MAX_COLUMNS], widest = 0;
    measure(table, width);
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        int line = 0;
        for (int c = 0, last = cells_shown(row); c < last; c++)
            line += (c > 0 ? 2 : 0) +
                    (c + 1 < last || table->alignment[c] == 'r' ? width[c] : text_width(row->cells[c]));
        widest = line > widest ? line : widest;
    }
    return widest;
}

void table_print(const struct table *table, FILE *out)
{
    int width[TABLE_MAX_COLUMNS];
    const bool colours = terminal_has_colours(out);
    measure(table, width);
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        const int last = cells_shown(row);
        for (int c = 0; c < last; c++) {
            int padding = width[c] - text_width(row->cells[c]);
            const char *gap = c > 0 ? "  " : "";
            const char *on = colours && row->bold[c] ? "\033[1m" : "", *off = *on ? "\033[0m" : "";
            if (table->alignment[c] == 'r')
                fprintf(out, "%s%*s%s%s%s", gap, padding, "", on, row->cells[c], off);
            else
                fprintf(out, "%s%s%s%s%*s", gap, on, row->cells[c], off, c + 1 < last ? padding : 0, "");
        }
        fputc('\n', out);
    }
}
