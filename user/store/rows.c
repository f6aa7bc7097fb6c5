/* SPDX-License-Identifier: MIT */
#include "store/rows.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "store/names.h"

enum statement {
	BEGIN,
	END,
	LOSS,
	PROCESS,
	SAMPLE,
	TYPE_,
	EVIDENCE,
	STACK,
	FORGET_FRAMES,
	FRAME,
	SITE,
	SOURCE,
	FACT,
	COPY,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "INSERT INTO capture(id, version, kernel, machine, page_size, base_time,"
		  " finished"
#define TEXT(column, member)  ", " #column
#define COUNT(column, member) ", " #column
#include "store/capture.def"
		  ") VALUES (1, ?, ?, ?, ?, ?, 0"
#define TEXT(column, member)  ", ?"
#define COUNT(column, member) ", ?"
#include "store/capture.def"
		  ")",
	[END] = "UPDATE capture SET start_time = ?, seconds = ?, copies = ?, finished = ?, cut = ?"
#define TEXT(column, member)  ", " #column " = ?"
#define COUNT(column, member) ", " #column " = ?"
#include "store/capture.def"
	,
	[LOSS] = "INSERT INTO loss(reason, copies) VALUES (?, ?)",
	[PROCESS] = "REPLACE INTO process(id, pid, ppid, command, python, python_problem, forked,"
		    " exited, attached, started, shared_at_fork, shared_now, new_bytes,"
		    " private_before, lost, reuses, known_after)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SAMPLE] = "INSERT INTO sample(process, time, new_bytes, after) VALUES (?, ?, ?, ?)",
	[TYPE_] = "INSERT INTO type(id, name, has_gc, preheader, is_code, is_type)"
		  " VALUES (?, ?, ?, ?, ?, ?)",
	[EVIDENCE] = "INSERT INTO evidence(id, cause, certainty, detail, type, window"
#define FLAG(column, member)	    ", " #column
#define NAME(column, member, names) ", " #column
#define TEXT(column, member)	    ", " #column
#define TYPE(column, member)	    ", " #column
#define CODE(column, member)	    ", " #column
#define NUMBER(column, member)	    ", " #column
#include "store/evidence.def"
		     ") VALUES (?, ?, ?, ?, ?, ?"
#define FLAG(column, member)	    ", ?"
#define NAME(column, member, names) ", ?"
#define TEXT(column, member)	    ", ?"
#define TYPE(column, member)	    ", ?"
#define CODE(column, member)	    ", ?"
#define NUMBER(column, member)	    ", ?"
#include "store/evidence.def"
		     ")",
	[STACK] = "INSERT INTO stack(id, unwind) VALUES (?, ?)",
	[FORGET_FRAMES] = "DELETE FROM frame WHERE stack = ?",
	[FRAME] = "INSERT INTO frame(stack, depth, site, missing) VALUES (?, ?, ?, ?)",
	[SITE] = "INSERT INTO site(id, file, function, line) VALUES (?, ?, ?, ?)",
	[SOURCE] = "UPDATE site SET source = ? WHERE id = ?",
	[FACT] = "INSERT INTO fact(id, process, thread, stack, evidence, first_page)"
		 " VALUES (?, ?, ?, ?, ?, ?)",
	[COPY] = "INSERT INTO copy(fact, time, page) VALUES (?, ?, ?)",
};

struct rows {
	sqlite3_stmt *statements[STATEMENTS];
};

int rows__new(sqlite3 *db, struct rows **out)
{
	struct rows *rows = calloc(1, sizeof(*rows));
	int err = rows ? SQLITE_OK : SQLITE_NOMEM;

	for (size_t i = 0; i < STATEMENTS && !err; i++)
		err = sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					 &rows->statements[i], NULL);
	if (err)
		rows__free(rows);
	else
		*out = rows;
	return err;
}

void rows__free(struct rows *rows)
{
	if (!rows)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(rows->statements[i]);
	free(rows);
}

void rows__reset(struct rows *rows)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_reset(rows->statements[i]);
}

/* --- binding: the parameters of a statement, one after the other ------------- */

struct row {
	sqlite3_stmt *statement;
	int at;
};

static struct row row__start(struct rows *rows, enum statement which)
{
	return (struct row){.statement = rows->statements[which]};
}

static void put_int(struct row *row, int64_t value)
{
	sqlite3_bind_int64(row->statement, ++row->at, value);
}

