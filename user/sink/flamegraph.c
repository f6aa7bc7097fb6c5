/* SPDX-License-Identifier: MIT */
/*
 * A flame graph as one SVG file that needs nothing else: it can be looked at on paper and without
 * script; with script (flamegraph.js) it can be zoomed and searched.
 *
 * It hangs down from its root, as icicles do: it is read like the report, from the process to the
 * line to the cause, and where it is longer than the window, the end that everybody begins with is
 * in view. The heaviest stands left. Last come cause and type, because they answer the question;
 * their colours are those of the legend, and frames of Python have calm ones.
 */
#include "sink/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "model/cause.h"
#include "model/snapshot.h"
#include "sink/flame.h"
#include "sink/sink.h"
#include "sink/svg.h"
#include "sink/words.h"

#define DOT  " \xc2\xb7 "
#define NBSP "\xc2\xa0"

/* So many frames make a file of some 4 MB, which browsers zoom without delay. */
#define MAX_FRAMES 8000

#define LEGEND_COLUMNS 3
#define LEGEND_WIDTH   ((GRAPH_WIDTH - 2 * GRAPH_MARGIN) / LEGEND_COLUMNS)

static const char style[] =
#include "flamegraph.css.inc"
	;

static const char script[] =
#include "flamegraph.js.inc"
	;

/* --- lines of text ----------------------------------------------------------- */

void flamegraph__open_line(struct graph *g, const char *class)
{
	g->y += LINE_HEIGHT;
	fprintf(g->out, "<text class=\"ct-line%s\" x=\"%d\" y=\"%u\">", class, GRAPH_MARGIN, g->y);
}

void flamegraph__close_line(struct graph *g)
{
	fputs("</text>\n", g->out);
}

static void put_title(struct graph *g)
{
	const struct snapshot_capture *capture = &g->snap->capture;

	g->y += 8;
	flamegraph__open_line(g, " ct-heading");
	if (capture->copies) {
		fputs(number__bytes(snapshot__bytes(g->snap, capture->pages)).s, g->out);
		fprintf(g->out, " copied by writes to shared memory");
	} else {
		fputs("No page copied", g->out);
	}
	flamegraph__close_line(g);
	g->y += 2;
}

static void put_subtitle(struct graph *g)
{
	const struct snapshot_capture *capture = &g->snap->capture;
	_free_ char *who = words__processes(g->snap), *line = NULL;
	char python[80];

	words__python(g->snap, python, sizeof(python));
	if (asprintf(&line,
		     "%s" DOT "%.1f" NBSP "s" DOT "%s" DOT "witness" NBSP "%s" DOT "%s" NBSP
		     "%s" DOT "%s" NBSP "lost",
		     who ?: "?", capture->seconds, python, capture->witness,
		     number__count(capture->copies).s,
		     words__plural(capture->copies, "copy", "copies"),
		     number__count(capture->lost).s) < 0)
		line = NULL;
	flamegraph__open_line(g, "");
	svg__text_cut(g->out, line ?: "?", LINE_CHARS);
	flamegraph__close_line(g);
}

static void put_meaning(struct graph *g)
{
	flamegraph__open_line(g, " ct-dim");
	fputs("From top to bottom: process, lines of Python as they called each other, cause of "
	      "the copy, type of object. Width: copied bytes.",
	      g->out);
	flamegraph__close_line(g);
}

static void put_notes(struct graph *g)
{
	const struct snapshot_capture *capture = &g->snap->capture;
	const struct flame *flame = g->flame;

	if (capture->cut) {
		flamegraph__open_line(g, " ct-warning");
		fputs("Cut off: ", g->out);
		svg__text_cut(g->out, capture->cut, LINE_CHARS);
		flamegraph__close_line(g);
	}
	if (capture->lost) {
		flamegraph__open_line(g, " ct-warning");
		fprintf(g->out,
			"Incomplete: %s %s could not be looked at; they stand at the right, as "
			"[lost].",
			number__count(capture->lost).s,
			words__plural(capture->lost, "copy", "copies"));
		flamegraph__close_line(g);
	}
	if (flame->dropped) {
		flamegraph__open_line(g, " ct-dim");
		fprintf(g->out, "%s %s with less than ", number__count(flame->dropped).s,
			words__plural(flame->dropped, "frame", "frames"));
		fputs(number__bytes(flame->smallest).s, g->out);
		fputs(" not drawn; where they add up, they stand together as \xe2\x80\xa6", g->out);
		flamegraph__close_line(g);
	}
}

/* --- legend ------------------------------------------------------------------ */

static void sum_causes(struct graph *g)
{
	const struct snapshot *snap = g->snap;

	for (size_t i = 0; i < snap->n_causes; i++)
		for (unsigned int c = 0; c < CAUSE_MAX; c++)
			if (strcmp(snap->causes[i].cause, cause__name(c)) == 0)
				g->by_cause[c] += snapshot__bytes(snap, snap->causes[i].pages);
}

