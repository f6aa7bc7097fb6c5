/* SPDX-License-Identifier: MIT */
/* Files that are not what they should be: cut, damaged, foreign, made to harm. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "store_world.h"

/* A recording of some hundred copies that has ended. */
static void record(struct store_world *w)
{
	world__open(w, 5);
	world__happen(w, 300);
	assert_int_equal(world__finish(w, world__snapshot(w)), 0);
}

/* 0, or an error with one line that says why. */
static int try(const char *path, char *why, size_t size)
{
	struct replay *replay = NULL;
	const struct snapshot *snap;
	int err;

	why[0] = '\0';
	err = replay__new(path, &replay, why, size);
	if (err) {
		assert_true(why[0] != '\0');
		assert_null(strchr(why, '\n'));
		return err;
	}
	assert_int_equal(replay__snapshot(replay, &snap), 0);
	for (size_t i = 0; i < WORLD_SINKS; i++) {
		size_t n;

		free(world__render(snap, world_sinks[i], &n));
	}
	replay__free(replay);
	return 0;
}

static void assert_refused(const char *path, const char *word)
{
	char why[512];

	assert_true(try(path, why, sizeof(why)) < 0);
	if (!strstr(why, word))
		fail_msg("\"%s\" does not say \"%s\"", why, word);
}

/* Any number of its first bytes. */
static void test_truncated(void **state)
{
	struct store_world w;
	size_t size, good = 0;
	uint8_t *bytes;
	char why[512];

	(void)state;
	record(&w);
	bytes = world__bytes(w.path, &size);
	for (size_t n = 0; n < size; n += n < 200 ? 7 : 1511) {
		world__put(w.path, bytes, n);
		good += try(w.path, why, sizeof(why)) == 0;
	}
	assert_int_equal(good, 0);
	free(bytes);
	world__close(&w);
}

/* Bytes that are wrong: in the head, in pages, anywhere. Some do not matter. */
static void test_damaged(void **state)
{
	struct store_world w;
	size_t size, refused = 0;
	uint8_t *bytes;
	char why[512];

	(void)state;
	record(&w);
	bytes = world__bytes(w.path, &size);
	for (unsigned int i = 0; i < 1500; i++) {
		size_t at = world__random(&w, 3) ? world__random(&w, (unsigned)size)
						 : world__random(&w, 40) * 4096 + i % 12;
		uint8_t before;

		at = at < size ? at : i;
		before = bytes[at];
		bytes[at] = (uint8_t)world__random(&w, 256);
		world__put(w.path, bytes, size);
		refused += try(w.path, why, sizeof(why)) < 0;
		bytes[at] = before;
	}
	assert_true(refused > 100);
	world__put(w.path, bytes, size);
	assert_int_equal(try(w.path, why, sizeof(why)), 0);
	free(bytes);
	world__close(&w);
}

/* SQL that is run on a good recording, and what is then said of it. */
static const struct {
	const char *sql, *word;
} harms[] = {
	{"PRAGMA user_version = 99", "newer cowtrace"},
	{"PRAGMA user_version = 0", "damaged"},
	{"PRAGMA application_id = 7", "no recording"},
	{"DROP TABLE copy", "lacks tables"},
	{"ALTER TABLE copy RENAME TO other; CREATE VIEW copy AS SELECT * FROM other", "lacks"},
	{"DROP TABLE copy; CREATE VIRTUAL TABLE copy USING fts5(fact, time, page)", "lacks"},
	{"ALTER TABLE copy ADD COLUMN bad AS (fact + 1)", "lacks"},
	{"DROP VIEW copies; ALTER TABLE copy DROP COLUMN page", "damaged"},
	{"DELETE FROM capture", "damaged"},
	{"CREATE TABLE again AS SELECT * FROM capture; UPDATE again SET id = 2;"
	 "INSERT INTO capture SELECT * FROM again",
	 "damaged"},
	{"UPDATE capture SET page_size = 0", "damaged"},
	{"UPDATE capture SET seconds = 9e999", "damaged"},
	{"UPDATE capture SET seconds = 'long'", "damaged"},
	{"UPDATE capture SET kernel = zeroblob(99)", "damaged"},
	{"UPDATE capture SET kernel = printf('%100000s', 'x')", "damaged"},
	{"UPDATE process SET pid = -1", "damaged"},
	{"UPDATE process SET id = id + 1000", "damaged"},
	{"UPDATE type SET id = 77 WHERE id = 1", "damaged"},
	{"UPDATE evidence SET region = 'nowhere'", "damaged"},
	{"UPDATE evidence SET window = zeroblob(71)", "damaged"},
	{"UPDATE evidence SET opcode = 256", "damaged"},
	{"UPDATE evidence SET object_type = 99", "damaged"},
	{"UPDATE evidence SET symbol_is_function = 1, symbol = NULL", "damaged"},
	{"UPDATE evidence SET field = 'lazy', field_name = NULL", "damaged"},
	{"UPDATE frame SET site = 100000", "damaged"},
	{"UPDATE frame SET depth = depth + 100", "damaged"},
	{"UPDATE frame SET stack = stack + 100000", "damaged"},
	{"UPDATE fact SET evidence = 0", "damaged"},
	{"UPDATE fact SET stack = 100000", "damaged"},
	{"UPDATE copy SET fact = 0", "damaged"},
	{"UPDATE copy SET fact = 1 << 40", "damaged"},
	{"UPDATE copy SET time = 9223372036854775807", "damaged"},
	{"UPDATE copy SET page = -1", "damaged"},
	{"UPDATE copy SET rowid = rowid - 100000", "damaged"},
	{"INSERT INTO loss VALUES ('boredom', 1)", "damaged"},
};

