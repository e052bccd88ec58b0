/* db_private - what a kind of database gives; db.c only calls through it. */
#ifndef CENTRAL_DB_PRIVATE_H
#define CENTRAL_DB_PRIVATE_H

#include "central/db.h"

struct db_ops {
	void (*close)(struct db *db);
	void (*begin)(struct db *db);
	enum err (*commit)(struct db *db, struct reason *why);
	enum err (*rollback)(struct db *db, struct reason *why);
	enum err (*failed)(const struct db *db, struct reason *why);
	void (*stick)(struct db *db, enum err e, const char *text);
	void (*savepoint)(struct db *db);
	void (*release)(struct db *db);
	enum err (*rollback_to)(struct db *db, struct reason *why);
	bool (*replaced)(struct db *db);
	bool (*lost)(struct db *db);
	void (*lock)(struct db *db, const uint64_t *keys, size_t n);

	void (*start)(struct db *db, int id);
	void (*bind_i64)(struct db *db, int id, int place, int64_t v);
	void (*bind_text)(struct db *db, int id, int place, struct span v);
	void (*bind_blob)(struct db *db, int id, int place, struct span v);
	void (*bind_null)(struct db *db, int id, int place);
	bool (*step)(struct db *db, int id);
	void (*done)(struct db *db, int id);
	int64_t (*col_i64)(struct db *db, int id, int col);
	struct span (*col_text)(struct db *db, int id, int col);
	struct span (*col_blob)(struct db *db, int id, int col);
	bool (*col_null)(struct db *db, int id, int col);
	int64_t (*changes)(struct db *db, int id);
};

/* The first member of each kind's own struct. */
struct db {
	const struct db_ops *ops;
};

#endif
