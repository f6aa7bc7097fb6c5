/* SPDX-License-Identifier: MIT */
#include "proc/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* One mapping, or all of them: kB. */
struct block {
	bool shm; /* a shared mapping: none of its pages is copied when it is written to */
	unsigned long anonymous, shared, private_dirty;
};

static unsigned long smaller(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

/*
 * The pages of files in a private mapping are shared or clean, so what is private and dirty is
 * anonymous. What is left of the anonymous pages is shared, but for those that are private and
 * clean (given back by MADV_FREE): not more than what is shared at all.
 */
static void block__close(struct block *b, struct memory_sums *sums)
{
	unsigned long left = b->anonymous - smaller(b->anonymous, b->private_dirty);

	if (!b->shm) {
		sums->anonymous += b->anonymous * 1024ul;
		sums->shared += smaller(left, b->shared) * 1024ul;
	}
	*b = (struct block){};
}

static void block__take(struct block *b, const char *key, unsigned long kb)
{
	if (strcmp(key, "Anonymous") == 0)
		b->anonymous += kb;
	else if (strcmp(key, "Shared_Clean") == 0 || strcmp(key, "Shared_Dirty") == 0)
		b->shared += kb;
	else if (strcmp(key, "Private_Dirty") == 0)
		b->private_dirty += kb;
}

/* smaps, or smaps_rollup, which has the same lines once and calls itself a private mapping. */
static int sum_up(FILE *f, struct memory_sums *out)
{
	struct memory_sums sums = {};
	struct block block = {};
	char line[8192], key[64], perms[8];
	unsigned long kb;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*x-%*x %7s", perms) == 1) {
			block__close(&block, &sums);
			block.shm = strchr(perms, 's');
		} else if (sscanf(line, "%63[^:]: %lu kB", key, &kb) == 2) {
			block__take(&block, key, kb);
		}
	}
	block__close(&block, &sums);
	if (ferror(f) || !sums.anonymous)
		return -ESRCH; /* it has ended while we read */
	*out = sums;
	return 0;
}

int memory__anon_pages(pid_t pid, uint64_t *out)
{
	unsigned long size, resident, shared;
	_fclose_ FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%lu %lu %lu", &size, &resident, &shared) != 3 || !resident)
		return -ESRCH;
	*out = resident > shared ? resident - shared : 0;
	return 0;
}

/* Then the sum does not tell the private pages of shared mappings from those of others. */
static bool has_shared_memory(pid_t pid)
{
	_fclose_ FILE *f = NULL;
	char path[64], line[256];
	unsigned long kb;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssShmem: %lu kB", &kb) == 1)
			return kb > 0;
	return false;
}

int memory__read(pid_t pid, struct memory_sums *out)
{
	_fclose_ FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid,
		 has_shared_memory(pid) ? "smaps" : "smaps_rollup");
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	return sum_up(f, out);
}

int memory__start_stack(pid_t pid, uint64_t *out)
{
	char path[64], text[1024], *p;
	_fclose_ FILE *f = NULL;
	unsigned long value;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	/* proc(5): startstack is field 28; the state behind the name is field 3 */
	for (int field = 2; p && field < 28; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %lu", &value) != 1)
		return -ESRCH;
	if (!value) /* the kernel shows it to those only who may look into the process */
		return -EACCES;
	*out = value;
	return 0;
}
