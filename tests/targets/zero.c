/* SPDX-License-Identifier: MIT */
/* zero [PAGES]: pages that were only read are the zero page; writing them fills a fresh page. */
#include "target.h"

static NOINLINE void zero_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 41), sum = 0;
	volatile char *pages = mmap(NULL, (n + 1) * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *before;

	if (pages == MAP_FAILED || madvise((void *)pages, (n + 1) * PAGE, MADV_NOHUGEPAGE) < 0)
		err(1, "mmap");
	for (size_t i = 0; i < n; i++)
		sum += (size_t)pages[i * PAGE];
	before = target_frames(pages, n);
	zero_write(pages, n);
	printf("{\"copies\": %zu, \"changed\": %zu, \"sum\": %zu}\n", n,
	       target_changed(before, pages, n), sum);
	return target_end();
}
