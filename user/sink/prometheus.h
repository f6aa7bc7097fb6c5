/* SPDX-License-Identifier: MIT */
/*
 * The text formats of Prometheus and OpenMetrics 1.0. They differ in the name of a counter's
 * family, in units, and in the end.
 */
#ifndef COWTRACE_SINK_PROMETHEUS_H
#define COWTRACE_SINK_PROMETHEUS_H

#include <stdbool.h>
#include <stdio.h>

struct metrics;

/* 0, or -EIO if the stream failed. */
int prometheus__write(const struct metrics *m, bool openmetrics, FILE *out);

#endif
