/* SPDX-License-Identifier: MIT */
#include "store/table.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/utf8.h"
#include "model/snapshot.h"
#include "store/names.h"
#include "store/store.h"

/* No text that is recorded is longer; a problem of a Python is the longest. */
#define MAX_TEXT 4096

int table__schema(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	int version = 0;

	if (!sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) &&
	    sqlite3_step(statement) == SQLITE_ROW)
		version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return version;
}

static bool has_column(sqlite3 *db, const char *table, const char *column)
{
	return !sqlite3_table_column_metadata(db, "main", table, column, NULL, NULL, NULL, NULL,
					      NULL);
}

char *table__query(sqlite3 *db, const char *table, const struct table_column *columns, size_t n)
{
	bool older = table__schema(db) < STORE_SCHEMA;
	char *query = NULL;
	size_t size;
	FILE *out = open_memstream(&query, &size);

	if (!out)
		return NULL;
	fputs("SELECT ", out);
	for (size_t i = 0; i < n; i++) {
		bool lacks =
			older && columns[i].otherwise && !has_column(db, table, columns[i].name);

		fprintf(out, "%s%s", i ? ", " : "", lacks ? columns[i].otherwise : columns[i].name);
	}
	fprintf(out, " FROM %s", table);
	if (fclose(out)) {
		free(query);
		return NULL;
	}
	return query;
}

int table__each(sqlite3 *db, struct intern *pool, const char *sql, table_take take, void *ctx)
{
	struct table_row row = {.pool = pool};
	bool good = true;
	int code = sql ? sqlite3_prepare_v2(db, sql, -1, &row.statement, NULL) : SQLITE_NOMEM;

	if (code)
		return -EINVAL;
	while (good && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
		row.at = 0;
		good = take(ctx, &row) && !row.bad;
	}
	sqlite3_finalize(row.statement);
	return good && code == SQLITE_DONE ? 0 : -EINVAL;
}

/* To be asked before the value, which would be converted. */
static bool next_is(const struct table_row *row, int type)
{
	return sqlite3_column_type(row->statement, row->at) == type;
}

int64_t row__int(struct table_row *row, int64_t least, int64_t most)
{
	bool fits = next_is(row, SQLITE_INTEGER);
	int64_t value = sqlite3_column_int64(row->statement, row->at++);

	if (fits && value >= least && value <= most)
		return value;
	row->bad = true;
	return least;
}

bool row__flag(struct table_row *row)
{
	return row__int(row, 0, 1);
}

uint64_t row__known(struct table_row *row)
{
	if (!next_is(row, SQLITE_NULL))
		return (uint64_t)row__int(row, 0, INT64_MAX);
	row->at++;
	return SNAPSHOT_UNKNOWN;
}

uint64_t row__word(struct table_row *row)
{
	return (uint64_t)row__int(row, INT64_MIN, INT64_MAX);
}

double row__real(struct table_row *row)
{
	bool fits = next_is(row, SQLITE_FLOAT);
	double value = sqlite3_column_double(row->statement, row->at++);

	/* No trace takes longer than a century; what is not a number is neither. */
	if (fits && value > -4e9 && value < 4e9)
		return value;
	row->bad = true;
	return 0;
}

const char *row__text(struct table_row *row)
{
	bool fits = next_is(row, SQLITE_TEXT);
	const char *text = (const char *)sqlite3_column_text(row->statement, row->at);
	size_t size = (size_t)sqlite3_column_bytes(row->statement, row->at++);
	char clean[MAX_TEXT];

	if (!fits || !text || size >= sizeof(clean)) {
		row->bad = true;
		return intern__str(row->pool, "");
	}
	utf8__sanitize(clean, sizeof(clean), text, size);
	return intern__str(row->pool, clean);
}

const char *row__text_or_null(struct table_row *row)
{
	if (!next_is(row, SQLITE_NULL))
		return row__text(row);
	row->at++;
	return NULL;
}

uint8_t row__name(struct table_row *row, const struct names *names)
{
	const char *word = row__text_or_null(row);
	int value = word ? names__value(names, word) : 0;

	if (value >= 0)
		return (uint8_t)value;
	row->bad = true;
	return 0;
}

void row__blob(struct table_row *row, void *out, size_t size)
{
	bool fits = next_is(row, SQLITE_BLOB);
	const void *blob = sqlite3_column_blob(row->statement, row->at);
	int bytes = sqlite3_column_bytes(row->statement, row->at++);

	if (fits && blob && (size_t)bytes == size)
		memcpy(out, blob, size);
	else
		row->bad = true;
}