/* Not known: NULL, which all are unless they are bound. */
static void put_known(struct row *row, uint64_t value)
{
	if (value == SNAPSHOT_UNKNOWN)
		sqlite3_bind_null(row->statement, ++row->at);
	else
		put_int(row, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

static void put_text(struct row *row, const char *text)
{
	sqlite3_bind_text(row->statement, ++row->at, text, -1, SQLITE_STATIC);
}

/* NULL for 0: no such row. */
static void put_id(struct row *row, uint32_t id)
{
	put_known(row, id ? id : SNAPSHOT_UNKNOWN);
}

static int row__write(struct row *row)
{
	sqlite3_step(row->statement);
	return sqlite3_reset(row->statement);
}

/* --- tables ------------------------------------------------------------------ */

static void put_capture(struct row *row, const struct snapshot_capture *capture)
{
#define TEXT(column, member)  put_text(row, capture->member);
#define COUNT(column, member) put_known(row, capture->member);
#include "store/capture.def"
}

int rows__begin(struct rows *rows, const struct snapshot_host *host,
		const struct snapshot_capture *capture, uint64_t base_time)
{
	struct row row = row__start(rows, BEGIN);

	put_text(&row, COWTRACE_VERSION);
	put_text(&row, host->kernel);
	put_text(&row, host->machine);
	put_int(&row, host->page_size);
	put_int(&row, (int64_t)base_time);
	put_capture(&row, capture);
	return row__write(&row);
}

int rows__end(struct rows *rows, const struct end_row *end, const char *cut)
{
	struct row row = row__start(rows, END);

	put_int(&row, (int64_t)end->start_time);
	sqlite3_bind_double(row.statement, ++row.at, end->capture.seconds);
	put_known(&row, end->copies);
	put_int(&row, !cut);
	put_text(&row, cut);
	put_capture(&row, &end->capture);
	return row__write(&row);
}

int rows__loss(struct rows *rows, const char *reason, uint64_t copies)
{
	struct row row = row__start(rows, LOSS);

	put_text(&row, reason);
	put_known(&row, copies);
	return row__write(&row);
}

int rows__process(struct rows *rows, const struct process_row *process)
{
	const struct process_facts *facts = &process->facts;
	struct row row = row__start(rows, PROCESS);

	put_int(&row, process->id);
	put_int(&row, facts->pid);
	put_int(&row, facts->ppid);
	put_text(&row, facts->command ?: "?");
	put_text(&row, facts->python);
	put_text(&row, facts->python_problem);
	put_int(&row, facts->forked);
	put_int(&row, facts->exited);
	put_int(&row, facts->attached);
	put_int(&row, (int64_t)facts->started);
	put_known(&row, facts->shared_at_fork);
	put_known(&row, facts->shared_now);
	put_known(&row, facts->new_bytes);
	put_known(&row, facts->private_before);
	put_known(&row, facts->lost);
	put_known(&row, facts->reuses);
	put_known(&row, process->known ? process->known_after : SNAPSHOT_UNKNOWN);
	return row__write(&row);
}

int rows__sample(struct rows *rows, const struct sample_row *sample)
{
	struct row row = row__start(rows, SAMPLE);

	put_int(&row, sample->process);
	put_int(&row, sample->time);
	put_known(&row, sample->new_bytes);
	put_known(&row, sample->after);
	return row__write(&row);
}

int rows__type(struct rows *rows, const struct type_row *type)
{
	struct row row = row__start(rows, TYPE_);

	put_int(&row, type->id);
	put_text(&row, type->type.name);
	put_int(&row, type->type.has_gc);
	put_int(&row, type->type.preheader);
	put_int(&row, type->type.is_code);
	put_int(&row, type->type.is_type);
	return row__write(&row);
}

int rows__evidence(struct rows *rows, const struct evidence_row *e)
{
	const struct fault_facts *facts = &e->facts;
	struct row row = row__start(rows, EVIDENCE);

	put_int(&row, e->id);
	put_text(&row, cause__name(e->verdict.cause));
	put_text(&row, certainty__name(e->verdict.certainty));
	put_text(&row, e->verdict.detail);
	put_text(&row, e->verdict.type);
	sqlite3_bind_blob(row.statement, ++row.at, facts->window, sizeof(facts->window),
			  SQLITE_STATIC);
#define FLAG(column, member)	    put_int(&row, facts->member);
#define NAME(column, member, names) put_text(&row, names__word(&names, facts->member));
#define TEXT(column, member)	    put_text(&row, facts->member);
#define TYPE(column, member)	    put_id(&row, e->column);
#define CODE(column, member)	    put_int(&row, facts->member);
#define NUMBER(column, member)	    put_int(&row, (int64_t)facts->member);
#include "store/evidence.def"
	return row__write(&row);
}

int rows__stack(struct rows *rows, uint32_t stack, uint8_t unwind)
{
	struct row row = row__start(rows, STACK);

	put_int(&row, stack);
	put_text(&row, names__word(&unwind_names, unwind));
	return row__write(&row);
}

int rows__forget_frames(struct rows *rows, uint32_t stack)
{
	struct row row = row__start(rows, FORGET_FRAMES);

	put_int(&row, stack);
	return row__write(&row);
}

int rows__frame(struct rows *rows, uint32_t stack, uint32_t depth, uint32_t site, uint8_t missing)
{
	struct row row = row__start(rows, FRAME);

	put_int(&row, stack);
	put_int(&row, depth);
	put_int(&row, site);
	put_text(&row, names__word(&missing_names, missing));
	return row__write(&row);
}

int rows__site(struct rows *rows, uint32_t site, const struct frame_fact *frame)
{
	struct row row = row__start(rows, SITE);

	put_int(&row, site);
	put_text(&row, frame->file);
	put_text(&row, frame->function);
	put_int(&row, frame->line);
	return row__write(&row);
}

int rows__source(struct rows *rows, uint32_t site, const char *text)
{
	struct row row = row__start(rows, SOURCE);

	put_text(&row, text);
	put_int(&row, site);
	return row__write(&row);
}

int rows__fact(struct rows *rows, const struct fact_row *fact)
{
	struct row row = row__start(rows, FACT);

	put_int(&row, fact->id);
	put_int(&row, fact->process);
	put_int(&row, fact->thread);
	put_id(&row, fact->stack);
	put_int(&row, fact->evidence);
	put_int(&row, (int64_t)fact->first_page);
	return row__write(&row);
}

int rows__copy(struct rows *rows, const struct copy_row *copy)
{
	struct row row = row__start(rows, COPY);

	put_int(&row, copy->fact);
	put_int(&row, copy->time);
	put_int(&row, copy->page);
	return row__write(&row);
}
