/* SPDX-License-Identifier: MIT */
/*
 * A copy is final only when the next record of its thread arrives: the kernel may still take it
 * back (another thread won the race) or correct its origin. So the last copy of each thread is held
 * until then, or until it is too old to be corrected: a correction follows within the same page
 * fault.
 */
#ifndef COWTRACE_EVENT_SETTLE_H
#define COWTRACE_EVENT_SETTLE_H

#include <cowtrace/abi.h>

struct settle;

/* on_copy receives final copies, in order for each thread. 0 or -ENOMEM. */
int settle__new(void (*on_copy)(void *ctx, const struct ct_copy *copy), void *ctx,
		struct settle **out);
void settle__free(struct settle *s);

void settle__copy(struct settle *s, const struct ct_copy *copy);
void settle__fixup(struct settle *s, const struct ct_fixup *fixup);
/*
 * Releases the copies made before `time` (ns), those that another thread could make as well a
 * second later; UINT64_MAX: all.
 */
void settle__flush(struct settle *s, __u64 time);

#endif
