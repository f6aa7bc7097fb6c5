/* SPDX-License-Identifier: MIT */
/*
 * vfork: a sibling shares 12 pages and waits; a vfork()ed child, which runs in its parent's memory,
 * writes 5 of them, the parent the other 7.
 */
#include "target.h"

static NOINLINE void vfork_child(volatile char *pages)
{
	for (size_t i = 0; i < 5; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void vfork_parent(volatile char *pages)
{
	for (size_t i = 5; i < 12; i++)
		pages[i * PAGE] = 2;
}

int main(void)
{
	char *pages = target_pages(12), go = 1;
	uint64_t *before;
	pid_t sibling, child;
	int gate[2];

	if (pipe(gate) < 0)
		err(1, "pipe");
	sibling = target_fork();
	if (!sibling) {
		close(gate[1]);
		_exit(read(gate[0], &go, 1) == 0 ? 0 : 1);
	}
	before = target_frames(pages, 12);
	child = vfork();
	if (child < 0)
		err(1, "vfork");
	if (!child) {
		vfork_child(pages);
		_exit(0);
	}
	target_wait(child);
	vfork_parent(pages);
	printf("{\"child\": 5, \"parent\": 7, \"changed\": %zu}\n",
	       target_changed(before, pages, 12));
	close(gate[1]);
	target_wait(sibling);
	return target_end();
}
