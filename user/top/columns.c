/* SPDX-License-Identifier: MIT */
/* What the tables show. */
#include "top/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "model/cause.h"
#include "model/snapshot.h"

/* --- what all tables have ---------------------------------------------------- */

static const struct live_counts *counts_of(const struct row *row)
{
	return row->process ? &row->process->n : &row->line->n;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static void rate_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	uint64_t n = counts_of(row)->recent.copies, tenths = rate_of(data, n, 10);

	if (tenths >= 1000 || !n)
		snprintf(out, size, "%s", number__count(rate_of(data, n, 1)).s);
	else
		snprintf(out, size, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

static int rate_compare(const struct row *a, const struct row *b)
{
	return compare(counts_of(a)->recent.copies, counts_of(b)->recent.copies)
		       ?: compare(counts_of(a)->total.copies, counts_of(b)->total.copies);
}

static void mib_rate_text(const struct top_data *data, const struct row *row, char *out,
			  size_t size)
{
	uint64_t bytes = counts_of(row)->recent.pages * data->page_size;

	snprintf(out, size, "%s", number__mib(rate_of(data, bytes, 1)).s);
}

static int mib_rate_compare(const struct row *a, const struct row *b)
{
	return compare(counts_of(a)->recent.pages, counts_of(b)->recent.pages);
}

static void copies_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	(void)data;
	snprintf(out, size, "%s", number__count(counts_of(row)->total.copies).s);
}

static int copies_compare(const struct row *a, const struct row *b)
{
	return compare(counts_of(a)->total.copies, counts_of(b)->total.copies);
}

static void mib_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	snprintf(out, size, "%s", number__mib(counts_of(row)->total.pages * data->page_size).s);
}

static int mib_compare(const struct row *a, const struct row *b)
{
	return compare(counts_of(a)->total.pages, counts_of(b)->total.pages);
}

#define RATE                                                                                       \
	{                                                                                          \
		"copies/s", 9, 9, false, rate_text, rate_compare                                   \
	}
#define MIB_RATE                                                                                   \
	{                                                                                          \
		"MiB/s", 8, 3, false, mib_rate_text, mib_rate_compare                              \
	}
#define COPIES                                                                                     \
	{                                                                                          \
		"copies", 11, 8, false, copies_text, copies_compare                                \
	}
#define MIB                                                                                        \
	{                                                                                          \
		"copied MiB", 11, 7, false, mib_text, mib_compare                                  \
	}

/* --- workers ----------------------------------------------------------------- */

static void pid_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	(void)data;
	if (row->process->facts.pid)
		snprintf(out, size, "%" PRIu32, row->process->facts.pid);
	else
		snprintf(out, size, "-"); /* a sum */
}

static int pid_compare(const struct row *a, const struct row *b)
{
	return compare(b->process->facts.pid, a->process->facts.pid); /* the smallest first */
}

static void bytes_text(uint64_t bytes, char *out, size_t size)
{
	snprintf(out, size, "%s", bytes == SNAPSHOT_UNKNOWN ? "-" : number__mib(bytes).s);
}

/* Unknown is least. */
static int bytes_compare(uint64_t a, uint64_t b)
{
	return compare(a + 1, b + 1);
}

#define BYTES(name, member)                                                                        \
	static void name##_text(const struct top_data *data, const struct row *row, char *out,     \
				size_t size)                                                       \
	{                                                                                          \
		(void)data;                                                                        \
		bytes_text(row->process->facts.member, out, size);                                 \
	}                                                                                          \
	static int name##_compare(const struct row *a, const struct row *b)                        \
	{                                                                                          \
		return bytes_compare(a->process->facts.member, b->process->facts.member);          \
	}

BYTES(shared, shared_now)
BYTES(then, shared_at_fork)
BYTES(fresh, new_bytes)

static void command_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	const struct process_facts *facts = &row->process->facts;

	(void)data;
	snprintf(out, size, "%s%s%s%s", facts->command, facts->exited ? " (ended)" : "",
		 facts->python_problem ? " ! " : "", facts->python_problem ?: "");
}

static const struct column worker_columns[] = {
	{"pid", 8, 10, true, pid_text, pid_compare},
	RATE,
	MIB_RATE,
	COPIES,
	MIB,
	{"shared MiB", 11, 6, false, shared_text, shared_compare},
	{"then MiB", 9, 2, false, then_text, then_compare},
	{"new MiB", 9, 5, false, fresh_text, fresh_compare},
	{"command", 18, 10, true, command_text, NULL},
};

/* --- sites and causes -------------------------------------------------------- */

static void cause_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	(void)data;
	snprintf(out, size, "%s",
		 row->line->cause < CAUSE_MAX ? cause__name(row->line->cause) : "");
}

static void type_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	(void)data;
	snprintf(out, size, "%s", row->line->type ?: "");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void site_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	const struct live_row *line = row->line;

	(void)data;
	if (line->file)
		snprintf(out, size, "%s:%" PRIu32 " in %s", base_name(line->file), line->line,
			 line->function);
	else if (line->kernel)
		snprintf(out, size, "%s (kernel)", line->function ?: "exception");
	else
		snprintf(out, size, "%s", line->function ?: "[unknown code]");
}

static void meaning_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	(void)data;
	if (row->line->cause < CAUSE_MAX)
		snprintf(out, size, "%s", cause__help(row->line->cause));
	else
		snprintf(out, size, "%s", row->line->function);
}

static void percent_text(const struct top_data *data, const struct row *row, char *out, size_t size)
{
	snprintf(out, size, "%s",
		 number__percent(row->line->n.recent.pages, data->live->n.recent.pages).s);
}

static const struct column site_columns[] = {
	RATE,
	MIB_RATE,
	COPIES,
	MIB,
	{"cause", 14, 6, true, cause_text, NULL},
	{"type", 16, 5, true, type_text, NULL},
	{"site", 30, 10, true, site_text, NULL},
};

static const struct column cause_columns[] = {
	RATE,
	MIB_RATE,
	{"% now", 7, 4, false, percent_text, mib_rate_compare},
	COPIES,
	MIB,
	{"cause", 14, 10, true, cause_text, NULL},
	{"type", 16, 6, true, type_text, NULL},
	{"what happens", 20, 5, true, meaning_text, NULL},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const struct pane_columns *columns__of(enum pane pane)
{
	static const struct pane_columns panes[PANES] = {
		[PANE_WORKERS] = {worker_columns, COUNT(worker_columns), "Workers"},
		[PANE_SITES] = {site_columns, COUNT(site_columns), "Sites"},
		[PANE_CAUSES] = {cause_columns, COUNT(cause_columns), "Causes"},
	};

	return &panes[pane];
}
