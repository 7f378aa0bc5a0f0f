/* picture: small graphs made of characters, for a terminal. Pure: text in, text out. */
#ifndef CLI_PICTURE_H
#define CLI_PICTURE_H

#include "common/buf.h"
#include "common/expr/expr.h"

enum { PICTURE_WIDTH = 61, PICTURE_HEIGHT = 21 };

/* f ('*') and its derivative ('o') over [−5, 5], β at their initial values, '@' where both are; heights
 * beyond ±5 are cut. */
void picture_functions(const struct expr *f, struct buf *ret_text);

/* One block character per value, the lowest ▁, the highest █; a value that is not finite is a '!'. */
void picture_sparkline(const double *values, int count, struct buf *ret_text);
/* The same on a scale from low to high. */
void picture_levels(const double *values, int count, double low, double high, struct buf *ret_text);

#endif
