/* SPDX-License-Identifier: MIT */
#include "store/reader.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "store/connect.h"
#include "store/names.h"
#include "store/recorded.h"
#include "store/table.h"

/* --- the head ---------------------------------------------------------------- */

static bool take_capture(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	struct recording *head = &r->head;
	bool first = !head->version;

	head->version = head->host.version = row__text(row);
	head->host.kernel = row__text(row);
	head->host.machine = row__text(row);
	head->host.page_size = (uint32_t)row__int(row, 512, 1 << 24);
	r->base_time = (uint64_t)row__int(row, 0, INT64_MAX / 4);
	head->start_time = row__known(row);
	head->copies = row__known(row);
	head->finished = row__flag(row);
	head->cut = row__text_or_null(row);
#define TEXT(column, member)  head->capture.member = row__text_or_null(row);
#define COUNT(column, member) head->capture.member = row__known(row);
#include "store/capture.def"
	return first && head->capture.witness && head->capture.witness_limits;
}

static const struct table_column capture_columns[] = {
	{"version", NULL},   {"kernel", NULL},	  {"machine", NULL},
	{"page_size", NULL}, {"base_time", NULL}, {"start_time", NULL},
	{"copies", NULL},    {"finished", NULL},  {"cut", NULL},
#define TEXT(column, member)  {#column, "NULL"},
#define COUNT(column, member) {#column, "NULL"},
#include "store/capture.def"
};

static bool take_seconds(void *ctx, struct table_row *row)
{
	((struct reader *)ctx)->head.capture.seconds = row__real(row);
	return true;
}

/* As far as there are copies. */
static bool take_last(void *ctx, struct table_row *row)
{
	struct reader *r = ctx;
	int64_t last = row__int(row, -(INT64_MAX / 4000), INT64_MAX / 4000);

	last = last * 1000 + (int64_t)(r->base_time - r->head.start_time);
	r->head.capture.seconds = last > 0 ? (double)last / 1e9 : 0;
	return true;
}

static bool take_loss(void *ctx, struct table_row *row)
{
	struct snapshot_capture *capture = &((struct reader *)ctx)->head.capture;
	uint8_t reason = row__name(row, &lost_names);
	uint64_t copies = (uint64_t)row__int(row, 0, INT64_MAX / CT_LOST_MAX / 4);

	capture->lost_by_reason[reason] = copies;
	capture->lost += copies;
	return true;
}

/* What the end of a tracing says is not there without an end. */
static int fill_cut(struct reader *r)
{
	struct recording *head = &r->head;

	if (head->capture.reuses == SNAPSHOT_UNKNOWN)
		head->capture.reuses = 0;
	if (head->capture.wall_time == SNAPSHOT_UNKNOWN)
		head->capture.wall_time = 0;
	if (head->start_time == SNAPSHOT_UNKNOWN)
		head->start_time = r->n_processes ? r->processes[0].facts.started : r->base_time;
	if (head->copies != SNAPSHOT_UNKNOWN)
		return table__each(r->db, r->pool, "SELECT seconds FROM capture", take_seconds, r);
	return table__each(r->db, r->pool, "SELECT ifnull(max(time), 0) FROM copy", take_last, r);
}

static int read_head(struct reader *r)
{
	_free_ char *query = table__query(r->db, "capture", capture_columns,
					  sizeof(capture_columns) / sizeof(capture_columns[0]));
	int err = table__each(r->db, r->pool, query, take_capture, r);

	if (!err && !r->head.version)
		err = -EINVAL;
	return err ?: table__each(r->db, r->pool, "SELECT reason, copies FROM loss", take_loss, r);
}

/* --- the rest ---------------------------------------------------------------- */

static int reader__read(struct reader *r)
{
	/* One transaction: it may still be written to. */
	if (sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL))
		return -EINVAL;
	return read_head(r) ?: recorded__read(r) ?: fill_cut(r);
}

static int open_with(sqlite3 *db, struct intern *pool, struct reader **out, char *why,
		     size_t why_size)
{
	struct reader *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r) {
		sqlite3_close(db);
		return err;
	}
	r->db = db;
	r->pool = pool;
	err = reader__read(r);
	if (err) {
		reader__why(r, err, why, why_size);
		reader__free(r);
		return err;
	}
	*out = r;
	return 0;
}

void reader__why(const struct reader *r, int err, char *why, size_t why_size)
{
	int code = sqlite3_errcode(r->db);

	if (err == -ENOMEM)
		snprintf(why, why_size, "is too large: out of memory");
	else
		snprintf(why, why_size, "is damaged%s%s",
			 code == SQLITE_OK || code >= SQLITE_ROW ? "" : ": ",
			 code == SQLITE_OK || code >= SQLITE_ROW ? "" : sqlite3_errstr(code));
}

