/* SPDX-License-Identifier: MIT */
/* WHO: the ledger of each process. */
#include "sink/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"

/* With the indentation of 2 and the gaps behind pid (2) and command (1): 100 columns. */
#define PID	8
#define COMMAND 15
#define PYTHON	7
#define FORKED	10
#define THEN	12
#define PAGES	13
#define COPIED	8
#define STILL	13
#define OWN	9

static void size_cell(const struct text *t, uint64_t bytes, const char *unknown, size_t width)
{
	text__right(t, bytes == SNAPSHOT_UNKNOWN ? unknown : number__mib(bytes).s, width);
}

static void forked_cell(const struct text *t, const struct snapshot_process *p)
{
	char when[32] = "-";

	if (p->forked && p->forked_at < 0)
		strcpy(when, "before");
	else if (p->forked)
		snprintf(when, sizeof(when), "%.1f s", p->forked_at);
	text__right(t, when, FORKED);
}

static void row(const struct text *t, const struct snapshot_process *p)
{
	fprintf(t->out, "%*" PRIu32 "  ", PID, p->pid);
	text__left(t, p->command, COMMAND, ESCAPE_CUT_END);
	fputc(' ', t->out);
	text__left(t, p->python ?: p->python_problem ? "?" : "-", PYTHON, ESCAPE_CUT_END);
	forked_cell(t, p);
	size_cell(t, p->shared_at_fork, p->forked ? "?" : "-", THEN);
	text__right(t, number__count(p->copies).s, PAGES);
	text__right(t, number__mib(snapshot__bytes(t->snap, p->pages)).s, COPIED);
	size_cell(t, p->shared_now, p->exited ? "ended" : "?", STILL);
	size_cell(t, p->new_bytes, p->exited ? "ended" : "?", OWN);
	fputc('\n', t->out);
}

static void head(const struct text *t)
{
	text__title(t, TEXT_HEAD, "\nWHO");
	fprintf(t->out, "%*s  %-*s %-*s%*s%*s%*s%*s%*s%*s\n", PID - 3, "pid", COMMAND, "command",
		PYTHON, "python", FORKED, "forked at", THEN, "shared then", PAGES, "pages copied",
		COPIED, "MiB", STILL, "still shared", OWN, "own new");
}

static int order_copies(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* So many copies a forked process needs for a row of its own, if there are more than fit. */
static uint64_t threshold(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	_free_ uint64_t *copies = calloc(snap->n_processes + 1, sizeof(*copies));
	size_t n = 0;

	for (size_t i = 0; copies && i < snap->n_processes; i++)
		if (snap->processes[i].forked)
			copies[n++] = snap->processes[i].copies;
	if (n <= t->top)
		return 0;
	qsort(copies, n, sizeof(*copies), order_copies);
	return copies[t->top - 1];
}

static void rest(const struct text *t, size_t n, uint64_t copies, uint64_t pages)
{
	char words[64];

	snprintf(words, sizeof(words), "and %s more", number__count(n).s);
	fprintf(t->out, "%*s  ", PID, "");
	text__left(t, words, COMMAND + 1 + PYTHON + FORKED + THEN, ESCAPE_CUT_END);
	text__right(t, number__count(copies).s, PAGES);
	text__right(t, number__mib(snapshot__bytes(t->snap, pages)).s, COPIED);
	fputc('\n', t->out);
}

/* A parent is often blamed, since tools see its memory become private when its children copy. */
static void parents(const struct text *t)
{
	for (size_t i = 0; i < t->snap->n_processes; i++) {
		const struct snapshot_process *p = &t->snap->processes[i];

		if (!p->children || p->copies || p->lost || !t->snap->capture.copies)
			continue;
		text__paragraph(
			t, "  ",
			"%s [%" PRIu32 "] copied nothing. If its memory looks less shared than "
			"before, that is because its %s copied what it shared with them.",
			p->command, p->pid, words__plural(p->children, "child", "children"));
	}
}

/* What the columns mean. */
static void legend(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	bool attached = snapshot__any_attached(snap), any = attached;

	for (size_t i = 0; i < snap->n_processes; i++)
		any |= snap->processes[i].forked;
	if (!any)
		return;
	text__paragraph(t, "  ",
			"In MiB. Shared then: %s. Still shared: what is left of that now, or was "
			"when the process ended. Own new: filled since %s, not a copy.",
			attached ? "with any other process, when cowtrace attached, or with its "
				   "parent, when it was forked later"
				 : "with its parent, when it was forked",
			attached ? "then" : "the fork");
}

void text__who(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	uint64_t enough = threshold(t), left_copies = 0, left_pages = 0;
	size_t shown = 0, left = 0;

	head(t);
	for (size_t i = 0; i < snap->n_processes; i++) {
		const struct snapshot_process *p = &snap->processes[i];

		if (!p->forked || (p->copies >= enough && shown++ < t->top)) {
			row(t, p);
		} else {
			left++;
			left_copies += p->copies;
			left_pages += p->pages;
		}
	}
	if (left)
		rest(t, left, left_copies, left_pages);
	legend(t);
	parents(t);
}
