/* SPDX-License-Identifier: MIT */
/* When to say how far something has come that takes longer than a second. */
#ifndef COWTRACE_BASE_PROGRESS_H
#define COWTRACE_BASE_PROGRESS_H

#include <stdint.h>

struct progress {
	uint64_t start, next; /* ms, CLOCK_MONOTONIC; 0: has not begun */
};

/* Whole seconds since the first call, if it is time to say something and somebody would see it;
 * else 0. What is said goes to log__status. */
uint64_t progress__due(struct progress *p);

#endif
