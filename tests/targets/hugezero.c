/* SPDX-License-Identifier: MIT */
/*
 * hugezero [HUGE]: huge pages that were only read are the kernel's huge page of zeros. Writing one
 * byte of each fills a huge page (since 6.18) or a small one (before): `changed` tells.
 */
#include "target.h"

#define HUGE (2UL << 20)

static NOINLINE void hugezero_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * HUGE] = 2;
}

/* Frames that are others, but for the small page of zeros that a huge one is split into. */
static size_t count_filled(uint64_t *before, char *pages, size_t n)
{
	volatile char *zero = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t filled = 0, sum = (size_t)zero[0];
	uint64_t *now = target_frames(pages, n), *zeros = target_frames(zero, 1);

	for (size_t i = 0; i < n; i++)
		filled += now[i] != before[i] && now[i] != zeros[0];
	return filled + sum;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 7), sum = 0, size = (n + 1) * HUGE;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *pages = (char *)(((uintptr_t)map + HUGE - 1) & ~(HUGE - 1));
	uint64_t *before;

	if (map == MAP_FAILED)
		err(1, "mmap");
	if (madvise(map, size, MADV_HUGEPAGE))
		target_skip("no transparent huge pages");
	for (size_t i = 0; i < n; i++)
		sum += (size_t)pages[i * HUGE];
	before = target_frames(pages, n * (HUGE / PAGE));
	if (n && before[1] != before[0] + 1)
		target_skip("no huge page of zeros");
	hugezero_write(pages, n);
	printf("{\"copies\": %zu, \"changed\": %zu, \"sum\": %zu}\n", n,
	       count_filled(before, (char *)pages, n * (HUGE / PAGE)), sum);
	return target_end();
}
