/* gnuplot: runs a gnuplot script to make one picture file.
 *
 * The script sets no output: that is done here. The picture is there whole or not at all.
 */
#ifndef CLI_GNUPLOT_H
#define CLI_GNUPLOT_H

#include "common/buf.h"
#include "common/err.h"

/* ERR_NOT_FOUND: gnuplot is not installed; ERR_IO. */
int gnuplot_make(const struct buf *script, const char *path, struct problem *problem);

/* Text as a gnuplot string, with its quotes; control characters become blanks. */
void gnuplot_put_text(struct buf *script, const char *text);

#endif
