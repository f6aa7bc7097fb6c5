/* SPDX-License-Identifier: MIT */
/*
 * What else is different between two runs than the writes. Some of it makes the comparison unfair:
 * twice the time, lost copies, another witness. Some is just what somebody wanted to compare:
 * another Python, another kernel.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "base/number.h"
#include "model/compare_parts.h"

/* Durations that differ by more percent are said, by more than twice are unfair. */
#define DURATION_PERCENT 10
/* So many lost copies, in percent, are unfair. */
#define LOST_PERCENT 1
/* A service rarely has more than two versions of Python. */
#define VERSIONS_MAX 256

struct remarks {
	const struct comparison *comparison;
	const struct snapshot *then, *now;
	struct intern *pool;
	struct comparison_remark *at;
	size_t n;
};

__attribute__((format(printf, 3, 4))) static void say(struct remarks *r, bool unfair,
						      const char *fmt, ...)
{
	_free_ char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (text && r->n < COMPARE_REMARKS)
		r->at[r->n++] = (struct comparison_remark){unfair, intern__str(r->pool, text)};
}

/* --- how whole they are ------------------------------------------------------ */

static void cuts(struct remarks *r)
{
	bool then = r->then->capture.cut, now = r->now->capture.cut;

	if (then || now)
		say(r, true, "%s cut off: what came later is not in it.",
		    then && now ? "Both recordings are"
		    : then	? "The older recording is"
				: "The newer recording is");
}

static bool lost_much(const struct snapshot_capture *c)
{
	return c->lost * 100 > (c->lost + c->copies) * LOST_PERCENT;
}

static void losses(struct remarks *r)
{
	const struct snapshot_capture *then = &r->then->capture, *now = &r->now->capture;

	if (then->lost || now->lost)
		say(r, lost_much(then) || lost_much(now),
		    "Copies that were lost, and are missing here: %s then (%s %%), %s now (%s %%).",
		    number__count(then->lost).s,
		    number__percent(then->lost, then->lost + then->copies).s,
		    number__count(now->lost).s,
		    number__percent(now->lost, now->lost + now->copies).s);
}

static struct number seconds(double s)
{
	struct number out;

	snprintf(out.s, sizeof(out.s), s < 100 ? "%.3g s" : "%.0f s", s);
	return out;
}

static void durations(struct remarks *r)
{
	double then = r->then->capture.seconds, now = r->now->capture.seconds;
	double less = then < now ? then : now, more = then < now ? now : then;

	if (more * 100 > less * (100 + DURATION_PERCENT))
		say(r, more > 2 * less, "Traced for %s then, for %s now.", seconds(then).s,
		    seconds(now).s);
}

/* --- who they are of --------------------------------------------------------- */

static void workers(struct remarks *r)
{
	uint64_t then = r->comparison->older_workers, now = r->comparison->newer_workers;

	if (then == now && then)
		return;
	if (then && now)
		say(r, false, "%s %s then, %s now: what follows is per worker.",
		    number__count(then).s, then == 1 ? "worker" : "workers", number__count(now).s);
	else
		say(r, then || now,
		    "No process began with shared pages %s: that run is taken as one worker.",
		    then  ? "now"
		    : now ? "then"
			  : "in either run");
}

static void attaching(struct remarks *r)
{
	bool then = snapshot__any_attached(r->then), now = snapshot__any_attached(r->now);

	if (then != now)
		say(r, true,
		    "cowtrace attached to running processes %s, and traced from their start %s: "
		    "what was copied before it attached is not in the numbers.",
		    then ? "then" : "now", then ? "now" : "then");
}

static void commands(struct remarks *r)
{
	const struct comparison_table *processes = &r->comparison->processes;

	for (size_t i = 0; i < processes->n; i++)
		if (processes->rows[i].older_processes && processes->rows[i].newer_processes)
			return;
	if (r->then->n_processes && r->now->n_processes)
		say(r, true,
		    "No process of one run has the command and the role of one of the other: are "
		    "they of the same program?");
}

static int order_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "3.11.2, 3.12.1", allocated. */
static char *versions(const struct snapshot *snap)
{
	_free_ const char **all = calloc(snap->n_processes + 1, sizeof(*all));
	char words[VERSIONS_MAX] = "";
	size_t n = 0, length = 0;

	for (size_t i = 0; all && i < snap->n_processes; i++)
		if (snap->processes[i].python)
			all[n++] = snap->processes[i].python;
	if (n)
		qsort(all, n, sizeof(*all), order_texts);
	for (size_t i = 0; i < n; i++) {
		if (i && strcmp(all[i - 1], all[i]) == 0)
			continue;
		/* Room for ", " and for what says that there are more. */
		if (length + strlen(all[i]) + 2 * sizeof(", and more") > sizeof(words)) {
			strcpy(words + length, length ? ", and more" : "not understood");
			break;
		}
		length += (size_t)sprintf(words + length, "%s%s", length ? ", " : "", all[i]);
	}
	return strdup(n ? words : "none");
}

static void pythons(struct remarks *r)
{
	_free_ char *then = versions(r->then), *now = versions(r->now);

	if (then && now && strcmp(then, now) != 0)
		say(r, false, "CPython: %s then, %s now.", then, now);
}

/* --- what they ran on -------------------------------------------------------- */

static void differ(struct remarks *r, bool unfair, const char *what, const char *then,
		   const char *now)
{
	if (compare__text(then, now) != 0)
		say(r, unfair, "%s: %s then, %s now.", what, then && *then ? then : "none",
		    now && *now ? now : "none");
}

static void machines(struct remarks *r)
{
	const struct snapshot_host *then = &r->then->host, *now = &r->now->host;

	differ(r, true, "Witness, and so the kinds of copies that are seen",
	       r->then->capture.witness, r->now->capture.witness);
	if (compare__text(r->then->capture.witness, r->now->capture.witness) == 0 &&
	    compare__text(r->then->capture.witness_limits, r->now->capture.witness_limits) != 0)
		say(r, false,
		    "What the witness does not see is not the same; the end of either report says "
		    "it.");
	if (then->page_size != now->page_size)
		say(r, true, "Pages of %u KiB then, of %u KiB now: a write copies a whole page.",
		    then->page_size / 1024, now->page_size / 1024);
	differ(r, false, "Machine", then->machine, now->machine);
	differ(r, false, "Kernel", then->kernel, now->kernel);
	differ(r, false, "Version of cowtrace", r->then->version, r->now->version);
}

size_t compare__remarks(const struct comparison *comparison, const struct snapshot *newer,
			struct intern *pool, struct comparison_remark *remarks)
{
	struct comparison_remark all[COMPARE_REMARKS];
	struct remarks r = {.comparison = comparison,
			    .then = comparison->older,
			    .now = newer,
			    .pool = pool,
			    .at = all};
	size_t n = 0;

	cuts(&r);
	losses(&r);
	durations(&r);
	attaching(&r);
	commands(&r);
	workers(&r);
	pythons(&r);
	machines(&r);
	for (int unfair = 1; unfair >= 0; unfair--)
		for (size_t i = 0; i < r.n; i++)
			if (all[i].unfair == unfair)
				remarks[n++] = all[i];
	return n;
}
