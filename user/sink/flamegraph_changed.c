/* SPDX-License-Identifier: MIT */
/*
 * What a flame graph of a comparison says besides its frames. Red is more, blue is less, as Brendan
 * Gregg's differential flame graphs have it; colour-blind people tell these two apart, and each
 * frame says it in numbers, too.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/flame.h"
#include "sink/flamegraph.h"
#include "sink/svg.h"
#include "sink/words.h"

#define NBSP "\xc2\xa0"

/* From so many percent on a change has the second and the third shade. */
#define SECOND_SHADE 10
#define THIRD_SHADE  50

static unsigned int shade(uint64_t older, uint64_t newer)
{
	uint64_t change = older > newer ? older - newer : newer - older;

	return !older || !newer || change >= older / 100 * THIRD_SHADE ? 3
	       : change >= older / 100 * SECOND_SHADE		       ? 2
								       : 1;
}

const char *flamegraph__change_class(const struct flame_node *node)
{
	static const char *const more[] = {"more1", "more2", "more3"};
	static const char *const less[] = {"less1", "less2", "less3"};
	unsigned int at = shade(node->older, node->newer) - 1;

	if (comparison__state(node->older, node->newer) == COMPARISON_SAME)
		return "same";
	return node->newer > node->older ? more[at] : less[at];
}

void flamegraph__changed_numbers(FILE *out, const struct flame_node *node)
{
	int64_t change = (int64_t)(node->newer - node->older);

	if (node->less)
		fprintf(out, "%s less per worker: ", number__bytes(node->bytes).s);
	fprintf(out, "%s then, %s now", number__bytes(node->older).s, number__bytes(node->newer).s);
	if (!node->less)
		fprintf(out, " per worker");
	if (comparison__state(node->older, node->newer) == COMPARISON_SAME)
		fputs(": less than 1 % apart", out);
	else if (node->less)
		fprintf(out, " (%s)", words__percent(node->older, node->newer).s);
	else
		fprintf(out, ": %s (%s)", words__signed(change).s,
			words__percent(node->older, node->newer).s);
}

/* --- head -------------------------------------------------------------------- */

static void put_heading(struct graph *g)
{
	const struct comparison *c = g->snap->comparison;
	const struct comparison_row *total = &c->total;
	int64_t change = total->change;

	g->y += 8;
	flamegraph__open_line(g, " ct-heading");
	if (total->state == COMPARISON_SAME)
		fprintf(g->out, "As much copied per worker as in ");
	else
		fprintf(g->out, "%s %s copied per worker than in ",
			number__bytes(change < 0 ? -(uint64_t)change : (uint64_t)change).s,
			change < 0 ? "less" : "more");
	svg__text_cut(g->out, c->older_name, LINE_CHARS / 3);
	flamegraph__close_line(g);
	g->y += 2;
}

static void put_words(struct graph *g, const char *class, const char *words)
{
	flamegraph__open_line(g, class);
	svg__text_cut(g->out, words, LINE_CHARS);
	flamegraph__close_line(g);
}

void flamegraph__changed_head(struct graph *g)
{
	const struct comparison *c = g->snap->comparison;
	_free_ char *sentence = words__change(c), *per_worker = words__per_worker(c);

	put_heading(g);
	put_words(g, "", sentence ?: "?");
	put_words(g, " ct-dim", per_worker ?: "?");
	put_words(g, " ct-dim",
		  "From top to bottom: process, lines of Python as they called each other, cause, "
		  "type of object. Width: bytes per worker.");
	put_words(g, " ct-dim",
		  "Left: what is copied now. Right, dashed: what was copied and is no longer, as "
		  "wide as the difference.");
	for (size_t i = 0; i < c->n_remarks; i++)
		if (c->remarks[i].unfair)
			put_words(g, " ct-warning", c->remarks[i].text);
}

/* --- legend ------------------------------------------------------------------ */

void flamegraph__changed_legend(struct graph *g)
{
	static const struct {
		const char *class, *name, *words;
	} items[] = {
		{"more3", "+50 %", "and more, or new"},	 {"more2", "+10 %", "to +50 %"},
		{"more1", "+1 %", "to +10 %"},		 {"same", "same", "less than 1 % apart"},
		{"less1", "-1 %", "to -10 %"},		 {"less2", "-10 %", "to -50 %"},
		{"less3", "-50 %", "and less, or gone"},
	};
	const unsigned int n = sizeof(items) / sizeof(items[0]);
	char search[32], class[32];

	flamegraph__open_legend(g);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(search, sizeof(search), "change:%s", items[i].class);
		snprintf(class, sizeof(class), "ct-d-%s", items[i].class);
		flamegraph__open_item(g, i, search, class);
		fprintf(g->out, "<tspan class=\"ct-name\">%s</tspan> %s", items[i].name,
			items[i].words);
		flamegraph__close_item(g);
	}
	flamegraph__close_legend(g, n);
}
