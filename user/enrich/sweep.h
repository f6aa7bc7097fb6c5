/* SPDX-License-Identifier: MIT */
/* Which instruction goes through memory page by page: it has made the last copies of its thread. */
#ifndef COWTRACE_ENRICH_SWEEP_H
#define COWTRACE_ENRICH_SWEEP_H

#include <stdbool.h>

struct ct_copy;
struct sweeps;

/* 0 or -ENOMEM. */
int sweeps__new(struct sweeps **out);
void sweeps__free(struct sweeps *sweeps);

/*
 * Copies in the order in which they were made. True if the same instruction of the same thread made
 * the copy before this one, at the neighbouring page, and came to this one at its end: what it
 * writes is in one piece over both.
 */
bool sweeps__add(struct sweeps *sweeps, const struct ct_copy *copy);

#endif
