/* SPDX-License-Identifier: MIT */
/*
 * swapped [PAGES]: pages that were swapped out before the fork; the child writes them, which brings
 * each back and copies it, as the parent still shares it. Brings a swap file of its own.
 */
#include <sys/swap.h>

#include "target.h"

#define SWAP_PAGES 4096

static char swap_name[] = "/var/tmp/cowtrace-swap-XXXXXX";

static NOINLINE void swapped_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

/* The header that mkswap writes: version, last page, and the magic at the end of the page. */
static int make_swap(void)
{
	union {
		char page[PAGE];
		struct {
			char boot[1024];
			uint32_t version, last_page;
		};
	} header = {.version = 1, .last_page = SWAP_PAGES - 1};
	char zeros[PAGE] = "";
	int fd = mkstemp(swap_name);

	memcpy(header.page + PAGE - 10, "SWAPSPACE2", 10);
	for (size_t i = 0; fd >= 0 && i < SWAP_PAGES; i++)
		if (write(fd, i ? zeros : header.page, PAGE) != (ssize_t)PAGE)
			err(1, "%s", swap_name);
	if (fd < 0 || fsync(fd) || close(fd))
		err(1, "%s", swap_name);
	return swapon(swap_name, 0);
}

/* Entries of the page table that lead to the swap. */
static size_t count_swapped(const void *addr, size_t n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t swapped = 0;
	uint64_t entry;

	for (size_t i = 0; i < n; i++) {
		if (pread(fd, &entry, 8, (off_t)(((uintptr_t)addr / PAGE + i) * 8)) != 8)
			err(1, "/proc/self/pagemap");
		swapped += entry >> 62 & 1;
	}
	close(fd);
	return swapped;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 53), out;
	size_t *left = target_shared(sizeof(*left));
	char *pages = target_pages(n);
	pid_t pid;

	if (make_swap()) {
		unlink(swap_name);
		target_skip("no swap file can be used here");
	}
	for (int i = 0; i < 100 && count_swapped(pages, n) < n; i++) {
		madvise(pages, n * PAGE, MADV_PAGEOUT);
		target_sleep(10);
	}
	out = count_swapped(pages, n);
	pid = target_fork();
	if (!pid) {
		swapped_write(pages, n);
		*left = count_swapped(pages, n);
		_exit(0);
	}
	target_wait(pid);
	printf("{\"copies\": %zu, \"swapped\": %zu, \"left\": %zu}\n", n, out, *left);
	swapoff(swap_name);
	unlink(swap_name);
	return target_end();
}
