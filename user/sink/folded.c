/* SPDX-License-Identifier: MIT */
/* Folded stacks, for flamegraph.pl and all that read its format: "a;b;c weight", root first. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/snapshot.h"
#include "sink/escape.h"
#include "sink/sink.h"
#include "sink/words.h"

struct line {
	char *stack;
	uint64_t bytes;
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

static int make_line(const struct snapshot *snap, const struct snapshot_stack *stack,
		     struct line *line)
{
	size_t size;
	FILE *out = open_memstream(&line->stack, &size);

	if (!out)
		return -ENOMEM;
	put_name(out, stack->command);
	if (stack->pid)
		fprintf(out, " [%" PRIu32 "]", stack->pid);
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
	line->bytes = snapshot__bytes(snap, stack->pages);
	return fclose(out) ? -ENOMEM : 0;
}

static int order_lines(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->stack, ((const struct line *)b)->stack);
}

/* Stacks that were kept apart may read the same: one line for them, with the sum. */
static void put_lines(const struct line *lines, size_t n, FILE *out)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += lines[i].bytes;
		if (i + 1 < n && strcmp(lines[i].stack, lines[i + 1].stack) == 0)
			continue;
		fprintf(out, "%s %" PRIu64 "\n", lines[i].stack, bytes);
		bytes = 0;
	}
}

/* What is missing from the graph has a place in it. */
static void put_lost(const struct snapshot *snap, FILE *out)
{
	for (int i = 0; i < CT_LOST_MAX; i++)
		if (snap->capture.lost_by_reason[i])
			fprintf(out, "[lost];%s %" PRIu64 "\n", words__lost(i),
				snapshot__bytes(snap, snap->capture.lost_by_reason[i]));
}

static int folded__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	struct line *lines = calloc(snap->n_stacks + 1, sizeof(*lines));
	int err = lines ? 0 : -ENOMEM;
	size_t n = 0;

	(void)opt;
	while (!err && n < snap->n_stacks) {
		err = make_line(snap, &snap->stacks[n], &lines[n]);
		n++;
	}
	if (!err) {
		qsort(lines, n, sizeof(*lines), order_lines);
		put_lines(lines, n, out);
		put_lost(snap, out);
		err = fflush(out) || ferror(out) ? -EIO : 0;
	}
	for (size_t i = 0; i < n; i++)
		free(lines[i].stack);
	free(lines);
	return err;
}

const struct sink sink_folded = {.name = "folded", .write = folded__write};
