/* SPDX-License-Identifier: MIT */
/* What the copied pages were: where they came from, who shared them, how large they were. */
#include "sink/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "sink/words.h"

/* So many numbers of processes are named; then the rest. */
#define SHOWN 5

/* Copies of pages that no fork had shared. They cost memory like the others, and preloading is not
 * why. */
static void origins(const struct text *t)
{
	static const struct {
		const char *origin, *words;
	} kinds[] = {
		{"file", "with a privately mapped file (a program, a library or data)"},
		{"zero", "with the kernel's page of zeros: read before they were ever written"},
		{"ksm", "with pages of equal contents, which the kernel had merged (KSM)"},
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		uint64_t copies = 0;

		for (size_t i = 0; i < t->snap->n_causes; i++)
			if (strcmp(t->snap->causes[i].origin, kinds[k].origin) == 0)
				copies += t->snap->causes[i].copies;
		if (copies)
			text__paragraph(t, "  ", "%s of the pages %s not shared by a fork, but %s.",
					number__count(copies).s,
					words__plural(copies, "was", "were"), kinds[k].words);
	}
}

static int order_sharers(const void *a, const void *b)
{
	const struct snapshot_sharers *x = a, *y = b;

	if (x->copies != y->copies)
		return x->copies < y->copies ? 1 : -1;
	return x->sharers < y->sharers ? 1 : -1;
}

/* "4 for 1,000 pages, 3 for 12, other numbers for 5" */
static char *sharers_words(const struct snapshot_sharers *rows, size_t n)
{
	uint64_t rest = 0;
	char *words = NULL;
	size_t size;
	FILE *out = open_memstream(&words, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (i < SHOWN)
			fprintf(out, "%s%s for %s%s", i ? ", " : "",
				number__count(rows[i].sharers).s, number__count(rows[i].copies).s,
				i ? "" : words__plural(rows[i].copies, " page", " pages"));
		else
			rest += rows[i].copies;
	}
	if (rest)
		fprintf(out, ", other numbers for %s", number__count(rest).s);
	fclose(out);
	return words;
}

/* The fewer, the more a single process stands for: the last but one leaves the page to one. */
static void sharers(const struct text *t)
{
	size_t n = t->snap->n_sharers;
	_free_ struct snapshot_sharers *rows = calloc(n + 1, sizeof(*rows));
	_free_ char *words = NULL;

	if (!rows || !n)
		return;
	memcpy(rows, t->snap->sharers, n * sizeof(*rows));
	qsort(rows, n, sizeof(*rows), order_sharers);
	words = sharers_words(rows, n);
	text__paragraph(t, "  ",
			"So many processes still shared a page when it was copied, the writer "
			"included: %s.",
			words ?: "?");
}

void text__sizes(const struct text *t)
{
	const struct snapshot *snap = t->snap;

	for (size_t i = 0; i < snap->n_sizes; i++) {
		const struct snapshot_size *row = &snap->sizes[i];

		if (row->bytes != snap->host.page_size)
			text__paragraph(t, "  ",
					"%s of the pages %s huge, of %s MiB each: together %s MiB.",
					number__count(row->copies).s,
					words__plural(row->copies, "was", "were"),
					number__mib(row->bytes).s,
					number__mib(row->bytes * row->copies).s);
	}
}

/* "python3 [123]", "process 123", "another process" */
static char *victim_words(const struct snapshot_foreign *row)
{
	char *words;
	int n;

	if (row->victim_command)
		n = asprintf(&words, "%s [%" PRIu32 "]", row->victim_command, row->victim);
	else if (row->victim)
		n = asprintf(&words, "process %" PRIu32 ", which is not traced", row->victim);
	else
		n = asprintf(&words, "another process");
	return n < 0 ? NULL : words;
}

/* Counted where the write came from: that is where it can be changed. */
static void foreign(const struct text *t)
{
	for (size_t i = 0; i < t->snap->n_foreign && i < t->top; i++) {
		const struct snapshot_foreign *row = &t->snap->foreign[i];
		_free_ char *victim = victim_words(row);

		text__paragraph(t, "  ",
				"%s of the pages %s in the memory of %s: %s [%" PRIu32
				"] wrote there (%s).",
				number__count(row->copies).s,
				words__plural(row->copies, "was", "were"), victim ?: "?",
				row->command, row->pid, row->how);
	}
}

void text__kinds(const struct text *t)
{
	sharers(t);
	origins(t);
	text__sizes(t);
	foreign(t);
}
