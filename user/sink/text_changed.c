/* SPDX-License-Identifier: MIT */
/* WHAT CHANGED since an older run. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "model/compare.h"
#include "sink/text.h"

/* With the indentation of 2 and the gap of 2 before the last column: 100. */
#define NAME	40
#define THEN	9
#define NOW	9
#define CHANGE	10
#define PERCENT 8
#define WHAT	20

/* Below this, MiB would read as 0.0. */
#define MIB_FROM (10ull << 20)

struct changed {
	const struct text *t;
	const struct comparison *c;
	bool mib; /* else KiB */
};

/* --- one row ----------------------------------------------------------------- */

static struct number amount(const struct changed *ch, uint64_t bytes)
{
	return ch->mib ? number__mib(bytes) : number__kib(bytes);
}

static void change_cell(const struct changed *ch, int64_t change)
{
	uint64_t size = change < 0 ? -(uint64_t)change : (uint64_t)change;
	char cell[40];

	snprintf(cell, sizeof(cell), "%s%s", change < 0 ? "-" : "+", amount(ch, size).s);
	text__right(ch->t, cell, CHANGE);
}

static void row(const struct changed *ch, const char *name, const struct comparison_row *r,
		const char *what)
{
	const struct text *t = ch->t;

	fputs("  ", t->out);
	text__left(t, name, NAME, ESCAPE_CUT_END);
	text__right(t, amount(ch, r->older.per_worker).s, THEN);
	text__right(t, amount(ch, r->newer.per_worker).s, NOW);
	change_cell(ch, r->change);
	text__right(t, words__percent(r->older.per_worker, r->newer.per_worker).s, PERCENT);
	if (!what || !*what) {
		fputc('\n', t->out);
		return;
	}
	fputs("  ", t->out);
	text__last(t, what, WHAT);
}

static void cause_row(const struct changed *ch, const struct comparison_row *r)
{
	row(ch, r->cause, r, NULL);
}

static void type_row(const struct changed *ch, const struct comparison_row *r)
{
	row(ch, r->type, r, r->cause);
}

/* "was line 12: ", "was /srv/app-1.2/app.py:12: ", "": allocated. */
static char *was(const struct comparison_row *r)
{
	bool moved = r->older_file && r->newer.copies;
	char *words;
	int n;

	if (!moved)
		return strdup("");
	if (strcmp(r->older_file, r->file) == 0)
		n = asprintf(&words, "was line %" PRIu32 ": ", r->older_line);
	else
		n = asprintf(&words, "was %s:%" PRIu32 ": ", r->older_file, r->older_line);
	return n < 0 ? NULL : words;
}

/* A site that is gone is shown where it was. */
static void site_row(const struct changed *ch, const struct comparison_row *r)
{
	bool gone = r->older_file && !r->newer.copies;
	_free_ char *name = text__place(gone ? r->older_file : r->file,
					gone ? r->older_line : r->line, r->function, NAME);
	_free_ char *kind = words__kind(r->cause, r->type), *before = was(r);

	row(ch, name, r, kind);
	text__source(ch->t, before ?: "", r->source);
}

static void process_row(const struct changed *ch, const struct comparison_row *r)
{
	_free_ char *name = words__role(r), *what = NULL;

	if (asprintf(&what, "%s then, %s now", number__count(r->older_processes).s,
		     number__count(r->newer_processes).s) < 0)
		what = NULL;
	row(ch, name, r, what);
}

/* --- tables ------------------------------------------------------------------ */

static void rest(const struct changed *ch, size_t less, size_t same)
{
	const char *lead = "      ";

	if (less && same)
		text__paragraph(ch->t, lead, "%s more changed by less, %s did not",
				number__count(less).s, number__count(same).s);
	else if (less)
		text__paragraph(ch->t, lead, "%s more changed by less", number__count(less).s);
	else if (same)
		text__paragraph(ch->t, lead, "%s did not change", number__count(same).s);
}

/* What is significant, or as many as the user asked for. */
static bool is_shown(const struct changed *ch, const struct comparison_row *r)
{
	return r->significant || (ch->t->top_wanted && r->state != COMPARISON_SAME);
}

static void table(const struct changed *ch, const char *title, const struct comparison_table *rows,
		  void (*put)(const struct changed *ch, const struct comparison_row *row))
{
	size_t changed = 0, shown = 0;

	if (!rows->n)
		return;
	text__style(ch->t, TEXT_DIM);
	fprintf(ch->t->out, " %s\n", title);
	text__style(ch->t, TEXT_PLAIN);
	for (size_t i = 0; i < rows->n; i++) {
		const struct comparison_row *r = &rows->rows[i];

		changed += r->state != COMPARISON_SAME;
		if (shown == ch->t->top || !is_shown(ch, r))
			continue;
		put(ch, r);
		shown++;
	}
	rest(ch, changed - shown, rows->n - changed);
}

static void tables(const struct changed *ch)
{
	const struct comparison *c = ch->c;

	text__title(ch->t, TEXT_HEAD, "\nWHAT CHANGED");
	fprintf(ch->t->out, ", %s per worker%*s%*s%*s\n", ch->mib ? "MiB" : "KiB",
		NAME + 2 - (int)strlen("WHAT CHANGED, MiB per worker") + THEN, "then", NOW, "now",
		CHANGE, "change");
	row(ch, "all", &c->total, NULL);
	table(ch, "why", &c->causes, cause_row);
	table(ch, "which types", &c->types, type_row);
	table(ch, "where", &c->sites, site_row);
	table(ch, "who", &c->processes, process_row);
}

/* --- what is said before ----------------------------------------------------- */

static void remarks(const struct changed *ch)
{
	const struct comparison *c = ch->c;

	for (size_t i = 0; i < c->n_remarks; i++) {
		text__style(ch->t, c->remarks[i].unfair ? TEXT_WARN : TEXT_PLAIN);
		text__paragraph(ch->t, c->remarks[i].unfair ? "  NOT ALIKE   " : "  - ", "%s",
				c->remarks[i].text);
		text__style(ch->t, TEXT_PLAIN);
	}
}

void text__changed(const struct text *t)
{
	const struct comparison *c = t->snap->comparison;
	struct changed ch = {.t = t, .c = c};
	_free_ char *sentence = words__change(c), *per_worker = words__per_worker(c);

	ch.mib = c->total.older.per_worker >= MIB_FROM || c->total.newer.per_worker >= MIB_FROM;
	text__style(t, TEXT_HEAD);
	text__paragraph(t, "", "%s", sentence ?: "?");
	text__style(t, TEXT_PLAIN);
	remarks(&ch);
	if (c->any_significant)
		tables(&ch);
	text__paragraph(t, "  ", "%s Less than 1 %%, of a row or of all, is not called a change.",
			per_worker ?: "?");
	fputc('\n', t->out);
}
