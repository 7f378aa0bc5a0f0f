/* signals: requests to stop, and the waiting of a command that looks after others.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdint.h>

/* From now on SIGINT, SIGTERM and SIGHUP are counted instead of ending the program. */
void stops_take(void);
/* How many have come. */
int stops_asked(void);

/* Of the monotonic clock. */
int64_t monotonic_ms(void);
void pause_ms(int64_t ms);

#endif
