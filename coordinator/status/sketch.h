/* sketch: functions as numbers and as paths of SVG, for the page. Pure. β are at their initial values. */
#ifndef COORDINATOR_STATUS_SKETCH_H
#define COORDINATOR_STATUS_SKETCH_H

#include "common/expr/expr.h"
#include "common/json.h"

/* The picture of f over [−5, 5] in a box of SKETCH_WIDTH × SKETCH_HEIGHT, y downwards: {"path": "M0 12L…", "zero": 12},
 * where zero is the height of the x axis. Heights beyond ±5 are cut, and so is what is not finite: the path then has gaps. */
enum { SKETCH_WIDTH = 96, SKETCH_HEIGHT = 48 };
void sketch_put(const struct expr *f, const char *key, struct json *json);

/* The same as numbers: {"x": […], "f": […], "df": […]}, null where not finite. */
void sketch_put_samples(const struct expr *f, const char *key, struct json *json);

#endif