/* The cause with the most bytes; CAUSE_MAX: none is left. */
static unsigned int take_largest(uint64_t *left)
{
	unsigned int best = CAUSE_MAX;

	for (unsigned int c = 0; c < CAUSE_MAX; c++)
		if (left[c] && (best == CAUSE_MAX || left[c] > left[best]))
			best = c;
	if (best < CAUSE_MAX)
		left[best] = 0;
	return best;
}

void flamegraph__open_legend(struct graph *g)
{
	fprintf(g->out, "<g class=\"ct-legend\" transform=\"translate(0 %u)\">\n", g->y + 10);
}

void flamegraph__open_item(struct graph *g, unsigned int at, const char *search, const char *class)
{
	fprintf(g->out,
		"<g class=\"ct-item\" data-search=\"%s\" transform=\"translate(%u %u)\">"
		"<rect class=\"%s\" width=\"12\" height=\"12\"/>"
		"<text x=\"18\" y=\"10.5\">",
		search, GRAPH_MARGIN + at % LEGEND_COLUMNS * LEGEND_WIDTH,
		at / LEGEND_COLUMNS * LINE_HEIGHT, class);
}

void flamegraph__close_item(struct graph *g)
{
	fputs("</text></g>\n", g->out);
}

void flamegraph__close_legend(struct graph *g, unsigned int n)
{
	fputs("</g>\n", g->out);
	g->y += 10 + (n + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS * LINE_HEIGHT + 8;
}

static void put_legend(struct graph *g)
{
	uint64_t left[CAUSE_MAX], all = snapshot__bytes(g->snap, g->snap->capture.pages);
	unsigned int c, i = 0;
	char search[64], class[64];

	memcpy(left, g->by_cause, sizeof(left));
	flamegraph__open_legend(g);
	for (; (c = take_largest(left)) < CAUSE_MAX; i++) {
		snprintf(search, sizeof(search), "cause:%s", cause__name(c));
		snprintf(class, sizeof(class), "ct-c-%s", cause__name(c));
		flamegraph__open_item(g, i, search, class);
		fprintf(g->out, "<tspan class=\"ct-name\">%s</tspan> ", cause__name(c));
		svg__text(g->out, number__percent(g->by_cause[c], all).s);
		fprintf(g->out, " %%, %s", cause__help(c));
		flamegraph__close_item(g);
	}
	flamegraph__close_legend(g, i);
}

/* --- the document ------------------------------------------------------------ */

static void put_frames(struct graph *g)
{
	const struct flame *flame = g->flame;

	fprintf(g->out, "<g class=\"ct-graph\" transform=\"translate(0 %u)\">\n", g->y);
	for (size_t i = 0; i < flame->n; i++)
		flamegraph__frame(g, &flame->nodes[i]);
	fputs("</g>\n", g->out);
	g->y += (flame->depth + 1) * ROW_HEIGHT;
}

static void put_body(struct graph *g)
{
	if (g->changed) {
		flamegraph__changed_head(g);
		put_notes(g);
		flamegraph__changed_legend(g);
	} else {
		put_title(g);
		put_subtitle(g);
		put_meaning(g);
		put_notes(g);
		put_legend(g);
	}
	put_frames(g);
	flamegraph__open_line(g, " ct-dim ct-footer");
	fprintf(g->out, "cowtrace %s</text>\n", g->snap->version);
	g->y += GRAPH_MARGIN;
}

/* The body comes first into memory: the document begins with its height. */
static int put_document(struct graph *g, FILE *out)
{
	_free_ char *body = NULL;
	size_t size;

	g->out = open_memstream(&body, &size);
	if (!g->out)
		return -ENOMEM;
	put_body(g);
	if (fclose(g->out))
		return -ENOMEM;
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cowtrace-flame\" role=\"img\" "
		"width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\">\n"
		"<title>cowtrace: %s</title>\n"
		"<style>\n%s</style>\n"
		"<rect class=\"ct-paper\" width=\"100%%\" height=\"100%%\"/>\n",
		GRAPH_WIDTH, g->y, GRAPH_WIDTH, g->y,
		g->changed ? "what changed in the copies of shared memory"
			   : "copies of shared memory",
		style);
	fwrite(body, 1, size, out);
	fprintf(out, "<script>\n//<![CDATA[\n%s//]]>\n</script>\n</svg>\n", script);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int flamegraph__put(const struct snapshot *snap, bool changed, size_t frames, FILE *out)
{
	struct flame *flame = NULL;
	struct graph g = {.snap = snap, .changed = changed};
	int err = changed ? flame__new_changed(snap, frames, &flame)
			  : flame__new(snap, frames, &flame);

	if (err)
		return err;
	g.flame = flame;
	sum_causes(&g);
	err = put_document(&g, out);
	flame__free(flame);
	return err;
}

static int flamegraph__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	(void)opt;
	return flamegraph__put(snap, snap->comparison, MAX_FRAMES, out);
}

const struct sink sink_flamegraph = {.name = "flamegraph", .write = flamegraph__write};
