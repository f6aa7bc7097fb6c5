/* SPDX-License-Identifier: MIT */
#include "store/table.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "base/intern.h"
#include "base/utf8.h"
#include "model/snapshot.h"
#include "store/names.h"

/* No text that is recorded is longer; a problem of a Python is the longest. */
#define MAX_TEXT 4096

int table__each(sqlite3 *db, struct intern *pool, const char *sql, table_take take, void *ctx)
{
	struct table_row row = {.pool = pool};
	bool good = true;
	int code = sqlite3_prepare_v2(db, sql, -1, &row.statement, NULL);

	if (code)
		return -EINVAL;
	while (good && (code = sqlite3_step(row.statement)) == SQLITE_ROW) {
		row.at = 0;
		good = take(ctx, &row) && !row.bad;
	}
	sqlite3_finalize(row.statement);
	return good && code == SQLITE_DONE ? 0 : -EINVAL;
}

int64_t row__int(struct table_row *row, int64_t least, int64_t most)
{
	int column = row->at++;
	int64_t value = sqlite3_column_int64(row->statement, column);

	if (sqlite3_column_type(row->statement, column) == SQLITE_INTEGER && value >= least &&
	    value <= most)
		return value;
	row->bad = true;
	return least;
}

bool row__flag(struct table_row *row)
{
	return row__int(row, 0, 1);
}

static bool is_null(const struct table_row *row)
{
	return sqlite3_column_type(row->statement, row->at) == SQLITE_NULL;
}

uint64_t row__known(struct table_row *row)
{
	if (!is_null(row))
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
	int column = row->at++;
	double value = sqlite3_column_double(row->statement, column);

	/* No trace takes longer than a century; not a number is less than nothing. */
	if (sqlite3_column_type(row->statement, column) == SQLITE_FLOAT && value > -4e9 &&
	    value < 4e9)
		return value;
	row->bad = true;
	return 0;
}

const char *row__text(struct table_row *row)
{
	int column = row->at++;
	const char *text = (const char *)sqlite3_column_text(row->statement, column);
	size_t size = (size_t)sqlite3_column_bytes(row->statement, column);
	char clean[MAX_TEXT];

	if (sqlite3_column_type(row->statement, column) != SQLITE_TEXT || !text ||
	    size >= sizeof(clean)) {
		row->bad = true;
		return intern__str(row->pool, "");
	}
	utf8__sanitize(clean, sizeof(clean), text, size);
	return intern__str(row->pool, clean);
}

const char *row__text_or_null(struct table_row *row)
{
	if (!is_null(row))
		return row__text(row);
	row->at++;
	return NULL;
}

uint8_t row__name(struct table_row *row, const struct names *names)
{
	int value = names__value(names, row__text(row));

	if (value >= 0)
		return (uint8_t)value;
	row->bad = true;
	return 0;
}

void row__blob(struct table_row *row, void *out, size_t size)
{
	int column = row->at++;
	const void *blob = sqlite3_column_blob(row->statement, column);

	if (sqlite3_column_type(row->statement, column) == SQLITE_BLOB && blob &&
	    (size_t)sqlite3_column_bytes(row->statement, column) == size)
		memcpy(out, blob, size);
	else
		row->bad = true;
}
