/* SPDX-License-Identifier: MIT */
/* What `cowtrace check` shows: a machine, and what it lacks. Nothing else is looked at. */
#ifndef COWTRACE_SINK_CHECK_H
#define COWTRACE_SINK_CHECK_H

#include <stdbool.h>
#include <stdio.h>

struct lacks;
struct machine;

/* 0, or -EIO if the stream failed. color: out is a terminal that wants it. */
int check__text(const struct machine *m, const struct lacks *lacks, bool color, FILE *out);
int check__json(const struct machine *m, const struct lacks *lacks, FILE *out);

#endif
