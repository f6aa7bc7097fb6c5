/* SPDX-License-Identifier: MIT */
/* reuse [PAGES]: a sibling shared the pages and is gone when they are written: reuses, no copies.
 */
#include "target.h"

static NOINLINE void reuse_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 29);
	char *pages = target_pages(n);
	uint64_t *before;
	pid_t pid = target_fork();

	if (!pid)
		_exit(0);
	target_wait(pid);
	before = target_frames(pages, n);
	reuse_write(pages, n);
	printf("{\"reuses\": %zu, \"changed\": %zu}\n", n, target_changed(before, pages, n));
	return target_end();
}
