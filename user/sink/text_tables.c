/* SPDX-License-Identifier: MIT */
/* WHY and WHERE. */
#include "sink/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"

/* Columns: with the two of the indentation, 100 in each table. */
#define WHY_CAUSE   14
#define WHY_WORDS   53
#define PAGES	    13
#define MIB	    10
#define PERCENT	    8
#define WHERE_NAME  43
#define WHERE_PAGES 9
#define WHERE_MIB   8
#define WHERE_PERC  6
#define WHERE_PROCS 6
#define WHERE_WHAT  24

struct cause_sum {
	const char *cause, *help;
	uint64_t copies, pages;
};

/* What tells the copies of one cause apart: types of objects, or details. */
struct part {
	const char *name;
	uint64_t copies, pages;
};

/* --- WHY --------------------------------------------------------------------- */

#define MIN_ROWS 3

static int order_sums(const void *a, const void *b)
{
	const struct cause_sum *x = a, *y = b;

	if (x->copies != y->copies)
		return x->copies < y->copies ? 1 : -1;
	return strcmp(x->cause, y->cause);
}

static int order_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->copies != y->copies)
		return x->copies < y->copies ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* The rows of the snapshot tell details, origins and certainties apart; here only causes count. */
static size_t sum_causes(const struct snapshot *snap, struct cause_sum *sums)
{
	size_t n = 0, at;

	for (size_t i = 0; i < snap->n_causes; i++) {
		const struct snapshot_cause *row = &snap->causes[i];

		for (at = 0; at < n && strcmp(sums[at].cause, row->cause) != 0;)
			at++;
		if (at == n)
			sums[n++] = (struct cause_sum){.cause = row->cause, .help = row->help};
		sums[at].copies += row->copies;
		sums[at].pages += row->pages;
	}
	qsort(sums, n, sizeof(*sums), order_sums);
	return n;
}

static size_t add_part(struct part *parts, size_t n, struct part part)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(parts[i].name, part.name) == 0) {
			parts[i].copies += part.copies;
			parts[i].pages += part.pages;
			return n;
		}
	}
	parts[n] = part;
	return n + 1;
}

static size_t find_parts(const struct snapshot *snap, const char *cause, struct part *parts)
{
	size_t n = 0;

	for (size_t i = 0; text__cause_by_detail(cause) && i < snap->n_causes; i++) {
		const struct snapshot_cause *row = &snap->causes[i];

		if (strcmp(row->cause, cause) == 0 && *row->detail)
			n = add_part(parts, n, (struct part){row->detail, row->copies, row->pages});
	}
	for (size_t i = 0; !text__cause_by_detail(cause) && i < snap->n_types; i++) {
		const struct snapshot_type *row = &snap->types[i];

		if (strcmp(row->cause, cause) == 0)
			parts[n++] = (struct part){row->type, row->copies, row->pages};
	}
	qsort(parts, n, sizeof(*parts), order_parts);
	return n;
}

static void why_numbers(const struct text *t, uint64_t copies, uint64_t pages)
{
	text__right(t, number__count(copies).s, PAGES);
	text__right(t, number__mib(snapshot__bytes(t->snap, pages)).s, MIB);
	text__right(t, number__percent(copies, t->snap->capture.copies).s, PERCENT);
	fputc('\n', t->out);
}

static void why_part(const struct text *t, const char *words, uint64_t copies, uint64_t pages)
{
	fputs("    ", t->out);
	text__left(t, words, WHY_CAUSE + WHY_WORDS - 2, ESCAPE_CUT_END);
	why_numbers(t, copies, pages);
}

static void why_parts(const struct text *t, const struct cause_sum *sum, struct part *parts)
{
	size_t n = find_parts(t->snap, sum->cause, parts), limit = (t->top + 2) / 3;
	uint64_t rest = sum->copies, rest_pages = sum->pages;

	for (size_t i = 0; i < n && i < limit; i++) {
		why_part(t, text__detail(sum->cause, parts[i].name), parts[i].copies,
			 parts[i].pages);
		rest -= parts[i].copies;
		rest_pages -= parts[i].pages;
	}
	if (n && rest)
		why_part(t, "other", rest, rest_pages);
}

/* Less than a thousandth of the copies: every run has dozens of such lines, and they say nothing.
 */
static bool is_crumb(const struct text *t, uint64_t copies)
{
	return copies * 1000 < t->snap->capture.copies;
}

void text__why(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	_free_ struct cause_sum *sums = calloc(snap->n_causes + 1, sizeof(*sums));
	_free_ struct part *parts = calloc(snap->n_causes + snap->n_types + 1, sizeof(*parts));
	size_t n;

	if (!sums || !parts)
		return;
	text__title(t, TEXT_HEAD, "\nWHY");
	fprintf(t->out, "%*s%*s%*s%*s\n", WHY_CAUSE + WHY_WORDS - 1, "", PAGES, "pages", MIB, "MiB",
		PERCENT, "%");
	n = sum_causes(snap, sums);
	for (size_t i = 0; i < n; i++) {
		fputs("  ", t->out);
		text__left(t, sums[i].cause, WHY_CAUSE, ESCAPE_CUT_END);
		text__left(t, sums[i].help, WHY_WORDS, ESCAPE_CUT_END);
		why_numbers(t, sums[i].copies, sums[i].pages);
		if (!is_crumb(t, sums[i].copies))
			why_parts(t, &sums[i], parts);
	}
}

