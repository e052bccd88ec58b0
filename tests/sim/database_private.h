/* database_private - PostgreSQL's half. */
#ifndef TESTS_SIM_DATABASE_PRIVATE_H
#define TESTS_SIM_DATABASE_PRIVATE_H

#include "tests/sim/database.h"

void postgres_database_open(struct database *d);
bool postgres_database_written(struct database *d);
void postgres_database_run(struct database *d, const char *sql);
void postgres_database_end_sessions(struct database *d);
void postgres_database_select(struct database *d, const char *sql, int64_t number);
bool postgres_database_next(struct database *d);
int postgres_database_columns(const struct database *d);
bool postgres_database_null(const struct database *d, int col);
int64_t postgres_database_number(const struct database *d, int col);
const void *postgres_database_bytes(const struct database *d, int col, size_t *ret_len);
void postgres_copy_take(struct copy *c, struct database *d);
void postgres_copy_put_back(const struct copy *c, struct database *d);

#endif
