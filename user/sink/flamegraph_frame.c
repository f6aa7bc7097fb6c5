/* SPDX-License-Identifier: MIT */
/*
 * One frame of the flame graph: a nested svg, because that clips what is longer than it, also where
 * no script runs. Its title has three lines, which flamegraph.js takes apart: the name, what it is,
 * numbers.
 */
#include "sink/flamegraph.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "model/cause.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/escape.h"
#include "sink/flame.h"
#include "sink/svg.h"
#include "sink/words.h"

#define NAME_CHARS   200 /* of a name in a title: 8,000 titles must not become too much */
#define COLUMN_WIDTH 6.7 /* of a character of 11 px, with the widest of the usual fonts */
#define TEXT_MARGIN  4
#define PYTHON_TINTS 4

const char *flamegraph__cause_class(const char *cause)
{
	for (unsigned int i = 0; i < CAUSE_MAX; i++)
		if (strcmp(cause, cause__name(i)) == 0)
			return cause__name(i);
	return cause__name(CAUSE_UNKNOWN);
}

/* Frames of one file have one tint, so that a change of module can be seen. */
static unsigned int tint(const char *file)
{
	unsigned int sum = 0;

	while (*file)
		sum = sum * 31 + (unsigned char)*file++;
	return sum % PYTHON_TINTS;
}

/* Reasons stand in brackets; so do names that were not found. */
static bool is_reason(const struct snapshot_frame *frame)
{
	return frame->function && frame->function[0] == '[';
}

static void put_class(FILE *out, const struct flame_node *node)
{
	switch (node->kind) {
	case FLAME_PROCESS:
		fputs("ct-process", out);
		break;
	case FLAME_FRAME:
		if (node->frame->file)
			fprintf(out, "ct-python ct-p%u", tint(node->frame->file));
		else
			fputs(is_reason(node->frame) ? "ct-reason" : "ct-native", out);
		break;
	case FLAME_CAUSE:
		fprintf(out, "ct-cause ct-c-%s", flamegraph__cause_class(node->cause));
		break;
	case FLAME_TYPE:
		fprintf(out, "ct-type ct-c-%s", flamegraph__cause_class(node->cause));
		break;
	case FLAME_LOST:
		fputs("ct-lost", out);
		break;
	case FLAME_REST:
		fputs("ct-rest", out);
		break;
	case FLAME_NOW:
	case FLAME_LESS:
		fputs("ct-part", out);
		break;
	default:
		fputs("ct-all", out);
	}
}

/* What stands in the frame; python: also where the function is, as short as possible. */
static char *make_name(const struct flame_node *node, bool label)
{
	const struct snapshot_frame *frame = node->frame;
	const char *name = node->name;
	char *made;
	int n;

	switch (node->kind) {
	case FLAME_ALL:
		n = asprintf(&made, "all copies");
		break;
	case FLAME_NOW:
		n = asprintf(&made, "copied now");
		break;
	case FLAME_LESS:
		n = asprintf(&made, "copied no longer");
		break;
	case FLAME_PROCESS:
		if (node->role)
			return words__role(node->role);
		n = words__process(node->process, &made);
		break;
	case FLAME_FRAME:
		name = frame->function && frame->function[0] ? frame->function : "?";
		if (label && frame->file)
			n = asprintf(&made, "%s %s:%" PRIu32, name, words__file(frame->file),
				     frame->line);
		else
			n = asprintf(&made, "%s", name);
		break;
	case FLAME_LOST:
		n = asprintf(&made, "[lost]%s%s", name ? " " : "", name ?: "");
		break;
	case FLAME_REST:
		n = asprintf(&made, "\xe2\x80\xa6");
		break;
	default:
		n = asprintf(&made, "%s", name[0] ? name : "?");
	}
	return n < 0 ? NULL : made;
}

static void put_frame_words(FILE *out, const struct snapshot_frame *frame)
{
	if (frame->file) {
		svg__text_cut(out, frame->file, NAME_CHARS);
		fprintf(out, ":%" PRIu32, frame->line);
	} else if (is_reason(frame)) {
		fputs("why the stack is not whole", out);
	} else {
		fputs("native code, no Python line", out);
	}
}

static const char *cause_help(const char *cause)
{
	for (unsigned int i = 0; i < CAUSE_MAX; i++)
		if (strcmp(cause, cause__name(i)) == 0)
			return cause__help(i);
	return cause__help(CAUSE_UNKNOWN);
}

static void put_role(FILE *out, const struct comparison_row *role)
{
	fprintf(out, "%s then, %s now; they %s with shared pages",
		number__count(role->older_processes).s, number__count(role->newer_processes).s,
		role->worker ? "began" : "did not begin");
}

