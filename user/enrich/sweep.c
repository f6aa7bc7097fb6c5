/* SPDX-License-Identifier: MIT */
#include "enrich/sweep.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <cowtrace/abi.h>

#define PAGE 4096ull
/* The first (or last) element on a page begins no further from its end: no store is wider. */
#define EDGE 64
/* Threads that are told apart; others share a place, and then no sweep is seen. */
#define PLACES 1024

struct last {
	uint32_t tid;
	uint64_t ip, addr;
};

struct sweeps {
	struct last last[PLACES];
};

int sweeps__new(struct sweeps **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void sweeps__free(struct sweeps *sweeps)
{
	free(sweeps);
}

bool sweeps__add(struct sweeps *sweeps, const struct ct_copy *copy)
{
	struct last *last = &sweeps->last[copy->tid % PLACES];
	uint64_t page = copy->addr / PAGE, before = last->addr / PAGE, at = copy->addr % PAGE;
	bool same = last->tid == copy->tid && last->ip == copy->ip;
	bool up = page == before + 1 && at < EDGE;
	bool down = page == before - 1 && at >= PAGE - EDGE;

	*last = (struct last){.tid = copy->tid, .ip = copy->ip, .addr = copy->addr};
	return same && (up || down);
}
