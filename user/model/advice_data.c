/* SPDX-License-Identifier: MIT */
/*
 * What a program keeps: elements of containers that are read one by one.
 *
 * A line that writes the reference counts of many objects reads them from a container: each page
 * that it copied holds other objects. In raw memory (an array, one piece of bytes) the same data
 * have no counts, and reading leaves the memory alone: cowtrace's own numbers in tests/advice and
 * tests/lab, and for a DataLoader github.com/pytorch/pytorch/issues/13246.
 */
#include <string.h>

#include "base/number.h"
#include "model/advice_rules.h"

/* More lines than this are a habit of the program, better read from the table of sites. */
#define MAX_LINES 3

struct family {
	const char *rule;
	const char *types[5]; /* NULL: all that is in no other family */
	const char *instead;
	/* Below this nothing is said; a few objects of a class are no container. */
	unsigned int min_percent, min_pages;
};

static const struct family families[] = {
	{"numbers-in-container",
	 {"int", "float", "complex"},
	 "In an array (`array.array`, numpy, an mmap) numbers are raw memory without reference "
	 "counts, and reading them copies nothing.",
	 ADVICE_MIN_PERCENT,
	 ADVICE_MIN_PAGES},
	/* A name used as a dict key is a str, too: hence the condition. */
	{"strings-in-container",
	 {"str", "bytes"},
	 "If they are the elements of a large container, keep them in one piece of raw memory: one "
	 "`bytes` object with an `array.array` of offsets, a numpy array of fixed width, or an "
	 "Arrow array.",
	 2,
	 64},
	{"records-in-container",
	 {NULL},
	 "If they are the elements of a large container, keep columns instead: for each field an "
	 "array of numbers (`array.array`, numpy), or one `bytes` object with an array of offsets "
	 "for strings; or all in one numpy array of a structured type.",
	 5,
	 64},
};

#define RECORDS	   (&families[2])
#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

/* What programs are made of, not data: no container of a service is full of them. */
static const char *const machinery[] = {
	"type",		"function",
	"method",	"builtin_function_or_method",
	"code",		"module",
	"cell",		"method_descriptor",
	"NoneType",	"bool",
	"frame",	"wrapper_descriptor",
	"generator",	"coroutine",
	"wrapper",	"getset_descriptor",
	"property",	"member_descriptor",
	"ABCMeta",	"classmethod_descriptor",
	"EnumType",	"classmethod",
	"staticmethod", "ModuleSpec",
	"EnumMeta",	"method-wrapper",
	"ellipsis",	"weakref",
	"frozenset",	"SourceFileLoader",
};

static bool is_machinery(const char *type)
{
	for (size_t i = 0; i < sizeof(machinery) / sizeof(machinery[0]); i++)
		if (strcmp(type, machinery[i]) == 0)
			return true;
	return false;
}

/* NULL: none. */
static const struct family *family_of(const char *type)
{
	for (size_t i = 0; i < N_FAMILIES; i++)
		for (size_t k = 0; families[i].types[k]; k++)
			if (strcmp(type, families[i].types[k]) == 0)
				return &families[i];
	return is_machinery(type) ? NULL : RECORDS;
}

static bool is_candidate(const struct snapshot_site *site)
{
	return site->file && site->type && strcmp(site->cause, "refcount") == 0 &&
	       family_of(site->type);
}

static bool same_line(const struct snapshot_site *a, const struct snapshot_site *b)
{
	return a->line == b->line && strcmp(a->file, b->file) == 0 &&
	       strcmp(a->function, b->function) == 0;
}

/* The first candidate of its line has the most copies: it stands for all types that the line reads,
 * as a record goes with what it holds. */
static bool is_first_of_line(const struct snapshot *snap, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_candidate(&snap->sites[i]) && same_line(&snap->sites[i], &snap->sites[at]))
			return false;
	return true;
}

static bool reads_there(const struct giver *g, const struct snapshot_stack *row, const void *arg)
{
	const struct snapshot_site *site = arg;
	const struct snapshot_frame *line = row__line(row);

	(void)g;
	return row__is(row, "refcount") && row__was_shared(row) && row->type && line &&
	       line->line == site->line && strcmp(line->file, site->file) == 0 &&
	       strcmp(line->function, site->function) == 0 && family_of(row->type) &&
	       !row__import(row);
}

static bool advise_line(struct giver *g, const struct snapshot_site *site)
{
	const struct family *family = family_of(site->type);
	const struct question question = {.concerns = reads_there, .arg = site};
	struct tally tally = tally__ask(g, &question);

	if (!tally__matters(g, &tally) || tally.most < family->min_pages ||
	    tally.pages * 100 < g->snap->capture.pages * family->min_percent)
		return false;
	advice__say(
		g,
		&(struct words){family->rule, HINT_PRELOAD,
				"It does not help where each read makes an object that is kept."},
		snapshot__bytes(g->snap, tally.most),
		"%s:%u in %s reads %s objects one by one, and each read writes the reference "
		"count in its object. %s",
		site->file, site->line, site->function, site->type, family->instead);
	return true;
}

/* Sites are sorted: once one is below a tenth of the threshold, hardly a sum of types reaches it.
 */
void advise__containers(struct giver *g)
{
	const struct snapshot *snap = g->snap;
	unsigned int lines = 0;

	for (size_t i = 0; i < snap->n_sites && lines < MAX_LINES; i++) {
		if (snap->sites[i].copies * 1000 < snap->capture.copies * ADVICE_MIN_PERCENT)
			break;
		if (is_candidate(&snap->sites[i]) && is_first_of_line(snap, i))
			lines += advise_line(g, &snap->sites[i]);
	}
}
