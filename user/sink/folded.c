/* SPDX-License-Identifier: MIT */
/*
 * Folded stacks, for flamegraph.pl and all that read its format: "a;b;c weight", root first. With a
 * baseline there are two weights, older and newer, as its difffolded.pl writes them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/escape.h"
#include "sink/sink.h"
#include "sink/words.h"

struct line {
	char *stack;
	uint64_t older, newer; /* bytes; without a baseline older is 0 */
};

/* A name that holds the separator would make two frames of one. */
static void put_name(FILE *out, const char *name)
{
	_free_ char *shown = escape__dup_replace(name ?: "?", ";", ':');

	fputs(shown ?: "?", out);
}

static void put_frame(FILE *out, const struct snapshot_frame *frame)
{
	put_name(out, frame->function);
	if (!frame->file)
		return;
	fputs(" (", out);
	put_name(out, frame->file);
	fprintf(out, ":%" PRIu32 ")", frame->line);
}

/* "command [pid]"; in a comparison "command workers": pids say nothing of another run. */
static void put_process(FILE *out, const struct snapshot *snap, const struct snapshot_stack *stack)
{
	_free_ char *role = NULL;

	if (!snap->comparison) {
		put_name(out, stack->command);
		if (stack->pid)
			fprintf(out, " [%" PRIu32 "]", stack->pid);
		return;
	}
	role = words__role(&snap->comparison->processes.rows[stack->process]);
	put_name(out, role);
}

static int make_line(const struct snapshot *snap, const struct snapshot_stack *stack,
		     struct line *line)
{
	size_t size;
	FILE *out = open_memstream(&line->stack, &size);

	if (!out)
		return -ENOMEM;
	put_process(out, snap, stack);
	for (uint32_t i = 0; i < stack->n; i++) {
		fputc(';', out);
		put_frame(out, &stack->frames[i]);
	}
	fputc(';', out);
	put_name(out, stack->cause);
	if (stack->type) {
		fputc(' ', out);
		put_name(out, stack->type);
	}
	line->newer = snapshot__bytes(snap, stack->pages);
	return fclose(out) ? -ENOMEM : 0;
}

static int order_lines(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->stack, ((const struct line *)b)->stack);
}

static void put_weight(const struct snapshot *snap, uint64_t older, uint64_t newer, FILE *out)
{
	if (snap->comparison)
		fprintf(out, " %" PRIu64, older);
	fprintf(out, " %" PRIu64 "\n", newer);
}

/* Stacks that were kept apart may read the same: one line for them, with the sum. */
static void put_lines(const struct snapshot *snap, const struct line *lines, size_t n, FILE *out)
{
	uint64_t older = 0, newer = 0;

	for (size_t i = 0; i < n; i++) {
		older += lines[i].older;
		newer += lines[i].newer;
		if (i + 1 < n && strcmp(lines[i].stack, lines[i + 1].stack) == 0)
			continue;
		fputs(lines[i].stack, out);
		put_weight(snap, older, newer, out);
		older = newer = 0;
	}
}

/* What is missing from the graph has a place in it. */
static void put_lost(const struct snapshot *snap, FILE *out)
{
	for (int i = 0; i < CT_LOST_MAX; i++) {
		uint64_t newer = comparison__lost(snap, snap->comparison, i, true);
		uint64_t older = comparison__lost(snap, snap->comparison, i, false);

		if (!older && !newer)
			continue;
		fprintf(out, "[lost];%s", words__lost(i));
		put_weight(snap, older, newer, out);
	}
}

/* The stacks of the snapshot, or of both runs. 0, -ENOMEM. */
static int make_lines(const struct snapshot *snap, const struct snapshot_stack *stacks, size_t n,
		      struct line *lines)
{
	const struct comparison *c = snap->comparison;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		err = make_line(snap, &stacks[i], &lines[i]);
		if (!c)
			continue;
		lines[i].older = c->weights[i].older.per_worker;
		lines[i].newer = c->weights[i].newer.per_worker;
	}
	return err;
}

static int folded__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	const struct comparison *c = snap->comparison;
	size_t n = c ? c->n_stacks : snap->n_stacks;
	struct line *lines = calloc(n + 1, sizeof(*lines));
	int err = lines ? make_lines(snap, c ? c->stacks : snap->stacks, n, lines) : -ENOMEM;

	(void)opt;
	if (!err) {
		qsort(lines, n, sizeof(*lines), order_lines);
		put_lines(snap, lines, n, out);
		put_lost(snap, out);
		err = fflush(out) || ferror(out) ? -EIO : 0;
	}
	for (size_t i = 0; lines && i < n; i++)
		free(lines[i].stack);
	free(lines);
	return err;
}

const struct sink sink_folded = {.name = "folded", .write = folded__write};
