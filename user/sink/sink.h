/* SPDX-License-Identifier: MIT */
/* An output format: a function from a snapshot to a stream. Writes nothing else, keeps nothing. */
#ifndef COWTRACE_SINK_SINK_H
#define COWTRACE_SINK_SINK_H

#include <stdbool.h>
#include <stdio.h>

struct snapshot;

struct sink_options {
	unsigned int top; /* rows per table of the text report; 0: the default, 10 */
	bool color;	  /* out is a terminal that wants colour */
};

struct sink {
	const char *name; /* "json": the option's name without dashes */
	/* 0, or -EIO if the stream failed. */
	int (*write)(const struct snapshot *snap, const struct sink_options *opt, FILE *out);
};

extern const struct sink sink_text;
extern const struct sink sink_json;
extern const struct sink sink_folded;
extern const struct sink sink_flamegraph;
extern const struct sink sink_pprof;
extern const struct sink sink_speedscope;
extern const struct sink sink_html;

#endif
