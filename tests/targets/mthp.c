/* SPDX-License-Identifier: MIT */
/* mthp [PAGES]: the child writes pages of folios of 64 KiB (since 6.8): copied one by one. */
#include "target.h"

#define SETTING "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled"
#define FOLIO	(64UL << 10)
#define HUGE	(2UL << 20)

static NOINLINE void mthp_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 61), large = 0;
	size_t *changed = target_shared(sizeof(*changed));
	char *map, *pages, old[64];
	uint64_t *frames;
	pid_t pid;

	if (n * PAGE > HUGE - FOLIO)
		errx(2, "too many pages");
	if (!target_set(SETTING, "madvise", old))
		target_skip("no folios of 64 KiB");
	map = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Too small a part of the area for a huge page. */
	pages = (char *)(((uintptr_t)map + HUGE - 1) & ~(HUGE - 1)) + FOLIO;
	if (map == MAP_FAILED || madvise(pages, HUGE - FOLIO, MADV_HUGEPAGE))
		err(1, "mmap");
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 1;
	frames = target_frames(pages, n);
	for (size_t i = 0; i + 1 < n; i++)
		large += frames[i + 1] == frames[i] + 1 && i % 16 == 0 && frames[i] % 16 == 0;
	pid = target_fork();
	if (!pid) {
		mthp_write(pages, n);
		*changed = target_changed(frames, pages, n);
		_exit(0);
	}
	target_wait(pid);
	target_set(SETTING,
		   strstr(old, "[never]")     ? "never"
		   : strstr(old, "[inherit]") ? "inherit"
		   : strstr(old, "[always]")  ? "always"
					      : "madvise",
		   (char[64]){});
	printf("{\"copies\": %zu, \"changed\": %zu, \"folios\": %zu}\n", n, *changed, large);
	return target_end();
}
