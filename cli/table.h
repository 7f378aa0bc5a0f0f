/* table: rows of text in aligned columns, for people. Widths are counted in characters of UTF-8, not in
 * bytes.
 *
 * Owns its cells. A cell that is not set is empty; trailing blanks are not printed.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

enum { TABLE_MAX_COLUMNS = 16 };

struct table;

/* One letter per column: 'l' left, 'r' right. The last column is never padded. */
struct table *table_new(const char *alignment);
void table_destroy(struct table **table);

/* Begins a row; cells are then added from the left. */
void table_row(struct table *table);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The cell that was added last is printed bold, where the output is a terminal with colours. */
void table_emphasise(struct table *table);
void table_print(const struct table *table, FILE *out);
/* The columns that its widest line takes. */
int table_width(const struct table *table);

/* Characters that `text` takes on a screen (combining and wide ones are not known). */
int text_width(const char *text);

#endif
