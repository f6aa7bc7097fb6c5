/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/words.h"

/* Ten times and more is easier to grasp as such; and what is not gone does not read as -100 %. */
static void put_percent(char *out, size_t size, double older, double newer)
{
	double percent = 100.0 * (newer - older) / older;

	if (newer >= 10 * older)
		snprintf(out, size, "x %.0f", newer / older);
	else if (percent < -99)
		snprintf(out, size, "-99 %%");
	else if (percent > -10 && percent < 10)
		snprintf(out, size, "%+.1f %%", percent);
	else
		snprintf(out, size, "%+.0f %%", percent);
}

struct number words__percent(uint64_t older, uint64_t newer)
{
	struct number out;

	switch (comparison__state(older, newer)) {
	case COMPARISON_SAME:
		strcpy(out.s, "same");
		break;
	case COMPARISON_APPEARED:
		strcpy(out.s, "new");
		break;
	case COMPARISON_GONE:
		strcpy(out.s, "gone");
		break;
	default:
		put_percent(out.s, sizeof(out.s), (double)older, (double)newer);
	}
	return out;
}

struct number words__signed(int64_t bytes)
{
	struct number out = number__bytes(bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes);

	memmove(out.s + 1, out.s, sizeof(out.s) - 1);
	out.s[0] = bytes < 0 ? '-' : '+';
	return out;
}

char *words__role(const struct comparison_row *row)
{
	char *words;

	return asprintf(&words, "%s%s", row->command ?: "?", row->worker ? " workers" : "") < 0
		       ? NULL
		       : words;
}

char *words__kind(const char *cause, const char *type)
{
	char *words;

	return asprintf(&words, "%s%s%s", cause, type ? " of " : "", type ?: "") < 0 ? NULL : words;
}

/* " of gunicorn (3 then, 4 now)", allocated */
static char *name_workers(const struct comparison *c)
{
	const char *then = c->older_worker, *now = c->newer_worker;
	char *words;
	int n;

	if (then && now && strcmp(then, now) != 0)
		n = asprintf(&words, ": %s of %s then, %s of %s now",
			     number__count(c->older_workers).s, then,
			     number__count(c->newer_workers).s, now);
	else
		n = asprintf(&words, " of %s: %s then, %s now", now ?: then ?: "nothing",
			     number__count(c->older_workers).s, number__count(c->newer_workers).s);
	return n < 0 ? NULL : words;
}

char *words__per_worker(const struct comparison *c)
{
	_free_ char *name = name_workers(c);
	char *words;
	int n;

	if (!c->older_worker && !c->newer_worker)
		n = asprintf(&words, "No process began with shared pages, so each run is taken as "
				     "one worker.");
	else
		n = asprintf(&words,
			     "Per worker: what all processes copied, divided by the number of "
			     "workers%s.",
			     name ?: "");
	return n < 0 ? NULL : words;
}

/* --- the sentence ------------------------------------------------------------ */

static bool agrees(const struct comparison_row *row, int64_t change)
{
	return row->significant && (!change || (change < 0) == (row->change < 0));
}

/* The largest change in the direction of all; NULL: none. */
static const struct comparison_row *leader(const struct comparison_table *table, int64_t change)
{
	for (size_t i = 0; i < table->n; i++)
		if (agrees(&table->rows[i], change))
			return &table->rows[i];
	return NULL;
}

static bool is_most(const struct comparison_row *row, int64_t change)
{
	int64_t part = row->change < 0 ? -row->change : row->change;

	return part >= (change < 0 ? -change : change) / 2;
}

/* "refcount of int at app.py:14", allocated. What is gone is named after where it was. */
static char *name_row(const struct comparison_row *row)
{
	bool gone = row->older_file && !row->newer.copies;
	const char *file = gone ? row->older_file : row->file;
	uint32_t line = gone ? row->older_line : row->line;
	_free_ char *kind = words__kind(row->cause, row->type);
	char *words;
	int n;

	if (!kind)
		return NULL;
	if (file)
		n = asprintf(&words, "%s at %s:%" PRIu32, kind, words__file(file), line);
	else if (row->function)
		n = asprintf(&words, "%s in %s", kind, row->function);
	else
		n = asprintf(&words, "%s", kind);
	return n < 0 ? NULL : words;
}

/* "; most of it: ... (-11.9 MiB)", allocated. Most of it may lie at many lines: then the cause. */
static char *main_part(const struct comparison *c)
{
	int64_t change = c->total.state == COMPARISON_SAME ? 0 : c->total.change;
	const struct comparison_row *row = leader(&c->sites, change);
	const struct comparison_row *cause = leader(&c->causes, change);
	_free_ char *name = NULL;
	char *words;

	if (cause && change && (!row || (!is_most(row, change) && is_most(cause, change))))
		row = cause;
	if (!row)
		return strdup("");
	name = name_row(row);
	return asprintf(&words, "; %s: %s (%s)",
			change && is_most(row, change) ? "most of it" : "the largest part",
			name ?: "?", words__signed(row->change).s) < 0
		       ? NULL
		       : words;
}

static char *same(const struct comparison *c)
{
	const struct number then = number__bytes(c->total.older.per_worker);
	_free_ char *part = main_part(c);
	char *words;
	int n;

	if (!c->total.older.per_worker)
		n = asprintf(&words, "Nothing was copied, neither now nor in %s.", c->older_name);
	else if (c->any_significant)
		n = asprintf(&words,
			     "Per worker about as much was copied as in %s (%s then, %s now), but "
			     "not the same%s.",
			     c->older_name, then.s, number__bytes(c->total.newer.per_worker).s,
			     part ?: "");
	else
		n = asprintf(&words, "Nothing changed since %s: %s copied per worker.",
			     c->older_name, number__bytes(c->total.newer.per_worker).s);
	return n < 0 ? NULL : words;
}

static char *changed(const struct comparison *c)
{
	const struct comparison_row *total = &c->total;
	uint64_t change = total->change < 0 ? -(uint64_t)total->change : (uint64_t)total->change;
	_free_ char *part = main_part(c);
	char *words;
	int n;

	n = asprintf(&words, "Per worker, %s %s was copied than in %s (%s): %s -> %s%s.",
		     number__bytes(change).s, total->change < 0 ? "less" : "more", c->older_name,
		     words__percent(total->older.per_worker, total->newer.per_worker).s,
		     number__bytes(total->older.per_worker).s,
		     number__bytes(total->newer.per_worker).s, part ?: "");
	return n < 0 ? NULL : words;
}

char *words__change(const struct comparison *c)
{
	_free_ char *part = NULL;
	char *words;

	switch (c->total.state) {
	case COMPARISON_SAME:
		return same(c);
	case COMPARISON_GONE:
		return asprintf(&words, "Nothing was copied; in %s it was %s per worker.",
				c->older_name, number__bytes(c->total.older.per_worker).s) < 0
			       ? NULL
			       : words;
	case COMPARISON_APPEARED:
		part = main_part(c);
		return asprintf(&words, "Per worker, %s was copied; in %s nothing was%s.",
				number__bytes(c->total.newer.per_worker).s, c->older_name,
				part ?: "") < 0
			       ? NULL
			       : words;
	default:
		return changed(c);
	}
}
