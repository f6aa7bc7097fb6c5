/* SPDX-License-Identifier: MIT */
/*
 * ticks touch|copy PAGES: the median of what one write to a page takes, in ticks of the time stamp
 * counter: to a new page, or to one that is shared with a parent. In a guest whose clock counts
 * instructions (qemu -icount shift=0), that is how many the guest has executed for it.
 */
#include <x86intrin.h>

#include "target.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void write_each(char *pages, size_t n, uint64_t *ticks)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t start = __rdtsc();

		((volatile char *)pages)[i * PAGE] = 2;
		ticks[i] = __rdtsc() - start;
	}
}

static char *new_pages(size_t n)
{
	char *pages =
		mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || madvise(pages, n * PAGE, MADV_NOHUGEPAGE))
		err(1, "%zu pages", n);
	return pages;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 2, 2003);
	uint64_t *ticks = target_shared(n * sizeof(*ticks));
	int copies = argc > 1 && strcmp(argv[1], "copy") == 0;
	pid_t pid;

	if (!copies) {
		write_each(new_pages(n), n, ticks);
	} else {
		char *pages = target_pages(n);

		pid = target_fork();
		if (!pid) {
			write_each(pages, n, ticks);
			_exit(0);
		}
		target_wait(pid);
	}
	qsort(ticks, n, sizeof(*ticks), compare);
	printf("{\"what\": \"%s\", \"instructions\": %llu}\n", copies ? "copy" : "touch",
	       (unsigned long long)ticks[n / 2]);
	return target_end();
}