int reader__open(const char *path, struct intern *pool, struct reader **out, char *why,
		 size_t why_size)
{
	sqlite3 *db;
	int err = connect__file(path, &db, why, why_size);

	return err ?: open_with(db, pool, out, why, why_size);
}

int reader__open_bytes(const uint8_t *bytes, size_t size, struct intern *pool, struct reader **out,
		       char *why, size_t why_size)
{
	sqlite3 *db;
	int err = connect__bytes(bytes, size, &db, why, why_size);

	return err ?: open_with(db, pool, out, why, why_size);
}

void reader__free(struct reader *r)
{
	if (!r)
		return;
	recorded__free(r);
	sqlite3_close(r->db);
	free(r);
}

const struct recording *reader__recording(const struct reader *r)
{
	return &r->head;
}

size_t reader__evidences(const struct reader *r)
{
	return r->n_evidences;
}

const struct fault_facts *reader__evidence(const struct reader *r, size_t index)
{
	return &r->evidences[index];
}

const struct recording_source *reader__sources(const struct reader *r, size_t *n)
{
	*n = r->n_sources;
	return r->sources;
}

/* --- copies ------------------------------------------------------------------ */

struct replay {
	struct reader *reader;
	const struct reader_handler *handler;
	struct fault_facts facts;
	size_t fact; /* that facts are of, + 1 */
	uint64_t seen;
	int64_t rowid;
};

static int by_known_after(const void *a, const void *b)
{
	const struct recorded_process *x = a, *y = b;

	if (x->known_after != y->known_after)
		return x->known_after < y->known_after ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

struct telling {
	struct replay *replay;
	struct recorded_process *sorted;
	size_t process, sample; /* the next ones */
};

/* What became known before the next copy. */
static void tell(struct telling *t, uint64_t seen)
{
	const struct reader_handler *handler = t->replay->handler;
	const struct reader *r = t->replay->reader;

	while (t->process < r->n_processes && t->sorted[t->process].known_after <= seen &&
	       t->sorted[t->process].known_after != SNAPSHOT_UNKNOWN)
		handler->process(handler->ctx, &t->sorted[t->process++].facts);
	while (t->sample < r->n_samples && r->samples[t->sample].after <= seen) {
		const struct recorded_sample *sample = &r->samples[t->sample++];

		handler->sample(handler->ctx, sample->pid, sample->time, sample->new_bytes);
	}
}

/* Runs of copies have the same fact. */
static void use_fact(struct replay *replay, size_t fact)
{
	const struct reader *r = replay->reader;
	const struct recorded_fact *f = &r->facts[fact];

	if (replay->fact == fact + 1)
		return;
	replay->fact = fact + 1;
	replay->facts = r->evidences[f->evidence];
	replay->facts.pid = r->processes[f->process].facts.pid;
	replay->facts.tid = f->thread;
	replay->facts.stack = f->stack ? r->stacks[f->stack - 1] : NULL;
}

static bool take_copy(void *ctx, struct table_row *row)
{
	struct telling *telling = ctx;
	struct replay *replay = telling->replay;
	const struct reader *r = replay->reader;
	int64_t rowid = row__int(row, replay->rowid + 1, INT64_MAX);
	int64_t fact = row__int(row, 1, INT64_MAX) - 1;
	int64_t time = row__int(row, -(INT64_MAX / 4000), INT64_MAX / 4000);
	uint64_t page = (uint64_t)row__int(row, 0, INT32_MAX);

	if (row->bad || (uint64_t)fact >= r->n_facts)
		return false;
	replay->rowid = rowid;
	use_fact(replay, (size_t)fact);
	replay->facts.time = r->base_time + (uint64_t)(time * 1000);
	replay->facts.addr = (r->facts[fact].first_page + page) * r->head.host.page_size;
	tell(telling, replay->seen);
	replay->handler->copy(replay->handler->ctx, &replay->facts, r->facts[fact].evidence);
	replay->seen++;
	return true;
}

int reader__replay(struct reader *r, const struct reader_handler *handler, char *why,
		   size_t why_size)
{
	struct replay replay = {.reader = r, .handler = handler};
	struct telling telling = {.replay = &replay};
	size_t size = r->n_processes * sizeof(*telling.sorted);
	int err = -ENOMEM;

	telling.sorted = malloc(size + 1);
	if (telling.sorted && size)
		memcpy(telling.sorted, r->processes, size);
	if (telling.sorted) {
		qsort(telling.sorted, r->n_processes, sizeof(*telling.sorted), by_known_after);
		err = table__each(r->db, r->pool, "SELECT rowid, fact, time, page FROM copy",
				  take_copy, &telling);
	}
	if (err)
		reader__why(r, err, why, why_size);
	else
		tell(&telling, UINT64_MAX - 1);
	free(telling.sorted);
	return err;
}
