/* SPDX-License-Identifier: MIT */
/* What stands beside the numbers: what is missing from them and how sure they are. */
#include "sink/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "sink/words.h"

#define ITEM "  - "

/* --- before the numbers ------------------------------------------------------ */

static const char *const lost_help[] = {
#define CT_LOST(id, name, help) [CT_LOST_##id] = help,
#include <cowtrace/reasons.def>
};

static bool losses(const struct text *t)
{
	const struct snapshot_capture *capture = &t->snap->capture;

	if (!capture->lost)
		return false;
	text__style(t, TEXT_WARN);
	text__paragraph(t, "INCOMPLETE   ",
			"%s more %s (%s %% of all) happened but could not be looked at. Every "
			"table below is "
			"too low by as much.",
			number__count(capture->lost).s,
			words__plural(capture->lost, "copy", "copies"),
			number__percent(capture->lost, capture->lost + capture->copies).s);
	text__style(t, TEXT_PLAIN);
	for (size_t i = 0; i < CT_LOST_MAX; i++)
		if (capture->lost_by_reason[i])
			text__paragraph(t, ITEM, "%s: %s",
					number__count(capture->lost_by_reason[i]).s, lost_help[i]);
	return true;
}

/* True for the first process with this problem; *n: how many have it. */
static bool is_first_problem(const struct snapshot *snap, size_t at, unsigned int *n)
{
	const char *problem = snap->processes[at].python_problem;

	*n = 0;
	for (size_t i = 0; i < snap->n_processes; i++) {
		if (!snap->processes[i].python_problem ||
		    strcmp(snap->processes[i].python_problem, problem) != 0)
			continue;
		if (i < at)
			return false;
		++*n;
	}
	return true;
}

static void python_problem(const struct text *t, const struct snapshot_process *p, unsigned int n)
{
	/* If the version is known, its lines are. */
	const char *title = p->python ? "PYTHON   " : "NO PYTHON LINES   ";

	text__style(t, TEXT_WARN);
	if (n > 1)
		text__paragraph(t, title, "of %u processes: %s", n, p->python_problem);
	else
		text__paragraph(t, title, "of %s [%" PRIu32 "]: %s", p->command, p->pid,
				p->python_problem);
	text__style(t, TEXT_PLAIN);
}

static bool python_problems(const struct text *t)
{
	const struct snapshot *snap = t->snap;
	bool any = false, problem = false;
	unsigned int n;

	for (size_t i = 0; i < snap->n_processes; i++) {
		const struct snapshot_process *p = &snap->processes[i];

		any = any || text__runs_python(p);
		if (p->python_problem && is_first_problem(snap, i, &n)) {
			python_problem(t, p, n);
			problem = true;
		}
	}
	if (!any && snap->n_processes)
		text__paragraph(t, "NO PYTHON   ",
				"None of these processes runs a Python that cowtrace "
				"knows.%s",
				snap->capture.copies ? " Copies are named after native "
						       "functions."
						     : "");
	return problem || (!any && snap->n_processes);
}

static bool cut(const struct text *t)
{
	const char *why = t->snap->capture.cut;

	if (!why)
		return false;
	text__style(t, TEXT_WARN);
	text__paragraph(t, "CUT OFF   ", "%s", why);
	text__style(t, TEXT_PLAIN);
	return true;
}

void text__warnings(const struct text *t)
{
	bool any = cut(t);

	any |= losses(t);
	any |= python_problems(t);
	if (any)
		fputc('\n', t->out);
}

/* --- after them -------------------------------------------------------------- */

static uint64_t copies_by_certainty(const struct snapshot *snap, const char *certainty)
{
	uint64_t copies = 0;

	for (size_t i = 0; i < snap->n_causes; i++)
		if (strcmp(snap->causes[i].certainty, certainty) == 0)
			copies += snap->causes[i].copies;
	return copies;
}

static void evidence(const struct text *t)
{
	static const struct {
		const char *certainty, *words;
	} kinds[] = {
		{"proven", "proven: the address and what the instruction wrote agree"},
		{"likely", "likely: by the address alone"},
		{"none", "not known"},
	};
	char words[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t copies = copies_by_certainty(t->snap, kinds[i].certainty);

		if (copies)
			len += (size_t)snprintf(
				words + len, sizeof(words) - len, "%s%s %% %s", len ? "; " : "",
				number__percent(copies, t->snap->capture.copies).s, kinds[i].words);
	}
	text__paragraph(t, ITEM, "Causes of the copies: %s.", words);
}

