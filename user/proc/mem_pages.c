/* SPDX-License-Identifier: MIT */
#include "proc/mem_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"

#define PAGE 4096ull
/* 1 MiB: what the copies of a few milliseconds are explained with. */
#define PLACES 256
/* A range of MEM_PAGES_MAX bytes that begins anywhere. */
#define AT_ONCE (MEM_PAGES_MAX / PAGE + 1)

struct place {
	pid_t pid; /* 0: free */
	bool missing;
	uint64_t page; /* its address */
	uint64_t time; /* ns */
};

struct mem_pages {
	struct place places[PLACES];
	uint8_t data[PLACES][PAGE];
};

int mem_pages__new(struct mem_pages **out)
{
	struct mem_pages *pages = malloc(sizeof(*pages));

	if (!pages)
		return -ENOMEM;
	memset(pages->places, 0, sizeof(pages->places));
	*out = pages;
	return 0;
}

void mem_pages__free(struct mem_pages *pages)
{
	free(pages);
}

void mem_pages__drop(struct mem_pages *pages, pid_t pid)
{
	for (size_t i = 0; i < PLACES; i++)
		if (pages->places[i].pid == pid)
			pages->places[i].pid = 0;
}

/* Neighbours have different places: a range is there as a whole. */
static size_t place_of(pid_t pid, uint64_t page)
{
	return (page / PAGE + (uint64_t)pid * 31) % PLACES;
}

ssize_t mem_pages__take(const struct mem_pages *pages, pid_t pid, uint64_t since, uint64_t addr,
			void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		uint64_t page = (addr + done) & ~(PAGE - 1), skip = addr + done - page;
		size_t at = place_of(pid, page), n = PAGE - skip;
		const struct place *p = &pages->places[at];

		if (p->pid != pid || p->page != page || p->time < since)
			break;
		if (p->missing)
			return -EFAULT;
		n = n < len - done ? n : len - done;
		memcpy((char *)buf + done, pages->data[at] + skip, n);
		done += n;
	}
	return (ssize_t)done;
}

static void keep(struct mem_pages *pages, pid_t pid, uint64_t page, uint64_t time, bool missing)
{
	pages->places[place_of(pid, page)] =
		(struct place){.pid = pid, .missing = missing, .page = page, .time = time};
}

int mem_pages__read(struct mem_pages *pages, int fd, pid_t pid, uint64_t addr, size_t len)
{
	uint64_t first = addr & ~(PAGE - 1), time = clock__now_ns();
	size_t n = (addr + len - first + PAGE - 1) / PAGE, whole;
	struct iovec at[AT_ONCE];
	ssize_t got;

	for (size_t i = 0; i < n; i++) {
		size_t place = place_of(pid, first + i * PAGE);

		pages->places[place].pid = 0;
		at[i] = (struct iovec){pages->data[place], PAGE};
	}
	do {
		got = preadv(fd, at, (int)n, (off_t)first);
	} while (got < 0 && errno == EINTR);
	if (!got) /* a zombie */
		return -ESRCH;
	if (got < 0 && (errno == EPERM || errno == EACCES))
		return -EPERM;
	whole = got < 0 ? 0 : (size_t)got / PAGE;
	for (size_t i = 0; i < whole; i++)
		keep(pages, pid, first + i * PAGE, time, false);
	if (whole < n)
		keep(pages, pid, first + whole * PAGE, time, true);
	return 0;
}
