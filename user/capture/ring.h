/* SPDX-License-Identifier: MIT */
/*
 * The daemon's end of a BPF ring buffer. Not libbpf's: that one maps the buffer twice in a row, so
 * that no record is cut, which counts as twice the memory; asks the kernel for each record whether
 * there is another one; and is woken as long as there is one.
 */
#ifndef COWTRACE_CAPTURE_RING_H
#define COWTRACE_CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring;

typedef void (*ring_fn)(void *ctx, const void *data, size_t size);

/* So long is the longest record: one that is longer is handed over without its bytes. 0 or -errno.
 */
int ring__new(int map_fd, size_t size, size_t longest, ring_fn fn, void *ctx, struct ring **out);
void ring__free(struct ring *ring);

/* To be polled for reading: readable while there is a record. */
int ring__fd(const struct ring *ring);
/*
 * From here on only if the kernel side has woken it since ring__hear was called. Who waits for a
 * record while programs write them at full speed never waits, and is back for a few at a time.
 */
int ring__only_woken(struct ring *ring);
void ring__hear(struct ring *ring);

/*
 * Hands over what waits, also what comes meanwhile, and returns how many records it was; max: no
 * more than so many, 0: all. The handler may take from another ring, not from this one.
 */
unsigned int ring__take(struct ring *ring, unsigned int max);

#endif
