/* SPDX-License-Identifier: MIT */
/* A recording through the same path as what is traced, from the facts on: cause -> model. */
#ifndef COWTRACE_REPLAY_H
#define COWTRACE_REPLAY_H

#include <stddef.h>
#include <stdint.h>

struct replay;
struct snapshot;

/* Reads all of it. 0, or -errno: why has one line. */
int replay__new(const char *path, struct replay **out, char *why, size_t why_size);
/* The same of a file in memory. */
int replay__new_of_bytes(const uint8_t *bytes, size_t size, struct replay **out, char *why,
			 size_t why_size);
void replay__free(struct replay *replay);

/* Valid until replay__free. 0 or -ENOMEM. */
int replay__snapshot(struct replay *replay, const struct snapshot **out);

#endif
