/* SPDX-License-Identifier: MIT */
/* A parent that writes to the pages of its child, which looks at its page table and waits
 * meanwhile. */
#ifndef COWTRACE_TARGET_VICTIM_H
#define COWTRACE_TARGET_VICTIM_H

#include "target.h"

static int victim_main(size_t n, void (*write_to)(pid_t pid, char *pages, size_t n))
{
	size_t *changed = target_shared(sizeof(*changed));
	char *pages = target_pages(n), go;
	int ready[2], gate[2];
	pid_t pid;

	if (pipe(ready) || pipe(gate))
		err(1, "pipe");
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, n);

		if (write(ready[1], "", 1) != 1 || read(gate[0], &go, 1) != 1)
			err(1, "pipe");
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	if (read(ready[0], &go, 1) != 1)
		err(1, "pipe");
	write_to(pid, pages, n);
	if (write(gate[1], "", 1) != 1)
		err(1, "pipe");
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu, \"victim\": %d}\n", n, *changed, (int)pid);
	return target_end();
}

#endif