/* A reason comes as a sentence, with or without its full stop. */
static const char *stop(const char *sentence)
{
	size_t len = sentence ? strlen(sentence) : 0;

	return !len || sentence[len - 1] == '.' ? "" : ".";
}

static void difference(const struct text *t, uint64_t kernel, uint64_t seen)
{
	const struct snapshot_capture *capture = &t->snap->capture;
	const char *beyond = kernel > seen ? capture->kernel_beyond : NULL;
	const char *reason = capture->kernel_reason ?: beyond ?: "why is not known";
	uint64_t off = kernel > seen ? kernel - seen : seen - kernel;

	text__paragraph(
		t, ITEM,
		"The kernel itself counted %s copies, cowtrace %s%s, which is %s %s (%s %%): %s%s",
		number__count(kernel).s, number__count(seen).s,
		capture->lost ? " with the lost ones" : "", number__count(off).s,
		kernel > seen ? "fewer" : "more", number__percent(off, kernel).s, reason,
		stop(reason));
}

/* The kernel counts what happened, so the lost ones belong to the comparison. */
static void closure(const struct text *t)
{
	const struct snapshot_capture *capture = &t->snap->capture;
	uint64_t seen = capture->copies + capture->lost - capture->uncounted;
	uint64_t kernel = capture->kernel_copies;
	const char *reason = capture->kernel_reason;

	if (kernel == SNAPSHOT_UNKNOWN)
		text__paragraph(t, ITEM,
				"The kernel kept no count of its own to compare with%s%s%s",
				reason ? ": " : ".", reason ?: "", stop(reason));
	else if (kernel == seen)
		text__paragraph(t, ITEM, "The kernel itself counted %s copies: the same number.",
				number__count(kernel).s);
	else
		difference(t, kernel, seen);
	if (kernel != SNAPSHOT_UNKNOWN && capture->uncounted)
		text__paragraph(t, ITEM,
				"The kernel leaves %s %s out of its count, and so does this "
				"comparison: %s.",
				number__count(capture->uncounted).s,
				words__plural(capture->uncounted, "copy", "copies"),
				"first writes to pages of private file mappings and to huge pages "
				"of zeros");
}

static void stacks(const struct text *t)
{
	const struct snapshot_capture *capture = &t->snap->capture;

	if (capture->stacks_missing)
		text__paragraph(t, ITEM, "No Python line is known for %s %s%s%s.",
				number__count(capture->stacks_missing).s,
				words__plural(capture->stacks_missing, "copy", "copies"),
				capture->stacks_missing_reason ? ", mostly because: " : "",
				capture->stacks_missing_reason ?: "");
	if (capture->stacks_cut)
		text__paragraph(t, ITEM, "The stack of %s %s is not whole: %s.",
				number__count(capture->stacks_cut).s,
				words__plural(capture->stacks_cut, "copy", "copies"),
				capture->stacks_cut_reason ?: "the outermost frames are missing");
}

void text__unseen(const struct text *t, const char *lead)
{
	const struct snapshot_capture *capture = &t->snap->capture;

	if (capture->witness_limits && *capture->witness_limits)
		text__paragraph(t, lead, "Not seen by the witness `%s`: %s%s", capture->witness,
				capture->witness_limits, stop(capture->witness_limits));
}

void text__how_sure(const struct text *t)
{
	const struct snapshot_capture *capture = &t->snap->capture;

	text__title(t, TEXT_HEAD, "\nHOW SURE\n");
	if (capture->copies)
		evidence(t);
	closure(t);
	stacks(t);
	if (capture->reuses)
		text__paragraph(t, ITEM,
				"%s more %s went to a page that nobody shared any longer. That "
				"copies nothing "
				"and costs no memory, so it is not counted above.",
				number__count(capture->reuses).s,
				words__plural(capture->reuses, "write", "writes"));
	if (capture->witness_note)
		text__paragraph(t, ITEM, "The witness `%s` %s.", capture->witness,
				capture->witness_note);
	text__unseen(t, ITEM);
}
