/* SPDX-License-Identifier: MIT */
/* What is saved comes back: facts, and reports made from them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "base/cleanup.h"
#include "golden_file.h"
#include "model/compare.h"
#include "store_world.h"
#include "store/store.h"

static void assert_same_text(const char *a, const char *b)
{
	assert_true(!a == !b);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same_type(const struct type_fact *a, const struct type_fact *b)
{
	assert_true(!a == !b);
	if (!a)
		return;
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->has_gc, b->has_gc);
	assert_int_equal(a->preheader, b->preheader);
	assert_int_equal(a->is_code, b->is_code);
	assert_int_equal(a->is_type, b->is_type);
}

static void assert_same_facts(const struct fault_facts *a, const struct fault_facts *b)
{
#define FLAG(column, member)	    assert_int_equal(a->member, b->member);
#define NAME(column, member, names) assert_int_equal(a->member, b->member);
#define TEXT(column, member)	    assert_same_text(a->member, b->member);
#define TYPE(column, member)	    assert_same_type(a->member, b->member);
#define CODE(column, member)	    assert_true(a->member == b->member);
#define NUMBER(column, member)	    assert_true(a->member == b->member);
#include "store/evidence.def"
	assert_memory_equal(a->window, b->window, sizeof(a->window));
}

struct copies {
	const struct fault_facts *facts; /* as they were given */
	struct reader *reader;
	size_t n;
};

static void compare_copy(void *ctx, const struct fault_facts *facts, size_t evidence)
{
	struct copies *copies = ctx;
	const struct fault_facts *want = &copies->facts[copies->n++];

	assert_same_facts(reader__evidence(copies->reader, evidence), want);
	assert_true(facts__time(facts) == facts__time(want));
	assert_true(facts->addr / PAGE == want->addr / PAGE);
	assert_int_equal(facts->pid, want->pid);
	assert_int_equal(facts->tid, want->tid);
	assert_true(!facts->stack == !want->stack);
	if (!want->stack)
		return;
	assert_int_equal(facts->stack->n, want->stack->n);
	assert_int_equal(facts->stack->unwind, want->stack->unwind);
	for (uint16_t i = 0; i < want->stack->n; i++) {
		assert_same_text(facts->stack->frames[i].file, want->stack->frames[i].file);
		assert_same_text(facts->stack->frames[i].function, want->stack->frames[i].function);
		assert_int_equal(facts->stack->frames[i].line, want->stack->frames[i].line);
		assert_int_equal(facts->stack->frames[i].missing, want->stack->frames[i].missing);
	}
}

static void ignore_process(void *ctx, const struct process_facts *process)
{
	(void)ctx;
	(void)process;
}

static void ignore_sample(void *ctx, uint32_t pid, uint64_t time, uint64_t new_bytes)
{
	(void)ctx;
	(void)pid;
	(void)time;
	(void)new_bytes;
}

/* Each with facts of its own, so that each is the first of its row. */
static void test_facts_come_back(void **state)
{
	enum { N = 500 };
	struct fault_facts facts[N];
	struct store_world w;
	struct copies copies = {.facts = facts};
	const struct reader_handler handler = {.ctx = &copies,
					       .process = ignore_process,
					       .sample = ignore_sample,
					       .copy = compare_copy};
	char why[256] = "";

	(void)state;
	world__open(&w, 1);
	w.now = 5000000000;
	for (size_t i = 0; i < N; i++) {
		world__facts(&w, &facts[i]);
		facts[i].insn.imm = (int64_t)i << 40;
		facts[i].insn.disp = -(int64_t)i;
		w.now += 1234567;
		world__copy(&w, &facts[i]);
	}
	world__find_names(&w);
	assert_int_equal(writer__finish(w.writer, &w.capture, 5000000000), 0);
	assert_int_equal(reader__open(w.path, w.pool, &copies.reader, why, sizeof(why)), 0);
	assert_int_equal(reader__evidences(copies.reader), N);
	assert_int_equal(reader__replay(copies.reader, &handler, why, sizeof(why)), 0);
	assert_int_equal(copies.n, N);
	reader__free(copies.reader);
	world__close(&w);
}

