/* terminal: how wide a terminal is, whether to use colours, and text that fits.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Columns and rows; where `out` is no terminal those of $COLUMNS and $LINES, else 80 and 24. Within sane
 * bounds. */
void terminal_size(FILE *out, int *ret_columns, int *ret_rows);

/* A terminal on which a line can be drawn again in its place: not one that is dumb, such as an editor's. */
bool terminal_moves(FILE *out);

/* The same, and NO_COLOR is not set (no-color.org). */
bool terminal_has_colours(FILE *out);

/* How many bytes of the UTF-8 text take `columns` at most. */
size_t terminal_fit(const char *text, int columns);

#endif
