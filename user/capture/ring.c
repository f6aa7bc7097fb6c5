/* SPDX-License-Identifier: MIT */
#include "capture/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * What the kernel shows of a ring (kernel/bpf/ringbuf.c, since 5.8): a page with the position of
 * the reader, which alone may be written to, one with that of the writers, and the data. Positions
 * only grow; the size is a power of two. A record is a word with its length and two flags, a word
 * of the kernel's, and its bytes, rounded up to 8.
 */
#define HEADER 8
/* Room is given back to the writers in such pieces: the line of the position goes from CPU to CPU.
 */
#define GIVE_BACK (64u << 10)

struct ring {
	ring_fn fn;
	void *ctx;
	size_t size, page;
	_Atomic uint64_t *consumer;	  /* ours */
	const _Atomic uint64_t *producer; /* and in the next page the data */
	const uint8_t *data;
	int map_fd, epoll;
	size_t longest;
	uint64_t cut[]; /* a record that goes on at the start of the buffer, in one piece */
};

static int ring__map(struct ring *r)
{
	void *ours = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, r->map_fd, 0), *theirs;

	if (ours == MAP_FAILED)
		return -errno;
	r->consumer = ours;
	theirs = mmap(NULL, r->page + r->size, PROT_READ, MAP_SHARED, r->map_fd, (off_t)r->page);
	if (theirs == MAP_FAILED)
		return -errno;
	r->producer = theirs;
	r->data = (const uint8_t *)theirs + r->page;
	return 0;
}

int ring__new(int map_fd, size_t size, size_t longest, ring_fn fn, void *ctx, struct ring **out)
{
	struct ring *r = calloc(1, sizeof(*r) + longest);
	int err;

	if (!r)
		return -ENOMEM;
	r->fn = fn;
	r->ctx = ctx;
	r->size = size;
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	r->longest = longest;
	r->map_fd = map_fd;
	r->epoll = -1;
	err = ring__map(r);
	if (err) {
		ring__free(r);
		return err;
	}
	*out = r;
	return 0;
}

void ring__free(struct ring *r)
{
	if (!r)
		return;
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->producer)
		munmap((void *)r->producer, r->page + r->size);
	if (r->consumer)
		munmap(r->consumer, r->page);
	free(r);
}

int ring__fd(const struct ring *r)
{
	return r->epoll >= 0 ? r->epoll : r->map_fd;
}

int ring__only_woken(struct ring *r)
{
	struct epoll_event edge = {.events = EPOLLIN | EPOLLET};

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0 || epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->map_fd, &edge))
		return -errno;
	return 0;
}

void ring__hear(struct ring *r)
{
	struct epoll_event edge;

	epoll_wait(r->epoll, &edge, 1, 0);
}

/* The bytes of the record at that position. */
static void ring__hand(struct ring *r, uint64_t at, uint32_t len)
{
	size_t start = (at + HEADER) & (r->size - 1), first = r->size - start;
	const void *bytes = r->data + start;

	if (len > r->longest)
		len = 0; /* not one of ours */
	if (len > first) {
		memcpy(r->cut, bytes, first);
		memcpy((uint8_t *)r->cut + first, r->data, len - first);
		bytes = r->cut;
	}
	r->fn(r->ctx, bytes, len);
}

static uint32_t ring__word(const struct ring *r, uint64_t at)
{
	const void *word = r->data + (at & (r->size - 1));

	return atomic_load_explicit((const _Atomic uint32_t *)word, memory_order_acquire);
}

/* What was complete when it looked; the new position. */
static uint64_t ring__pass(struct ring *r, uint64_t at, uint64_t end, unsigned int max,
			   unsigned int *n)
{
	uint64_t given = at;

	while (at < end && (!max || *n < max)) {
		uint32_t word = ring__word(r, at);
		uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			ring__hand(r, at, len);
			(*n)++;
		}
		at += HEADER + ((len + 7) & ~7u);
		if (at - given >= GIVE_BACK) {
			given = at;
			atomic_store_explicit(r->consumer, at, memory_order_release);
		}
	}
	return at;
}

unsigned int ring__take(struct ring *r, unsigned int max)
{
	uint64_t at = atomic_load_explicit(r->consumer, memory_order_relaxed), start;
	unsigned int n = 0;

	do {
		start = at;
		at = ring__pass(r, at, atomic_load(r->producer), max, &n);
		/* A writer that finds the reader behind another record does not wake it: either it
		 * sees this, or what it has written is seen here. */
		atomic_store(r->consumer, at);
	} while (at != start && (!max || n < max));
	return n;
}
