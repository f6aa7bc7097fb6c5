/* SPDX-License-Identifier: MIT */
#include "store/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/file.h"
#include "store/table.h"

#define HEAD_BYTES 100

/* --- what a file can not make SQLite do -------------------------------------- */

static void limit(sqlite3 *db)
{
	static const struct {
		int what, most;
	} limits[] = {
		{SQLITE_LIMIT_LENGTH, 1 << 20},
		{SQLITE_LIMIT_SQL_LENGTH, 1 << 16},
		{SQLITE_LIMIT_COLUMN, 200},
		{SQLITE_LIMIT_EXPR_DEPTH, 50},
		{SQLITE_LIMIT_COMPOUND_SELECT, 4},
		{SQLITE_LIMIT_VDBE_OP, 25000},
		{SQLITE_LIMIT_FUNCTION_ARG, 8},
		{SQLITE_LIMIT_ATTACHED, 0},
		{SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
		{SQLITE_LIMIT_VARIABLE_NUMBER, 10},
		{SQLITE_LIMIT_TRIGGER_DEPTH, 1},
		{SQLITE_LIMIT_WORKER_THREADS, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		sqlite3_limit(db, limits[i].what, limits[i].most);
}

/* https://sqlite.org/security.html, "untrusted SQLite database files". */
static int defend(sqlite3 *db)
{
	limit(db);
	sqlite3_busy_timeout(db, 10000);
	return sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL)       ?:
	       sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) ?:
	       sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL) ?:
	       sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL)    ?:
	       sqlite3_exec(db,
			    "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
			    "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY",
			    NULL, NULL, NULL);
}

/*
 * What is read must be stored as it is: no virtual tables, no columns that are computed. Views are
 * switched off already.
 */
static int check_tables(sqlite3 *db)
{
	static const char *const tables[] = {"capture",	 "loss",  "process", "site",
					     "stack",	 "frame", "type",    "fact",
					     "evidence", "copy",  "sample"};
	size_t n = sizeof(tables) / sizeof(tables[0]) - (table__schema(db) < 2); /* sample */
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		sqlite3_stmt *statement = NULL;

		err = sqlite3_prepare_v2(
			db,
			"SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1"
			" AND rootpage > 0 AND NOT EXISTS"
			" (SELECT 1 FROM pragma_table_xinfo(?1) WHERE hidden <> 0)",
			-1, &statement, NULL);
		if (!err) {
			sqlite3_bind_text(statement, 1, tables[i], -1, SQLITE_STATIC);
			err = sqlite3_step(statement) == SQLITE_ROW ? 0 : SQLITE_CORRUPT;
		}
		sqlite3_finalize(statement);
	}
	return err;
}

/* --- files that were left by a crash ----------------------------------------- */

/*
 * A journal may name another file that SQLite removes when it is played back (sqlite.org/
 * fileformat2.html has no word on it; pager.c, readSuperJournal, does). cowtrace's never do.
 */
static bool journal_is_harmless(const char *path)
{
	static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	_free_ char *name = NULL;
	_close_ int fd = -1;
	uint8_t end[8];
	struct stat st;

	if (asprintf(&name, "%s-journal", path) < 0)
		return false;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < 8)
		return false;
	return pread(fd, end, sizeof(end), st.st_size - 8) == (ssize_t)sizeof(end) &&
	       memcmp(end, magic, sizeof(magic)) != 0;
}

/* The first look into the file; for a reader, SQLite refuses one that a crash left half written. */
static int first_look(sqlite3 *db)
{
	return sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
}

static int roll_back(const char *path)
{
	sqlite3 *db = NULL;
	int code = SQLITE_PERM;

	if (journal_is_harmless(path))
		code = file__open(path, SQLITE_OPEN_READWRITE, &db) ?: defend(db) ?: first_look(db);
	sqlite3_close(db);
	return code;
}

static bool is_half_written(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	return code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_RECOVERY ||
	       (code & 0xff) == SQLITE_CANTOPEN;
}

/* --- opening ----------------------------------------------------------------- */

static int check_head(const char *path, char *why, size_t why_size)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t head[HEAD_BYTES];
	struct stat st;
	ssize_t n;
	int err;

	if (fd < 0 || fstat(fd, &st)) {
		err = -errno;
		snprintf(why, why_size, "cannot be read: %s", strerror(-err));
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, why_size, "is no file");
		return -EINVAL;
	}
	n = read(fd, head, sizeof(head));
	return file__check(head, n < 0 ? 0 : (size_t)n, why, why_size);
}

static int damaged(sqlite3 *db, int code, char *why, size_t why_size)
{
	if (!code)
		return 0;
	if ((code & 0xff) == SQLITE_BUSY)
		snprintf(why, why_size, "is locked by another program");
	else if (db && is_half_written(db))
		snprintf(why, why_size,
			 "was left half written by a crash, and cannot be repaired: the file, its "
			 "-journal and their directory have to be writable");
	else
		/* not sqlite3_errmsg(), which may quote the file */
		snprintf(why, why_size, "is damaged: %s", sqlite3_errstr(code));
	return -EINVAL;
}

int connect__file(const char *path, sqlite3 **out, char *why, size_t why_size)
{
	sqlite3 *db = NULL;
	int code, err = check_head(path, why, why_size);

	if (err)
		return err;
	code = file__open(path, SQLITE_OPEN_READONLY, &db) ?: defend(db) ?: first_look(db);
	if (code && db && is_half_written(db) && !roll_back(path))
		code = first_look(db);
	if (!code && check_tables(db)) {
		snprintf(why, why_size, "is damaged: it lacks tables of a recording");
		err = -EINVAL;
	}
	err = err ?: damaged(db, code, why, why_size);
	if (err)
		sqlite3_close(db);
	else
		*out = db;
	return err;
}

int connect__bytes(const uint8_t *bytes, size_t size, sqlite3 **out, char *why, size_t why_size)
{
	int code, err = file__check(bytes, size, why, why_size);
	uint8_t *copy = err ? NULL : sqlite3_malloc64(size);
	sqlite3 *db = NULL;

	if (err)
		return err;
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, size);
	code = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code)
		sqlite3_free(copy);
	else
		code = sqlite3_deserialize(
			db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
			SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
	code = code ?: defend(db) ?: first_look(db) ?: check_tables(db);
	err = damaged(db, code, why, why_size);
	if (err)
		sqlite3_close(db);
	else
		*out = db;
	return err;
}
