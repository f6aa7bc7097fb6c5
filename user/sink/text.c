/* SPDX-License-Identifier: MIT */
/*
 * The report. Order: what happened in one line and in plain words, why, where, who, what would
 * help, how sure it is. Whoever reads on learns more; nobody needs to know beforehand what
 * copy-on-write is.
 */
#include "sink/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "sink/sink.h"

#define DEFAULT_TOP 10
#define DOT	    " \xc2\xb7 "

/* --- the first line ---------------------------------------------------------- */

/* One line if it fits, else two. */
static void headline(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	_free_ char *processes = words__processes(snap), *who = NULL, *how = NULL;
	char python[80];

	words__python(snap, python, sizeof(python));
	if (asprintf(&who, "cowtrace %s" DOT "%.1f s" DOT "%s" DOT "%s", snap->version,
		     snap->capture.seconds, processes ?: "?", python) < 0)
		who = NULL;
	if (asprintf(&how, "witness %s" DOT "%s lost", snap->capture.witness,
		     number__count(snap->capture.lost).s) < 0)
		how = NULL;
	if (!who || !how)
		return;
	if (escape__width(who) + escape__width(DOT) + escape__width(how) <= TEXT_WIDTH) {
		text__paragraph(t, "", "%s" DOT "%s", who, how);
	} else {
		text__paragraph(t, "", "%s", who);
		text__paragraph(t, "", "%s", how);
	}
	fputc('\n', t->out);
}

/* --- what happened ----------------------------------------------------------- */

static bool any_forked(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (snap->processes[i].forked)
			return true;
	return false;
}

/* The copies that every program makes when it starts: its own data, taken from files. */
static void nothing_shared(const struct text *t)
{
	uint64_t copies = t->snap->capture.copies;

	text__title(t, TEXT_HEAD, "NOTHING WAS SHARED");
	fputs("   No process here began with memory of another, so there was none to lose.\n",
	      t->out);
	if (copies)
		text__paragraph(
			t, "  ",
			"%s %s copied all the same: from files (programs and libraries have "
			"such pages) or from the kernel's page of zeros, not from another "
			"process.",
			number__count(copies).s, words__plural(copies, "page was", "pages were"));
}

static void nothing_copied(const struct text *t)
{
	text__title(t, TEXT_HEAD, "NO PAGE COPIED");
	if (t->snap->capture.lost)
		fputs("   that cowtrace could look at.\n", t->out);
	else if (any_forked(t->snap))
		fputs("   Nobody wrote to a shared page: all that was shared still is.\n", t->out);
	else
		fputs("   Nothing was forked, so no memory was shared.\n", t->out);
}

static void title(const struct text *t)
{
	const struct snapshot_capture *capture = &t->snap->capture;

	text__title(t, TEXT_HEAD, "SHARING BROKEN");
	fprintf(t->out, "   %s %s" DOT "%s MiB copied", number__count(capture->copies).s,
		words__plural(capture->copies, "page", "pages"),
		number__mib(snapshot__bytes(t->snap, capture->copies)).s);
	if (capture->kernel_copies != SNAPSHOT_UNKNOWN)
		fprintf(t->out, DOT "the kernel itself counted %s",
			number__count(capture->kernel_copies).s);
	fputc('\n', t->out);
}

static void main_cause(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	const struct snapshot_cause *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < snap->n_causes; i++) {
		uint64_t copies = 0;

		for (size_t k = 0; k < snap->n_causes; k++)
			if (strcmp(snap->causes[k].cause, snap->causes[i].cause) == 0)
				copies += snap->causes[k].copies;
		if (copies > most) {
			most = copies;
			best = &snap->causes[i];
		}
	}
	if (best)
		text__paragraph(t, "  ", "%s %% of the copies: %s (%s). %s",
				number__percent(most, snap->capture.copies).s, best->help,
				best->cause, text__cause_sentence(best->cause));
}

/* Means, because a line for each worker would be read by nobody; the table has each of them. */
static void ledger(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	uint64_t then = 0, now = 0, n = 0;

	for (size_t i = 0; i < snap->n_processes; i++) {
		if (!text__is_forked_sharer(&snap->processes[i]))
			continue;
		then += snap->processes[i].shared_at_fork;
		now += snap->processes[i].shared_now;
		n++;
	}
	if (n == 1)
		text__paragraph(t, "  ",
				"The forked process began with %s MiB of shared memory; %s MiB of "
				"it (%s %%) "
				"still is shared.",
				number__mib(then).s, number__mib(now).s,
				number__percent(now, then).s);
	else if (n)
		text__paragraph(t, "  ",
				"On average a forked process began with %s MiB of shared memory; "
				"%s MiB of it "
				"(%s %%) still is shared.",
				number__mib(then / n).s, number__mib(now / n).s,
				number__percent(now, then).s);
}

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

static void summary(const struct text *t)
{
	text__warnings(t);
	if (!t->snap->capture.copies) {
		nothing_copied(t);
		return;
	}
	title(t);
	text__paragraph(t, "  ",
			"A forked process shares its memory with its parent, in pages of %u KiB. "
			"When one of "
			"them writes to a shared page, the kernel first copies it for the writer: "
			"from then "
			"on that page takes memory twice.",
			t->snap->host.page_size / 1024);
	main_cause(t);
	ledger(t);
	origins(t);
}

/* --- what would help --------------------------------------------------------- */

static void help(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	uint64_t most = 0;
	char lead[32];

	if (!snap->n_advice)
		return;
	text__title(t, TEXT_HEAD, "\nWHAT WOULD HELP\n");
	for (size_t i = 0; i < snap->n_advice; i++) {
		snprintf(lead, sizeof(lead), "  %zu. ", i + 1);
		text__paragraph(t, lead, "%s", snap->advice[i].text);
		most += snap->advice[i].bytes_per_process;
	}
	if (most && snap->capture.copies)
		text__paragraph(t, "  ",
				"These are upper bounds: only the first write to a page copies it, "
				"and another "
				"write might have copied it later.");
}

static int text__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	struct text t = {
		.out = out,
		.snap = snap,
		.top = opt->top ? opt->top : DEFAULT_TOP,
		.top_wanted = opt->top != 0,
		.color = opt->color,
	};

	headline(&t);
	if (snapshot__nothing_shared(snap)) {
		text__warnings(&t);
		nothing_shared(&t);
		help(&t);
		return fflush(out) || ferror(out) ? -EIO : 0;
	}
	summary(&t);
	if (snap->capture.copies) {
		text__why(&t);
		text__where(&t);
	}
	if (snap->n_processes)
		text__who(&t);
	help(&t);
	text__how_sure(&t);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

const struct sink sink_text = {.name = "text", .write = text__write};
