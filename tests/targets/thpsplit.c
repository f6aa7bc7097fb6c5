/* SPDX-License-Identifier: MIT */
/*
 * thpsplit CASE [HUGE]: anonymous memory in HUGE transparent huge pages of 2 MiB, shared by a fork.
 * The kernel does not copy a huge page: it splits it, and copies the small pages that are written.
 *   all      the child writes every small page: 512 copies each
 *   sparse   the child writes one byte of each huge page: one copy each
 *   sibling  the parent writes, the child is gone: nothing is copied
 */
#include "target.h"

#define HUGE	   (2UL << 20)
#define SMALL_EACH (HUGE / PAGE)

static NOINLINE void thpall_write(volatile char *pages, size_t huge)
{
	for (size_t i = 0; i < huge * SMALL_EACH; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void thpsparse_write(volatile char *pages, size_t huge)
{
	for (size_t i = 0; i < huge; i++)
		pages[i * HUGE] = 3;
}

static NOINLINE void thpsibling_write(volatile char *pages, size_t huge)
{
	for (size_t i = 0; i < huge * SMALL_EACH; i++)
		pages[i * PAGE] = 4;
}

static size_t anon_huge_kib(const void *addr)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	size_t start, end, kib = 0;
	char line[512];
	int here = 0;

	if (!file)
		err(1, "/proc/self/smaps");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%zx-%zx ", &start, &end) == 2)
			here = start <= (size_t)addr && (size_t)addr < end;
		else if (here && sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
			break;
	}
	fclose(file);
	return kib;
}

/* All of them huge, or there is nothing to test. */
static char *huge_pages(size_t huge)
{
	char *room = mmap(NULL, (huge + 1) * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *pages = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));

	if (room == MAP_FAILED)
		err(1, "mmap");
	if (madvise(pages, huge * HUGE, MADV_HUGEPAGE) < 0)
		err(1, "madvise");
	memset(pages, 1, huge * HUGE);
	if (anon_huge_kib(pages) != huge * HUGE >> 10) {
		printf("{\"skip\": \"the kernel gave no huge pages\"}\n");
		exit(target_end());
	}
	return pages;
}

static size_t in_child(char *pages, size_t huge, void (*write)(volatile char *, size_t))
{
	size_t *changed = target_shared(sizeof(*changed));
	pid_t pid = target_fork();

	if (!pid) {
		uint64_t *before = target_frames(pages, huge * SMALL_EACH);

		write(pages, huge);
		*changed = target_changed(before, pages, huge * SMALL_EACH);
		_exit(0);
	}
	target_wait(pid);
	return *changed;
}

static size_t after_sibling(char *pages, size_t huge)
{
	pid_t pid = target_fork();
	uint64_t *before;

	if (!pid)
		_exit(0);
	target_wait(pid);
	before = target_frames(pages, huge * SMALL_EACH);
	thpsibling_write(pages, huge);
	return target_changed(before, pages, huge * SMALL_EACH);
}

int main(int argc, char **argv)
{
	size_t huge = target_arg(argc, argv, 2, 3), copies = 0, changed;
	const char *name = argc > 1 ? argv[1] : "";
	char *pages = huge_pages(huge);

	if (!strcmp(name, "all")) {
		copies = huge * SMALL_EACH;
		changed = in_child(pages, huge, thpall_write);
	} else if (!strcmp(name, "sparse")) {
		copies = huge;
		changed = in_child(pages, huge, thpsparse_write);
	} else if (!strcmp(name, "sibling")) {
		changed = after_sibling(pages, huge);
	} else {
		errx(2, "usage: thpsplit all|sparse|sibling [HUGE]");
	}
	printf("{\"copies\": %zu, \"changed\": %zu}\n", copies, changed);
	return target_end();
}
