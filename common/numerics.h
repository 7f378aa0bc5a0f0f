/* numerics: the number of the arithmetic. Each change that alters any bit of a training raises it; HELLO carries it, the
 * experiment pins it, and tests/golden notices a change without it. */
#ifndef COMMON_NUMERICS_H
#define COMMON_NUMERICS_H

enum { NUMERICS = 2 };

/* The name of the built-in trainer, which HELLO carries and the experiment pins as well. */
#define BUILT_IN_TRAINER "actsearch"

#endif
