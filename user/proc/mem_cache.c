// SPDX-License-Identifier: MIT
#include "proc/mem_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc/mem_pages.h"

/* More than are asked within one batch of copies, nearly always; few among the 1024 files that a
 * process may usually have open. */
#define MAX_OPEN 32

struct slot {
	pid_t pid;     /* 0: free */
	int fd;	       /* -1: the process has ended, and is not asked again */
	uint64_t used; /* when, in calls of mem_cache__get */
};

struct mem_cache {
	struct slot slots[MAX_OPEN];
	uint64_t calls;
	struct mem_pages *pages;
};

int mem_cache__new(struct mem_cache **out)
{
	struct mem_cache *cache = calloc(1, sizeof(*cache));

	if (!cache || mem_pages__new(&cache->pages)) {
		free(cache);
		return -ENOMEM;
	}
	*out = cache;
	return 0;
}

static void slot__close(struct slot *s)
{
	if (s->pid && s->fd >= 0)
		close(s->fd);
	*s = (struct slot){};
}

void mem_cache__free(struct mem_cache *cache)
{
	if (!cache)
		return;
	for (int i = 0; i < MAX_OPEN; i++)
		slot__close(&cache->slots[i]);
	mem_pages__free(cache->pages);
	free(cache);
}

/* The one with this pid, 0: a free one; NULL: there is none. */
static struct slot *slot__find(struct mem_cache *cache, pid_t pid)
{
	for (int i = 0; i < MAX_OPEN; i++)
		if (cache->slots[i].pid == pid)
			return &cache->slots[i];
	return NULL;
}

static struct slot *slot__oldest(struct mem_cache *cache)
{
	struct slot *oldest = &cache->slots[0];

	for (int i = 1; i < MAX_OPEN; i++)
		if (cache->slots[i].used < oldest->used)
			oldest = &cache->slots[i];
	return oldest;
}

void mem_cache__drop(struct mem_cache *cache, pid_t pid)
{
	struct slot *s = cache && pid > 0 ? slot__find(cache, pid) : NULL;

	if (s)
		slot__close(s);
	if (cache)
		mem_pages__drop(cache->pages, pid);
}

struct mem_pages *mem_cache__pages(const struct mem_cache *cache)
{
	return cache->pages;
}

int mem_cache__open(pid_t pid)
{
	char path[32];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ESRCH)
		return -ESRCH;
	return errno == EACCES ? -EPERM : -errno;
}

int mem_cache__get(struct mem_cache *cache, pid_t pid, bool *fresh)
{
	struct slot *s = pid > 0 ? slot__find(cache, pid) : NULL;
	int fd;

	*fresh = !s;
	if (!s) {
		fd = mem_cache__open(pid);
		if (fd < 0 && (fd != -ESRCH || pid <= 0))
			return fd;
		s = slot__find(cache, 0) ?: slot__oldest(cache);
		slot__close(s);
		*s = (struct slot){.pid = pid, .fd = fd < 0 ? -1 : fd};
	}
	s->used = ++cache->calls;
	return s->fd < 0 ? -ESRCH : s->fd;
}
