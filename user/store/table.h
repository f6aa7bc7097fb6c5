/* SPDX-License-Identifier: MIT */
/* Rows of a table that may hold anything: each value is checked when it is taken. Private to the
 * store. */
#ifndef COWTRACE_STORE_TABLE_H
#define COWTRACE_STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern;
struct names;
struct sqlite3;
struct sqlite3_stmt;

struct table_row {
	struct sqlite3_stmt *statement;
	struct intern *pool;
	int at; /* the next column */
	bool bad;
};

/* PRAGMA user_version. */
int table__schema(struct sqlite3 *db);

/* A column, and what a file of an older schema that lacks it has in its place; NULL: each has it.
 */
struct table_column {
	const char *name, *otherwise;
};

/* The query for the columns of a table that exist, in the order that they are listed in. The
 * caller's to free; NULL: no memory, or damaged. */
char *table__query(struct sqlite3 *db, const char *table, const struct table_column *columns,
		   size_t n);

/* Takes the columns of a row in order. False: no more rows are wanted, the file is damaged. */
typedef bool (*table_take)(void *ctx, struct table_row *row);

/* Gives each row of a query. 0, or -EINVAL if SQLite or take found it damaged. */
int table__each(struct sqlite3 *db, struct intern *pool, const char *sql, table_take take,
		void *ctx);

/* The next column. What is not in the bounds makes the row bad, and something harmless comes. */
int64_t row__int(struct table_row *row, int64_t least, int64_t most);
bool row__flag(struct table_row *row);
/* 0 .. INT64_MAX; NULL: SNAPSHOT_UNKNOWN */
uint64_t row__known(struct table_row *row);
/* All 64 bits. */
uint64_t row__word(struct table_row *row);
double row__real(struct table_row *row);
/* Interned, valid UTF-8 of bounded length; or NULL. */
const char *row__text_or_null(struct table_row *row);
const char *row__text(struct table_row *row);
/* A word of an enumeration; NULL: its first one. */
uint8_t row__name(struct table_row *row, const struct names *names);
void row__blob(struct table_row *row, void *out, size_t size);

#endif