/* --- WHERE ------------------------------------------------------------------- */

/* The end of a path and the start of a name tell most. */
char *text__place(const char *file, uint32_t line, const char *function, size_t width)
{
	_free_ char *place = NULL, *path = NULL, *cut = NULL;
	const char *call = function && function[0] != '<' ? "()" : "";
	size_t taken;
	char *out;

	function = function ?: "?";
	if (!file) { /* a native function, or "read (kernel)" */
		if (asprintf(&out, "%s%s", function, strchr(function, '(') ? "" : " (native)") < 0)
			return NULL;
		place = out;
		return escape__fit(place, width, ESCAPE_CUT_MIDDLE);
	}
	cut = escape__fit(function, width / 2, ESCAPE_CUT_MIDDLE);
	if (!cut || asprintf(&place, "%s:%u", file, line) < 0)
		return NULL;
	taken = escape__width(cut) + strlen(" in ") + strlen(call);
	path = escape__fit(place, width - taken, ESCAPE_CUT_START);
	if (!path || asprintf(&out, "%s in %s%s", path, cut, call) < 0)
		return NULL;
	return out;
}

/* The text of the line without its indentation; tabs inside would only show as \x09. */
void text__source(const struct text *t, const char *lead, const char *source)
{
	_free_ char *line = NULL;
	size_t begin;

	if (asprintf(&line, "%s%s", lead, source ? source + strspn(source, " \t\f") : "") < 0) {
		line = NULL;
		return;
	}
	begin = strlen(lead);
	line[begin + strcspn(line + begin, "\r\n")] = '\0';
	for (char *p = line; (p = strchr(p, '\t'));)
		*p = ' ';
	if (!line[begin]) /* then the lead ends in a colon */
		line[begin ? begin - 2 : 0] = '\0';
	if (!*line)
		return;
	fputs("      ", t->out);
	text__style(t, TEXT_DIM);
	text__last(t, line, TEXT_WIDTH - 6);
}

static void where_row(const struct text *t, const struct snapshot_site *site)
{
	_free_ char *name = text__place(site->file, site->line, site->function, WHERE_NAME);
	_free_ char *what = words__kind(site->cause, site->type);

	fputs("  ", t->out);
	text__left(t, name, WHERE_NAME, ESCAPE_CUT_END);
	text__right(t, number__count(site->copies).s, WHERE_PAGES);
	text__right(t, number__mib(snapshot__bytes(t->snap, site->pages)).s, WHERE_MIB);
	text__right(t, number__percent(site->copies, t->snap->capture.copies).s, WHERE_PERC);
	text__right(t, number__count(site->processes).s, WHERE_PROCS);
	fputs("  ", t->out);
	text__last(t, what, WHERE_WHAT);
	text__source(t, "", site->source);
}

static void where_rest(const struct text *t, size_t shown)
{
	const struct snapshot *snap = t->snap;
	uint64_t copies = 0, pages = 0;
	char words[WHERE_NAME + 1];

	for (size_t i = shown; i < snap->n_sites; i++) {
		copies += snap->sites[i].copies;
		pages += snap->sites[i].pages;
	}
	if (!copies)
		return;
	snprintf(words, sizeof(words), "  and %s more", number__count(snap->n_sites - shown).s);
	text__left(t, words, WHERE_NAME + 2, ESCAPE_CUT_END);
	text__right(t, number__count(copies).s, WHERE_PAGES);
	text__right(t, number__mib(snapshot__bytes(snap, pages)).s, WHERE_MIB);
	text__right(t, number__percent(copies, snap->capture.copies).s, WHERE_PERC);
	fputc('\n', t->out);
}

static bool runs_python(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (snap->processes[i].python)
			return true;
	return false;
}

void text__where(const struct text *t)
{
	bool native = false;
	size_t i;

	text__title(t, TEXT_HEAD, "\nWHERE");
	fprintf(t->out, "%*s%*s%*s%*s%*s  what\n", WHERE_NAME - 3, "", WHERE_PAGES, "pages",
		WHERE_MIB, "MiB", WHERE_PERC, "%", WHERE_PROCS, "procs");
	for (i = 0; i < t->snap->n_sites && i < t->top; i++) {
		if (i >= MIN_ROWS && !t->top_wanted && is_crumb(t, t->snap->sites[i].copies))
			break;
		where_row(t, &t->snap->sites[i]);
		native |= !t->snap->sites[i].file && runs_python(t->snap);
	}
	where_rest(t, i);
	if (native)
		text__paragraph(
			t, "  ",
			"Native: no Python code was running. The interpreter was starting or "
			"shutting down, or a thread ran none.");
}
