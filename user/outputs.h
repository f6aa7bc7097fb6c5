/* SPDX-License-Identifier: MIT */
/* The files that the user asked for: opened before the run, so that a wrong path costs nothing. */
#ifndef COWTRACE_OUTPUTS_H
#define COWTRACE_OUTPUTS_H

#include <stdio.h>

struct options;
struct outputs;
struct snapshot;

/* 0 or -errno; the message has been printed. */
int outputs__open(const struct options *opt, struct outputs **out);
/* Writes them all, and the text report to text if none of them goes there. 0 or -errno; messages
 * have been printed. */
int outputs__write(struct outputs *outputs, const struct options *opt, FILE *text,
		   const struct snapshot *snap);
void outputs__free(struct outputs *outputs);

#endif
