/* SPDX-License-Identifier: MIT */
/* The part of the page that compares the run with an older one; html.js fills its tables. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "sink/flamegraph.h"
#include "sink/html.h"
#include "sink/svg.h"
#include "sink/words.h"

static void put_remarks(const struct comparison *c, FILE *out)
{
	if (!c->n_remarks)
		return;
	fputs("<ul class=\"remarks\">\n", out);
	for (size_t i = 0; i < c->n_remarks; i++) {
		fputs(c->remarks[i].unfair ? "<li class=\"bad\">Not alike. " : "<li>", out);
		svg__text(out, c->remarks[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void put_table(FILE *out, const char *id, const char *title)
{
	fprintf(out, "<div id=\"changed-%s\">\n<h3>%s</h3>\n</div>\n", id, title);
}

int html__changed(const struct snapshot *snap, size_t frames, FILE *out)
{
	const struct comparison *c = snap->comparison;
	_free_ char *sentence = words__change(c), *per_worker = words__per_worker(c);
	int err;

	html__section(out, "changed", "What changed", "");
	fputs("<p class=\"sentence\">", out);
	svg__text(out, sentence ?: "?");
	fputs("</p>\n", out);
	put_remarks(c, out);
	fputs("<p class=\"dim\">", out);
	svg__text(out, per_worker ?: "?");
	fputs("</p>\n", out);
	put_table(out, "causes", "Why");
	put_table(out, "sites", "Where");
	put_table(out, "types", "Which types");
	put_table(out, "processes", "Who");
	fputs("<h3>As a flame graph</h3>\n<div class=\"flame\">\n", out);
	err = flamegraph__put(snap, true, frames, out);
	fputs("</div>\n</section>\n", out);
	return err;
}
