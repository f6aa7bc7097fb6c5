// SPDX-License-Identifier: MIT
// link: user/store/reader.c user/store/recorded.c user/store/table.c user/store/connect.c
// link: user/store/file.c user/store/names.c user/replay.c user/model/aggregate.c
// link: user/model/history.c user/model/pages.c user/model/derive.c user/model/derive_*.c
// link: user/model/advice.c user/model/advice_*.c user/model/type_counts.c user/model/groups.c
// link: user/model/cause.c
// link: user/model/rules_*.c user/model/compare.c user/model/compare_*.c user/model/stack_table.c
// link: user/sink/text.c user/sink/text_changed.c user/sink/text_kinds.c user/sink/text_notes.c
// link: user/sink/text_page.c
// link: user/sink/text_tables.c user/sink/text_who.c user/sink/text_words.c user/sink/words.c
// link: user/sink/words_changed.c user/sink/json.c user/sink/json_baseline.c
// link: user/sink/json_value.c user/sink/folded.c user/sink/escape.c user/sink/flame.c
// link: user/sink/flamegraph.c user/sink/flamegraph_*.c user/sink/string_table.c user/sink/svg.c
// link: user/base/intern.c user/base/log.c user/base/number.c user/base/progress.c user/base/utf8.c
// link: -Ibuild/gen -DCOWTRACE_VERSION='"0"' -lsqlite3 -ljansson
/*
 * Any bytes as a recording, through cause, model and sinks. Bytes alone seldom get past SQLite, so
 * the mutator also changes values where they are: with SQL.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/compare.h"
#include "model/snapshot.h"
#include "replay.h"
#include "sink/sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static void write_all(const struct snapshot *snap)
{
	static const struct sink *const sinks[] = {&sink_text, &sink_json, &sink_folded,
						   &sink_flamegraph};
	const struct sink_options opt = {0};

	for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++) {
		char *output = NULL;
		size_t n;
		FILE *out = open_memstream(&output, &n);

		if (sinks[i]->write(snap, &opt, out))
			abort();
		fclose(out);
		free(output);
	}
}

static void write_compared(const struct snapshot *older, const struct snapshot *newer)
{
	struct comparison *comparison;
	struct snapshot shown = *newer;

	if (comparison__new(older, newer, "older.cow", &comparison))
		abort();
	if (older == newer && comparison->any_significant)
		abort();
	shown.comparison = comparison;
	write_all(&shown);
	comparison__free(comparison);
}

/* A good one, to compare with. */
static const struct snapshot *good_snapshot(void)
{
	static struct replay *replay;
	const struct snapshot *snap;
	char why[512] = "";

	if (!replay && replay__new("tests/golden/recording-1.cow", &replay, why, sizeof(why))) {
		fprintf(stderr, "tests/golden/recording-1.cow %s\n", why);
		abort();
	}
	if (replay__snapshot(replay, &snap))
		abort();
	return snap;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct snapshot *snap, *good;
	struct replay *replay;
	char why[512] = "";

	if (replay__new_of_bytes(data, size, &replay, why, sizeof(why))) {
		if (!why[0] || strchr(why, '\n'))
			abort();
		return 0;
	}
	if (replay__snapshot(replay, &snap))
		abort();
	good = good_snapshot();
	write_all(snap);
	write_compared(snap, snap);
	write_compared(good, snap);
	write_compared(snap, good);
	replay__free(replay);
	return 0;
}

/* One of the tables and columns that there are, and one of the values that could hurt. */
static char *make_change(sqlite3 *db, unsigned int seed)
{
	static const char *const values[] = {
		"NULL",
		"0",
		"1",
		"-1",
		"2",
		"255",
		"256",
		"65536",
		"4294967295",
		"4294967296",
		"9223372036854775807",
		"-9223372036854775808",
		"1e300",
		"-1e300",
		"''",
		"'x'",
		"x'00'",
		"zeroblob(72)",
		"randomblob(72)",
		"rowid + 1",
		"char(27, 10, 8238)",
		"hex(randomblob(2000))",
		"'lazy'",
		"'code'",
		"'data'",
		"'keys'",
		"'pymalloc'",
		"'heap'",
		"'anonymous'",
		"'store'",
		"'vector'",
		"'int'",
		"'dict'",
		"random()",
	};
	sqlite3_stmt *statement;
	char *change = NULL;

	if (sqlite3_prepare_v2(db,
			       "SELECT t.name, c.name FROM sqlite_schema AS t,"
			       " pragma_table_info(t.name) AS c WHERE t.type = 'table'"
			       " ORDER BY (t.rootpage * 7919 + c.cid * 104729 + ?1) % 1009 LIMIT 1",
			       -1, &statement, NULL))
		return NULL;
	sqlite3_bind_int(statement, 1, (int)(seed % 1009));
	if (sqlite3_step(statement) == SQLITE_ROW)
		change = sqlite3_mprintf("%s \"%w\" SET \"%w\" = %s WHERE abs(random()) %% %d = 0",
					 "UPDATE OR REPLACE", sqlite3_column_text(statement, 0),
					 sqlite3_column_text(statement, 1),
					 values[seed / 1009 % (sizeof(values) / sizeof(values[0]))],
					 seed % 3 ? 4 : 1);
	sqlite3_finalize(statement);
	return change;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	unsigned char *copy = seed % 4 ? sqlite3_malloc64(size + 1) : NULL, *after = NULL;
	sqlite3_int64 after_size = 0;
	sqlite3 *db = NULL;
	char *change;

	if (!copy)
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(copy, data, size);
	sqlite3_open(":memory:", &db);
	sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
			    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
	change = make_change(db, seed / 4);
	if (change && !sqlite3_exec(db, change, NULL, NULL, NULL))
		after = sqlite3_serialize(db, "main", &after_size, 0);
	if (after && after_size > 0 && (size_t)after_size <= max_size) {
		size = (size_t)after_size;
		memcpy(data, after, size);
	} else {
		size = LLVMFuzzerMutate(data, size, max_size);
	}
	sqlite3_free(after);
	sqlite3_free(change);
	sqlite3_close(db);
	return size;
}