static void compare_reports(struct store_world *w)
{
	const struct snapshot *live = world__snapshot(w), *read;
	char why[256] = "";
	struct replay *replay;

	assert_int_equal(world__finish(w, live), 0);
	assert_int_equal(replay__new(w->path, &replay, why, sizeof(why)), 0);
	assert_int_equal(replay__snapshot(replay, &read), 0);
	for (size_t i = 0; i < WORLD_SINKS; i++) {
		size_t n, m;
		_free_ char *want = world__render(live, world_sinks[i], &n);
		_free_ char *got = world__render(read, world_sinks[i], &m);

		if (n != m || memcmp(want, got, n) != 0)
			fail_msg("%s of a recording differs\n--- live\n%s\n--- read\n%s",
				 world_sinks[i]->name, want, got);
	}
	replay__free(replay);
}

static void test_reports_are_the_same(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct store_world w;

		world__open(&w, seed);
		world__happen(&w, COPIES_OF_RUN);
		compare_reports(&w);
		world__close(&w);
	}
}

static void test_nothing_happened(void **state)
{
	struct store_world w;

	(void)state;
	world__open(&w, 1);
	compare_reports(&w);
	world__close(&w);
}

/* Stays under it however long it takes: a time beyond 35 minutes takes 2 bytes more. */
static void test_a_million_copies_take_24_bytes_each(void **state)
{
	enum { N = 1000000, KINDS = 3000 };
	struct fault_facts *facts = calloc(KINDS, sizeof(*facts));
	struct store_world w;
	struct stat st;

	(void)state;
	world__open(&w, 1);
	w.now = w.start = 3600 * 1000000000ull + 1;
	for (size_t i = 0; i < KINDS; i++)
		world__facts(&w, &facts[i]);
	for (size_t i = 0; i < N; i++) {
		struct fault_facts f = facts[world__random(&w, KINDS)];

		f.addr = 0x7f0000000000 + (uint64_t)world__random(&w, 1u << 23) * PAGE +
			 f.addr % PAGE;
		f.pid = 100 + world__random(&w, 8);
		f.time = w.now += world__random(&w, 10000000);
		world__copy(&w, &f);
	}
	assert_int_equal(world__finish(&w, world__snapshot(&w)), 0);
	assert_int_equal(stat(w.path, &st), 0);
	print_message("%.2f bytes a copy\n", (double)st.st_size / N);
	assert_true(st.st_size <= 24 * N);
	world__close(&w);
	free(facts);
}

static int count_rows(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	n = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return n;
}

/* --- recordings of each schema ------------------------------------------------ */

static const struct sink *const golden_sinks[] = {&sink_text, &sink_json, &sink_folded};

#define N_GOLDEN (sizeof(golden_sinks) / sizeof(golden_sinks[0]))

static void compare_golden(const char *name, const struct snapshot *snap)
{
	for (size_t i = 0; i < N_GOLDEN; i++) {
		size_t size;
		_free_ char *got = world__render(snap, golden_sinks[i], &size), *path = NULL;

		assert_true(asprintf(&path, "tests/golden/%s.%s", name, golden_sinks[i]->name) > 0);
		golden__compare(path, got, size);
	}
}

static struct replay *read_golden(unsigned int schema, const struct snapshot **snap)
{
	char path[64], why[256] = "";
	struct replay *replay;

	snprintf(path, sizeof(path), "tests/golden/recording-%u.cow", schema);
	if (replay__new(path, &replay, why, sizeof(why)))
		fail_msg("%s %s", path, why);
	assert_int_equal(replay__snapshot(replay, snap), 0);
	return replay;
}

