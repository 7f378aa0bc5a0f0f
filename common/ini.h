/* ini: reads "[section]", "key = value" lines with inih, bounded; the only includer of ini.h. */
#ifndef COMMON_INI_H
#define COMMON_INI_H

#include "common/err.h"

enum { INI_TEXT_MAX = 1 << 20, INI_VALUE_MAX = 1 << 16 };

/* Called for each key, in order; section is "" before the first. Returns 0, or an error with *problem filled. */
typedef int ini_visit(void *context, const char *section, const char *key, const char *value, int line,
                      struct problem *problem);

/* ERR_INPUT with the line of what cannot be read. */
int ini_read(const char *text, ini_visit *visit, void *context, struct problem *problem);

#endif
