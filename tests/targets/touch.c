/* SPDX-License-Identifier: MIT */
/* touch [PAGES [ROUNDS]]: writes one byte to each page of new memory: faults that copy nothing. */
#include "target.h"

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 10007), rounds = target_arg(argc, argv, 2, 1);

	printf("{\"copies\": 0, \"ns_per_touch\": [");
	for (size_t r = 0; r < rounds; r++) {
		char *pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		uint64_t start;

		if (pages == MAP_FAILED || madvise(pages, n * PAGE, MADV_NOHUGEPAGE))
			err(1, "mmap");
		start = target_now();
		for (size_t i = 0; i < n; i++)
			((volatile char *)pages)[i * PAGE] = 1;
		printf("%s%.1f", r ? ", " : "", (double)(target_now() - start) / (double)n);
		munmap(pages, n * PAGE);
	}
	printf("]}\n");
	return target_end();
}
