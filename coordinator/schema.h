/* schema: the text of coordinator/schema.sql, built into the program, and the numbers by which a results
 * database is known. schema.sql sets both. */
#ifndef COORDINATOR_SCHEMA_H
#define COORDINATOR_SCHEMA_H

extern const char schema_sql[];

enum {
    SCHEMA_APPLICATION = 'A' << 24 | 'c' << 16 | 't' << 8 | 's', /* PRAGMA application_id */
    SCHEMA_VERSION = 1,                                          /* PRAGMA user_version */
};

#endif