static void test_harmful(void **state)
{
	struct store_world w;
	uint8_t *bytes;
	size_t size;

	(void)state;
	record(&w);
	bytes = world__bytes(w.path, &size);
	for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
		sqlite3 *db;
		char *message = NULL;

		world__put(w.path, bytes, size);
		assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
		if (sqlite3_exec(db, harms[i].sql, NULL, NULL, &message))
			fail_msg("%s: %s", harms[i].sql, message);
		sqlite3_close(db);
		assert_refused(w.path, harms[i].word);
	}
	free(bytes);
	world__close(&w);
}

static void test_no_recordings(void **state)
{
	static const uint8_t text[] = "SQLite format 2 and other things";
	struct store_world w;
	sqlite3 *db;

	(void)state;
	w = (struct store_world){};
	world__directory(&w);
	assert_refused(w.path, "No such file");
	assert_refused(w.directory, "is no file");
	assert_refused("/dev/null", "is no file");
	world__put(w.path, text, 0);
	assert_refused(w.path, "is empty");
	world__put(w.path, text, sizeof(text));
	assert_refused(w.path, "no recording");
	unlink(w.path);
	assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE copy(fact)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_refused(w.path, "no recording");
	world__remove(&w);
}

/* --- writing ----------------------------------------------------------------- */

static int make(struct store_world *w, const char *path, char *why, size_t size)
{
	struct writer *writer = NULL;
	int err = writer__new(path, &w->host, &w->capture, &writer, why, size);

	writer__free(writer);
	return err;
}

static void test_only_recordings_are_overwritten(void **state)
{
	static const uint8_t text[] = "somebody's thesis";
	char why[512], name[128];
	struct store_world w;
	uint8_t *bytes;
	size_t size;

	(void)state;
	record(&w);
	assert_int_equal(make(&w, w.path, why, sizeof(why)), 0);
	/* what is left of a crash does not reach into a new file */
	snprintf(name, sizeof(name), "%s-journal", w.path);
	world__put(name, text, sizeof(text));
	assert_int_equal(make(&w, w.path, why, sizeof(why)), 0);
	world__put(w.path, text, 0);
	assert_int_equal(make(&w, w.path, why, sizeof(why)), 0);
	world__put(w.path, text, sizeof(text));
	assert_int_equal(make(&w, w.path, why, sizeof(why)), -EEXIST);
	assert_non_null(strstr(why, "not overwritten"));
	bytes = world__bytes(w.path, &size);
	assert_int_equal(size, sizeof(text));
	assert_memory_equal(bytes, text, size);
	free(bytes);
	assert_int_equal(make(&w, w.directory, why, sizeof(why)), -EEXIST);
	assert_true(make(&w, "/nonexistent/file.cow", why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "/nonexistent/file.cow"));
	world__close(&w);
}

/* "file:..." and ":memory:" mean something to SQLite. */
static void test_names_are_only_names(void **state)
{
	static const char *const names[] = {"file:x.cow?mode=memory", ":memory:", "-", " "};
	char why[512], before[512];
	struct store_world w;

	(void)state;
	record(&w);
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(w.directory), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(make(&w, names[i], why, sizeof(why)), 0);
		assert_int_equal(access(names[i], F_OK), 0);
		assert_int_equal(try(names[i], why, sizeof(why)), 0);
		unlink(names[i]);
		snprintf(why, sizeof(why), "%s-journal", names[i]);
		unlink(why);
	}
	assert_int_equal(chdir(before), 0);
	world__close(&w);
}

static const struct snapshot *read_cut(struct store_world *w, struct replay **replay)
{
	const struct snapshot *snap;
	char why[512];

	assert_int_equal(replay__new(w->path, replay, why, sizeof(why)), 0);
	assert_int_equal(replay__snapshot(*replay, &snap), 0);
	assert_non_null(snap->capture.cut);
	return snap;
}

/* What came before the end is there, and it is said that there is no end. */
static void test_killed(void **state)
{
	const struct snapshot *snap;
	struct replay *replay;
	struct store_world w;

	(void)state;
	world__open(&w, 3);
	world__happen(&w, 70000);
	writer__free(w.writer); /* one batch is written, the other one is not */
	w.writer = NULL;
	snap = read_cut(&w, &replay);
	assert_non_null(strstr(snap->capture.cut, "killed"));
	assert_non_null(strstr(snap->capture.cut, "65,536 copies"));
	assert_int_equal(snap->capture.copies, 65536);
	assert_true(snap->n_processes > 8);
	assert_true(snap->capture.seconds > 1);
	replay__free(replay);
	world__close(&w);
}

