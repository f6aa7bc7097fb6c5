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

static bool any_sharer(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->n_processes; i++)
		if (snapshot__is_sharer(&snap->processes[i]))
			return true;
	return false;
}

/* The copies that every program makes when it starts: its own data, taken from files. */
static void nothing_shared(const struct text *t)
{
	uint64_t copies = t->snap->capture.copies;

	text__title(t, TEXT_HEAD, "NOTHING WAS SHARED");
	fputs(snapshot__any_attached(t->snap)
		      ? "   No process here had memory in common with another, so there was none "
			"to lose.\n"
		      : "   No process here began with memory of another, so there was none to "
			"lose.\n",
	      t->out);
	if (copies)
		text__paragraph(
			t, "  ",
			"%s %s copied all the same: from files (programs and libraries have "
			"such pages) or from the kernel's page of zeros, not from another "
			"process.",
			number__count(copies).s, words__plural(copies, "page was", "pages were"));
	text__sizes(t);
	text__unseen(t, "  ");
}

static void nothing_copied(const struct text *t)
{
	text__title(t, TEXT_HEAD, "NO PAGE COPIED");
	if (t->snap->capture.lost || t->snap->capture.cut)
		fputs("   that cowtrace could look at.\n", t->out);
	else if (any_sharer(t->snap))
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
		number__mib(snapshot__bytes(t->snap, capture->pages)).s);
	if (capture->kernel_copies != SNAPSHOT_UNKNOWN)
		fprintf(t->out, DOT "the kernel itself counted %s%s",
			number__count(capture->kernel_copies).s,
			capture->kernel_copies < capture->copies ? " of them" : "");
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

struct shared {
	uint64_t n, then, now, attached, before; /* before: was private already */
};

/* Of the forked processes; of all that share if there are none, as when only a worker is watched.
 */
static struct shared sum_shared(const struct snapshot *snap)
{
	struct shared all = {}, forked = {};

	for (size_t i = 0; i < snap->n_processes; i++) {
		const struct snapshot_process *p = &snap->processes[i];
		struct shared *to = p->forked ? &forked : &all;

		if (!text__is_known_sharer(p))
			continue;
		to->n++;
		to->then += p->shared_at_fork;
		to->now += p->shared_now;
		to->attached += p->attached;
		to->before += p->private_before == SNAPSHOT_UNKNOWN ? 0 : p->private_before;
	}
	return forked.n ? forked : all;
}

/* What was shared when they were forked. */
static void ledger_of_forked(const struct text *t, const struct shared *s)
{
	text__paragraph(t, "  ",
			s->n == 1 ? "The forked process began with %s MiB of shared memory; %s "
				    "MiB of it (%s %%) still is shared."
				  : "On average a forked process began with %s MiB of shared "
				    "memory; %s MiB of it (%s %%) still is shared.",
			number__mib(s->then / s->n).s, number__mib(s->now / s->n).s,
			number__percent(s->now, s->then).s);
}

/* When cowtrace attached, they may have lost much of it already. */
static void ledger_of_attached(const struct text *t, const struct shared *s)
{
	const char *then = s->attached == s->n
				   ? "When cowtrace attached"
				   : "When cowtrace attached, or they were forked later";

	text__paragraph(
		t, "  ",
		s->n == 1 ? "%s, the process shared %s MiB; %s MiB of it (%s %%) still is shared. "
			    "%s MiB were private already: what made them so is not explained."
			  : "%s, a process shared %s MiB on average; %s MiB of it (%s %%) still is "
			    "shared. %s MiB were private already, on average: what made them so is "
			    "not explained.",
		then, number__mib(s->then / s->n).s, number__mib(s->now / s->n).s,
		number__percent(s->now, s->then).s, number__mib(s->before / s->attached).s);
}

/* Means, because a line for each worker would be read by nobody; the table has each of them. */
static void ledger(const struct text *t)
{
	const struct shared s = sum_shared(t->snap);

	if (s.attached)
		ledger_of_attached(t, &s);
	else if (s.n)
		ledger_of_forked(t, &s);
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
	text__kinds(t);
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

	if (snap->comparison)
		text__changed(&t);
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
