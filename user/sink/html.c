/* SPDX-License-Identifier: MIT */
/*
 * The whole report as one page that needs nothing else: what matters most in plain words and large
 * numbers, then charts, the flame graph, the map of pages, tables. What can be said without script
 * is; the text report stands in it as well.
 */
#include "sink/html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "model/snapshot.h"
#include "sink/flamegraph.h"
#include "sink/sink.h"
#include "sink/svg.h"
#include "sink/words.h"

/* Of the flame graph: it has a part of the five megabytes. */
#define MAX_FRAMES 2500
#define DOT	   " \xc2\xb7 "

static const char style[] =
#include "html.css.inc"
	;

static const char script[] =
#include "html.js.inc"
	;

static void put_text(FILE *out, const char *s)
{
	svg__text(out, s); /* what XML needs escaped, HTML does too */
}

/* --- the first screen -------------------------------------------------------- */

static void put_head(const struct snapshot *snap, FILE *out)
{
	_free_ char *processes = words__processes(snap);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>cowtrace: ",
	      out);
	put_text(out, processes ?: "?");
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

static void put_header(const struct snapshot *snap, FILE *out)
{
	_free_ char *processes = words__processes(snap);
	char python[80];

	words__python(snap, python, sizeof(python));
	fputs("<header>\n<h1>Which writes broke the sharing of memory</h1>\n<p>", out);
	put_text(out, processes ?: "?");
	fprintf(out, DOT "%.1f s" DOT, snap->capture.seconds);
	put_text(out, python);
	fputs("<br><span class=\"dim\">cowtrace ", out);
	put_text(out, snap->version);
	fputs(DOT "Linux ", out);
	put_text(out, snap->host.kernel);
	fputs(DOT "witness ", out);
	put_text(out, snap->capture.witness);
	fprintf(out, "</span></p>\n<nav aria-label=\"Parts of this page\">%s",
		snap->comparison ? "<a href=\"#changed\">What changed</a> " : "");
	fputs("<a href=\"#memory\">Memory over time</a> "
	      "<a href=\"#time\">Causes over time</a> <a href=\"#flame\">Flame graph</a> "
	      "<a href=\"#map\">Address space</a> <a href=\"#causes\">Causes</a> "
	      "<a href=\"#sites\">Lines</a> <a href=\"#types\">Types</a> "
	      "<a href=\"#processes\">Processes</a> <a href=\"#text\">Text report</a></nav>\n"
	      "</header>\n<main>\n",
	      out);
}

static void put_tile(FILE *out, const char *value, const char *unit, const char *meaning)
{
	fprintf(out, "<li><b>%s%s</b><span>%s</span></li>\n", value, unit, meaning);
}

/* Mean over the processes that were forked and shared something. */
static bool mean_shared(const struct snapshot *snap, uint64_t *then, uint64_t *now)
{
	uint64_t n = 0;

	*then = *now = 0;
	for (size_t i = 0; i < snap->n_processes; i++) {
		const struct snapshot_process *p = &snap->processes[i];

		if (!p->forked || !p->shared_at_fork || p->shared_at_fork == SNAPSHOT_UNKNOWN ||
		    p->shared_now == SNAPSHOT_UNKNOWN)
			continue;
		*then += p->shared_at_fork;
		*now += p->shared_now;
		n++;
	}
	if (n) {
		*then /= n;
		*now /= n;
	}
	return n;
}

/* The count, and what the kernel says to it. */
static void put_count(const struct snapshot_capture *c, FILE *out)
{
	const struct number copies = number__count(c->copies);
	char meaning[128];

	if (c->kernel_copies == SNAPSHOT_UNKNOWN)
		snprintf(meaning, sizeof(meaning), "copies; the kernel itself kept no count");
	else if (c->kernel_copies == c->copies - c->uncounted)
		snprintf(meaning, sizeof(meaning), "copies; the kernel itself counted the same");
	else
		snprintf(meaning, sizeof(meaning), "copies; the kernel itself counted %s",
			 number__count(c->kernel_copies).s);
	put_tile(out, copies.s, "", meaning);
}

static void put_tiles(const struct snapshot *snap, FILE *out)
{
	const struct snapshot_capture *c = &snap->capture;
	uint64_t then, now;

	fputs("<ul class=\"tiles\">\n", out);
	put_tile(out, number__mib(snapshot__bytes(snap, c->pages)).s, " MiB",
		 "copied: memory that is no longer shared");
	put_count(c, out);
	if (mean_shared(snap, &then, &now)) {
		put_tile(out, number__mib(then).s, " MiB",
			 "shared by a process when it began, on average");
		put_tile(out, number__mib(now).s, " MiB", "of it still shared at the end, at most");
	}
	put_tile(out, number__percent(c->proven, c->copies).s, " %", "of the causes are proven");
	put_tile(out, number__count(c->lost).s, "", "copies were lost on the way");
	fputs("</ul>\n", out);
	if (c->lost)
		fprintf(out,
			"<p class=\"bad\">%s copies were counted but could not be looked at: "
			"they are in none of the tables.</p>\n",
			number__count(c->lost).s);
}

