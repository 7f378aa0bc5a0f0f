/* order: the commands that give an order to the coordinator of a database: stop, pause, resume. */
#ifndef CLI_ORDER_H
#define CLI_ORDER_H

#include "proto/control.h"

/* Reads the command line "DB", gives the order, says how it was answered, and returns an exit status. `doc` is the help. */
int order_command(int argc, char **argv, enum control_order order, const char *doc);

#endif
