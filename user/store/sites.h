/* SPDX-License-Identifier: MIT */
/* The numbers of places in programs. Private to the store. */
#ifndef COWTRACE_STORE_SITES_H
#define COWTRACE_STORE_SITES_H

#include <stdbool.h>
#include <stdint.h>

struct sites;

/* 0 or -ENOMEM. */
int sites__new(struct sites **out);
void sites__free(struct sites *sites);
/* 1, 2, ...; *fresh: it is a new one. Strings are interned. */
uint32_t sites__id(struct sites *sites, const char *file, const char *function, uint32_t line,
		   bool *fresh);

#endif
