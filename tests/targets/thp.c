/* SPDX-License-Identifier: MIT */
/* thp [HUGE]: the child writes one byte of each huge page: it is split, and a small page copied. */
#include "target.h"

#define HUGE (2UL << 20)

static NOINLINE void thp_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * HUGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 5), size = (n + 1) * HUGE;
	size_t *changed = target_shared(sizeof(*changed)), large = 0;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *pages = (char *)(((uintptr_t)map + HUGE - 1) & ~(HUGE - 1));
	uint64_t *frames;
	pid_t pid;

	if (map == MAP_FAILED)
		err(1, "mmap");
	if (madvise(map, size, MADV_HUGEPAGE))
		target_skip("no transparent huge pages");
	memset(pages, 1, n * HUGE);
	frames = target_frames(pages, n * (HUGE / PAGE));
	for (size_t i = 0; i < n; i++)
		large += frames[i * (HUGE / PAGE) + 1] == frames[i * (HUGE / PAGE)] + 1;
	pid = target_fork();
	if (!pid) {
		thp_write(pages, n);
		*changed = target_changed(frames, pages, n * (HUGE / PAGE));
		_exit(0);
	}
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu, \"large\": %zu}\n", n, *changed, large);
	return target_end();
}