/* Killed in the middle of a transaction: it never was. */
static void test_killed_half_way(void **state)
{
	char copy[128], journal[256], why[512];
	struct store_world w;
	uint8_t *bytes;
	sqlite3 *db;
	size_t size;

	(void)state;
	record(&w);
	assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA cache_spill = 1; PRAGMA synchronous = OFF; BEGIN;"
				      "UPDATE copy SET fact = 0",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_db_cacheflush(db), SQLITE_OK);
	snprintf(copy, sizeof(copy), "%s.copy", w.path);
	snprintf(journal, sizeof(journal), "%s-journal", w.path);
	bytes = world__bytes(w.path, &size);
	world__put(copy, bytes, size);
	free(bytes);
	assert_refused(copy, "damaged"); /* the journal is missing: fact = 0 */
	bytes = world__bytes(journal, &size);
	assert_true(size > 4096);
	snprintf(journal, sizeof(journal), "%s-journal", copy);
	world__put(journal, bytes, size);
	assert_int_equal(try(copy, why, sizeof(why)), 0);
	assert_int_equal(try(copy, why, sizeof(why)), 0);
	free(bytes);
	sqlite3_close(db);
	world__close(&w);
}

/* A journal that would make SQLite remove another file is not played back. */
static void test_journal_that_names_a_victim(void **state)
{
	static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	char journal[128], copy[128], why[512];
	uint8_t *bytes, *longer;
	struct store_world w;
	size_t size, old;
	sqlite3 *db;

	(void)state;
	record(&w);
	assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA synchronous = OFF; BEGIN; UPDATE copy SET fact = 0",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_db_cacheflush(db), SQLITE_OK);
	snprintf(copy, sizeof(copy), "%s.copy", w.path);
	bytes = world__bytes(w.path, &size);
	world__put(copy, bytes, size);
	free(bytes);
	snprintf(journal, sizeof(journal), "%s-journal", w.path);
	bytes = world__bytes(journal, &old);
	longer = malloc(old + sizeof(magic));
	assert_non_null(longer);
	memcpy(longer, bytes, old);
	memcpy(longer + old, magic, sizeof(magic));
	snprintf(journal, sizeof(journal), "%s.copy-journal", w.path);
	world__put(journal, longer, old + sizeof(magic));
	assert_refused(copy, "half written");
	world__put(journal, bytes, old);
	assert_int_equal(try(copy, why, sizeof(why)), 0);
	free(bytes);
	free(longer);
	sqlite3_close(db);
	world__close(&w);
}

/* No file may grow beyond some bytes: a disk that is full, for this process. */
static int record_on_a_small_disk(struct store_world *w)
{
	struct rlimit small = {.rlim_cur = 400000, .rlim_max = 400000};
	const struct snapshot *snap;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &small))
		return 2;
	log__set_level(LOG_ERROR);
	world__happen(w, 70000);
	snap = world__snapshot(w);
	return world__finish(w, snap) == -EIO ? 0 : 1;
}

static void test_full_disk(void **state)
{
	const struct snapshot *snap;
	struct replay *replay;
	struct store_world w;
	int status;
	pid_t pid;

	(void)state;
	w = (struct store_world){};
	world__directory(&w);
	pid = fork();
	if (pid == 0) {
		struct store_world other;
		char why[256];

		world__open(&other, 4);
		world__remove(&other);
		writer__free(other.writer);
		if (writer__new(w.path, &other.host, &other.capture, &other.writer, why,
				sizeof(why)))
			_exit(3);
		_exit(record_on_a_small_disk(&other));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snap = read_cut(&w, &replay);
	assert_int_equal(snap->capture.copies + snap->capture.lost_by_reason[CT_LOST_NOT_SAVED],
			 70000);
	assert_true(snap->capture.lost_by_reason[CT_LOST_NOT_SAVED] > 0);
	assert_true(snap->capture.seconds > 1);
	replay__free(replay);
	world__remove(&w);
}

/* Without copies there is a report, too. */
static void test_cut_at_once(void **state)
{
	const struct snapshot *snap;
	struct replay *replay;
	struct store_world w;

	(void)state;
	world__open(&w, 3);
	writer__free(w.writer);
	w.writer = NULL;
	snap = read_cut(&w, &replay);
	assert_int_equal(snap->capture.copies, 0);
	replay__free(replay);
	world__close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_harmful),
		cmocka_unit_test(test_no_recordings),
		cmocka_unit_test(test_only_recordings_are_overwritten),
		cmocka_unit_test(test_names_are_only_names),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_half_way),
		cmocka_unit_test(test_journal_that_names_a_victim),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_cut_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