/* What older versions wrote is read for ever. */
static void test_recordings_of_each_schema(void **state)
{
	(void)state;
	for (unsigned int schema = 1; schema <= STORE_SCHEMA; schema++) {
		char path[64], name[32];
		const struct snapshot *snap;
		struct replay *replay;
		sqlite3 *db;

		snprintf(name, sizeof(name), "recording-%u", schema);
		snprintf(path, sizeof(path), "tests/golden/%s.cow", name);
		assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
		assert_int_equal(count_rows(db, "PRAGMA user_version"), schema);
		sqlite3_close(db);
		replay = read_golden(schema, &snap);
		compare_golden(name, snap);
		replay__free(replay);
	}
}

/* They can be compared, whichever cowtrace made them. */
static void test_recordings_are_compared(void **state)
{
	const struct snapshot *then, *now;
	struct replay *older = read_golden(1, &then), *newer = read_golden(2, &now);
	struct comparison *comparison;
	struct snapshot shown = *now;

	(void)state;
	assert_int_equal(comparison__new(then, now, "recording-1.cow", &comparison), 0);
	shown.comparison = comparison;
	compare_golden("recordings", &shown);
	comparison__free(comparison);
	replay__free(newer);
	replay__free(older);
}

/* --- the schema and its words ------------------------------------------------ */

static void test_each_column_is_read_and_written(void **state)
{
	static const int columns = 6 /* id, the verdict, window */
#define FLAG(column, member)	    +1
#define NAME(column, member, names) +1
#define TEXT(column, member)	    +1
#define TYPE(column, member)	    +1
#define CODE(column, member)	    +1
#define NUMBER(column, member)	    +1
#include "store/evidence.def"
		;
	struct store_world w;
	sqlite3 *db;

	(void)state;
	world__open(&w, 3);
	world__happen(&w, 100);
	assert_int_equal(world__finish(&w, world__snapshot(&w)), 0);
	assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
	assert_int_equal(count_rows(db, "SELECT count(*) FROM pragma_table_info('evidence')"),
			 columns);
	assert_int_equal(count_rows(db, "PRAGMA user_version"), STORE_SCHEMA);
	assert_int_equal(count_rows(db, "PRAGMA application_id"), STORE_APPLICATION_ID);
	assert_int_equal(count_rows(db, "SELECT count(*) FROM pragma_integrity_check WHERE"
					" integrity_check = 'ok'"),
			 1);
	assert_int_equal(count_rows(db, "PRAGMA freelist_count"), 0);
	assert_int_equal(count_rows(db, "SELECT count(*) FROM copies"), 100);
	sqlite3_close(db);
	world__close(&w);
}

static void test_each_value_has_its_word(void **state)
{
	static const struct {
		const struct names *names;
		size_t n;
	} tables[] = {
		{&origin_names, CT_ORIGIN_MAX},	       {&region_names, REGION_SHARED + 1},
		{&insn_names, INSN_READ + 1},	       {&source_names, INSN_SRC_IMM + 1},
		{&opcode_names, PY_OPCODE_BINARY + 1}, {&allocator_names, BLOCK_ALLOCATORS},
		{&content_names, CONTENT_OTHER + 1},   {&link_names, GC_LINK_OBJECT + 1},
		{&field_names, PY_FIELD_DATA + 1},     {&unwind_names, CT_UNWIND_MAX},
		{&missing_names, CT_MISSING_MAX},      {&lost_names, CT_LOST_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		assert_int_equal(tables[i].names->n, tables[i].n);
		for (size_t k = 0; k < tables[i].n; k++) {
			assert_true(names__word(tables[i].names, k)[0] != '\0');
			assert_int_equal(
				names__value(tables[i].names, names__word(tables[i].names, k)), k);
		}
	}
	assert_int_equal(names__value(&origin_names, "nowhere"), -1);
	assert_string_equal(names__word(&origin_names, 99), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_come_back),
		cmocka_unit_test(test_reports_are_the_same),
		cmocka_unit_test(test_nothing_happened),
		cmocka_unit_test(test_a_million_copies_take_24_bytes_each),
		cmocka_unit_test(test_recordings_of_each_schema),
		cmocka_unit_test(test_recordings_are_compared),
		cmocka_unit_test(test_each_column_is_read_and_written),
		cmocka_unit_test(test_each_value_has_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
