/* SPDX-License-Identifier: MIT */
#include "event/settle.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/hash.h"

/*
 * A thread that lost a race says so in the same page fault, but it may have to wait for a CPU
 * first: under load, or because its cgroup has used up its time. 50 ms were not enough.
 */
#define RACE_NS 1000000000ull

struct held {
	__u32 tid;
	bool full;
	struct ct_copy copy;
	UT_hash_handle hh;
};

struct settle {
	void (*on_copy)(void *ctx, const struct ct_copy *copy);
	void *ctx;
	struct held *by_tid;
	struct held *last; /* copies come in runs of one thread */
};

int settle__new(void (*on_copy)(void *ctx, const struct ct_copy *copy), void *ctx,
		struct settle **out)
{
	struct settle *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->on_copy = on_copy;
	s->ctx = ctx;
	*out = s;
	return 0;
}

void settle__free(struct settle *s)
{
	struct held *h, *next;

	if (!s)
		return;
	HASH_ITER (hh, s->by_tid, h, next) {
		HASH_DEL(s->by_tid, h);
		free(h);
	}
	free(s);
}

static struct held *held__find(struct settle *s, __u32 tid)
{
	struct held *h = s->last;

	if (h && h->tid == tid)
		return h;
	HASH_FIND(hh, s->by_tid, &tid, sizeof(tid), h);
	if (h)
		s->last = h;
	return h;
}

static void held__release(struct settle *s, struct held *h)
{
	if (!h->full)
		return;
	h->full = false;
	s->on_copy(s->ctx, &h->copy);
}

void settle__copy(struct settle *s, const struct ct_copy *copy)
{
	struct held *h = held__find(s, copy->tid);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h) { /* better uncorrected than lost */
			s->on_copy(s->ctx, copy);
			return;
		}
		h->tid = copy->tid;
		HASH_ADD(hh, s->by_tid, tid, sizeof(h->tid), h);
		s->last = h;
	}
	held__release(s, h);
	h->copy = *copy;
	h->full = true;
}

void settle__fixup(struct settle *s, const struct ct_fixup *fixup)
{
	struct held *h = held__find(s, fixup->tid);

	/* The copy itself may have been lost: then there is nothing to correct. */
	if (!h || !h->full || h->copy.seq != fixup->seq || h->copy.pid != fixup->pid)
		return;
	if (fixup->kind == CT_FIXUP_RETRACT)
		h->full = false;
	else
		h->copy.origin = CT_ORIGIN_FILE;
}

/* When the copy was surely final, if it was not taken back. */
static __u64 held__time(const struct held *h)
{
	return h->copy.time + (h->copy.flags & CT_F_THREADS ? RACE_NS : 0);
}

void settle__flush(struct settle *s, __u64 time)
{
	struct held *h, *next;

	/* Entries of threads that are silent go, so that ended threads do not pile up. */
	HASH_ITER (hh, s->by_tid, h, next) {
		if (h->full && held__time(h) >= time)
			continue;
		held__release(s, h);
		if (h == s->last)
			s->last = NULL;
		HASH_DEL(s->by_tid, h);
		free(h);
	}
}
