/* ini: reads "[section]" and "key = value" lines with inih, bounded; the only includer of ini.h.
 *
 * A line that begins with white space goes on with the value above it. A comment is a line that begins with #
 * or ;: there are none behind a value, because a semicolon there belongs to an activation
 * ("max(x,0)+b*min(x,0); b=0.25").
 */
#ifndef COMMON_INI_H
#define COMMON_INI_H

#include "common/err.h"

enum {
    INI_TEXT_MAX = 1 << 20,  /* bytes of a text */
    INI_VALUE_MAX = 1 << 16, /* bytes of a value, its continuation lines together */
    INI_LINE_MAX = 1 << 17,  /* bytes of a line: each value may stand in one, as in a canonical text */
};

/* Called for each key, in order, with continuation lines joined by "\n"; `line` is that of the key; section
 * is "" before the first. Returns 0, or an error with *problem filled (its line is set here, where the
 * visitor left it 0). */
typedef int ini_visit(void *context, const char *section, const char *key, const char *value, int line,
                      struct problem *problem);

/* ERR_INPUT with the line of what cannot be read, ERR_LIMIT past a bound above, or what `visit` returned. */
int ini_read(const char *text, ini_visit *visit, void *context, struct problem *problem);

/* The text of a file, for ini_read. malloc'd; ERR_NOT_FOUND, ERR_IO, or ERR_LIMIT and ERR_INPUT where it is none. The
 * problem names the file. */
int ini_file(const char *path, char **ret_text, struct problem *problem);

#endif
