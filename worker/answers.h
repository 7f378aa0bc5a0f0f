/* answers: trials whose training is in a table (common/trial_table.h) are answered from there, with the bits that the training would
 * have. What is not in the table is left to the trainer.
 */
#ifndef WORKER_ANSWERS_H
#define WORKER_ANSWERS_H

#include "common/trial_table.h"
#include "proto/msg.h"

/* ERR_CONFLICT where it is of another arithmetic or another trainer than this build's; and as trial_table_read. */
int answers_open(const char *path, struct trial_table **ret_table, struct problem *problem);
/* 1: *ret_outcome is the RESULT; 0: the table has no such training; ERR_CONFLICT: it is of other data or of other settings than the
 * trial, whatever the function. */
int answers_find(const struct trial_table *table, const struct msg_lease *lease, const char *data_hash,
                 struct msg *ret_outcome, struct problem *problem);

#endif
