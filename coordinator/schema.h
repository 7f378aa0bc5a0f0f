/* schema: the text of coordinator/schema.sql, built into the program. */
#ifndef COORDINATOR_SCHEMA_H
#define COORDINATOR_SCHEMA_H

extern const char schema_sql[];

#endif