static void put_what(FILE *out, const struct flame_node *node)
{
	switch (node->kind) {
	case FLAME_ALL:
		fputs("all processes", out);
		break;
	case FLAME_NOW:
		fputs("by all processes, in the newer run", out);
		break;
	case FLAME_LESS:
		fputs("what the older run copied more", out);
		break;
	case FLAME_PROCESS:
		if (node->role) {
			put_role(out, node->role);
			break;
		}
		fputs(node->process->forked ? "forked process" : "process", out);
		fputs(node->process->python ? ", CPython " : "", out);
		svg__text_cut(out, node->process->python ?: "", NAME_CHARS);
		break;
	case FLAME_FRAME:
		put_frame_words(out, node->frame);
		break;
	case FLAME_CAUSE:
		fprintf(out, "cause: %s", cause_help(node->cause));
		break;
	case FLAME_TYPE:
		fputs("type of the object; cause: ", out);
		svg__text_cut(out, node->cause, NAME_CHARS);
		break;
	case FLAME_LOST:
		fputs("copies that could not be looked at", out);
		break;
	case FLAME_REST:
		fprintf(out, "%s %s, too small to be drawn", number__count(node->dropped).s,
			words__plural(node->dropped, "frame", "frames"));
		break;
	}
}

static void put_numbers(FILE *out, const struct flame_node *node, uint64_t total)
{
	fputs(number__bytes(node->bytes).s, out);
	fputs(", ", out);
	svg__text(out, number__percent(node->bytes, total).s);
	fprintf(out, " %% of all, %s %s", number__count(node->copies).s,
		words__plural(node->copies, "copy", "copies"));
}

static void put_title(const struct graph *g, const struct flame_node *node)
{
	_free_ char *name = make_name(node, false);

	fputs("<title>", g->out);
	svg__text_cut(g->out, name ?: "?", NAME_CHARS);
	fputc('\n', g->out);
	put_what(g->out, node);
	fputc('\n', g->out);
	if (g->changed)
		flamegraph__changed_numbers(g->out, node);
	else
		put_numbers(g->out, node, g->flame->nodes[0].bytes);
	fputs("</title>", g->out);
}

/* In a comparison it says by how much it changed, since not all see colours alike. */
static struct number change_words(const struct flame_node *node)
{
	struct number none = {""};

	if (node->kind == FLAME_NOW)
		return number__bytes(node->newer);
	if (node->less)
		return words__signed(-(int64_t)node->bytes);
	if (comparison__state(node->older, node->newer) == COMPARISON_SAME)
		return none;
	return words__percent(node->older, node->newer);
}

static char *make_label(const struct graph *g, const struct flame_node *node, size_t columns)
{
	_free_ char *name = columns >= 2 ? make_name(node, true) : NULL;
	const struct number change = change_words(node);
	char *label;

	if (!name || !g->changed || !*change.s)
		return TAKE_PTR(name);
	return asprintf(&label, "%s  %s", name, change.s) < 0 ? NULL : label;
}

void flamegraph__frame(const struct graph *g, const struct flame_node *node)
{
	uint64_t total = g->flame->nodes[0].bytes;
	double scale = (GRAPH_WIDTH - 2 * GRAPH_MARGIN) / (double)(total ?: 1);
	double width = total ? (double)node->bytes * scale : GRAPH_WIDTH - 2 * GRAPH_MARGIN;
	double columns = (width - 2 * TEXT_MARGIN) / COLUMN_WIDTH;
	_free_ char *label = make_label(g, node, columns > 0 ? (size_t)columns : 0);
	FILE *out = g->out;

	fputs("<svg class=\"ct-f ", out);
	put_class(out, node);
	if (g->changed)
		fprintf(out, " ct-d-%s%s", flamegraph__change_class(node),
			node->less ? " ct-no-longer" : "");
	fprintf(out,
		"\" x=\"%.2f\" y=\"%" PRIu32 "\" width=\"%.2f\" height=\"%d\" data-s=\"%" PRIu64
		"\" data-b=\"%" PRIu64 "\"",
		GRAPH_MARGIN + (double)node->start * scale, node->depth * ROW_HEIGHT, width,
		ROW_HEIGHT - 1, node->start, node->bytes);
	if (g->changed && *change_words(node).s)
		fprintf(out, " data-d=\"%s\"", change_words(node).s);
	fputc('>', out);
	put_title(g, node);
	fputs("<rect width=\"100%\" height=\"100%\"/>", out);
	fprintf(out, "<text x=\"%d\" y=\"13\">", TEXT_MARGIN);
	if (label)
		svg__text_fit(out, label, (size_t)columns);
	fputs("</text></svg>\n", out);
}