static void put_advice(const struct snapshot *snap, FILE *out)
{
	if (!snap->n_advice)
		return;
	fputs("<h2>What would help</h2>\n<ol class=\"advice\">\n", out);
	for (size_t i = 0; i < snap->n_advice; i++) {
		fputs("<li>", out);
		put_text(out, snap->advice[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ol>\n", out);
}

/* --- the rest ---------------------------------------------------------------- */

void html__section(FILE *out, const char *id, const char *title, const char *words)
{
	fprintf(out,
		"<section id=\"%s\" aria-labelledby=\"h-%s\">\n<h2 id=\"h-%s\">%s</h2>\n<p "
		"class=\"dim\">%s</p>\n",
		id, id, id, title, words);
}

static int put_flame(const struct snapshot *snap, FILE *out)
{
	int err;

	html__section(out, "flame", "Flame graph",
		      "From the process through the lines of Python to the cause and the type; the "
		      "wider, the more bytes.");
	fputs("<div class=\"flame\">\n", out);
	err = flamegraph__put(snap, false, MAX_FRAMES, out);
	fputs("</div>\n</section>\n", out);
	return err;
}

static void put_tables(FILE *out)
{
	html__section(
		out, "map", "Address space",
		"Each square is a page that a process copied, in the colour of the cause of the "
		"first copy; parts without any are left out.");
	fputs("</section>\n", out);
	html__section(out, "causes", "Why: the causes", "What kind of write it was.");
	fputs("</section>\n", out);
	html__section(out, "sites", "Where: the lines",
		      "The line of Python that was running, or the function where there was none.");
	fputs("</section>\n", out);
	html__section(out, "types", "What: the types",
		      "The type of the object that was written to.");
	fputs("</section>\n", out);
	html__section(out, "processes", "Who: the processes",
		      "Shared then: when it was forked. New: allocated since.");
	fputs("</section>\n", out);
}

static int put_text_report(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	const struct sink_options plain = {.top = opt->top};
	_free_ char *report = NULL;
	size_t size;
	FILE *text = open_memstream(&report, &size);
	int err;

	if (!text)
		return -ENOMEM;
	err = sink_text.write(snap, &plain, text);
	if (fclose(text) || err)
		return err ?: -ENOMEM;
	html__section(out, "text", "Text report", "The same as the terminal shows.");
	fputs("<details open><summary>show or hide</summary>\n<pre tabindex=\"0\">", out);
	for (const char *at = report; *at;) { /* line by line: a line end is no name */
		size_t n = strcspn(at, "\n");
		_free_ char *line = strndup(at, n);

		put_text(out, line ?: "");
		fputc('\n', out);
		at += n + (at[n] == '\n');
	}
	fputs("</pre></details>\n</section>\n", out);
	return 0;
}

static int put_body(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	int err;

	put_header(snap, out);
	err = snap->comparison ? html__changed(snap, MAX_FRAMES, out) : 0;
	if (err)
		return err;
	put_tiles(snap, out);
	put_advice(snap, out);
	fputs("<noscript><p class=\"bad\">Charts and tables need JavaScript; the flame graph and "
	      "the text report below do not.</p></noscript>\n",
	      out);
	html__section(
		out, "memory", "Memory over time",
		"What each process still shared with its relatives, what it copied, and what it "
		"allocated anew.");
	fputs("</section>\n", out);
	html__section(out, "time", "Causes over time", "What was copied when, and why.");
	fputs("</section>\n", out);
	err = put_flame(snap, out);
	if (err)
		return err;
	put_tables(out);
	err = put_text_report(snap, opt, out);
	if (err)
		return err;
	fputs("</main>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n"
	      "<script type=\"application/json\" id=\"data\">",
	      out);
	err = html__data(snap, out);
	fprintf(out, "</script>\n<script>\n%s</script>\n</body>\n</html>\n", script);
	return err;
}

static int html__write(const struct snapshot *snap, const struct sink_options *opt, FILE *out)
{
	int err;

	put_head(snap, out);
	err = put_body(snap, opt, out);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

const struct sink sink_html = {.name = "html", .write = html__write};
