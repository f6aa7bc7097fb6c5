/* SPDX-License-Identifier: MIT */
/* hugetlb [HUGE]: the child writes one byte of each huge page of hugetlb: it is copied whole. */
#include "target.h"

#define HUGE	(2UL << 20)
#define SETTING "/proc/sys/vm/nr_hugepages"

static NOINLINE void hugetlb_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * HUGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 5);
	size_t *changed = target_shared(sizeof(*changed));
	char *pages, old[64], want[64];
	pid_t pid;

	snprintf(want, sizeof(want), "%zu", 2 * n + 2);
	if (!target_set(SETTING, want, old))
		target_skip("no hugetlb");
	pages = mmap(NULL, n * HUGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (pages == MAP_FAILED)
		target_skip("no huge pages are free");
	for (size_t i = 0; i < n; i++)
		pages[i * HUGE] = 1;
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, n * (HUGE / PAGE));

		hugetlb_write(pages, n);
		*changed = target_changed(before, pages, n * (HUGE / PAGE));
		_exit(0);
	}
	target_wait(pid);
	munmap(pages, n * HUGE);
	target_set(SETTING, old, want);
	printf("{\"copies\": %zu, \"changed\": %zu}\n", n, *changed);
	return target_end();
}
