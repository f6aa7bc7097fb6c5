/* SPDX-License-Identifier: MIT */
/*
 * gup: the kernel writes to shared pages that it looks up itself, without a fault of the CPU: 31 of
 * a child's, by process_vm_writev(2) of the parent, and 13 of the parent's own, through
 * /proc/self/mem.
 */
#include <sys/uio.h>

#include "target.h"

#define CHILDS 31
#define OWN    13

int main(void)
{
	char *pages = target_pages(CHILDS + OWN), *from = target_pages(CHILDS), go;
	struct iovec local = {from, CHILDS * PAGE}, remote = {pages, CHILDS * PAGE};
	int gate[2], up[2], mem = open("/proc/self/mem", O_RDWR);
	uint64_t *before;
	pid_t pid;

	if (mem < 0 || pipe(gate) < 0 || pipe(up) < 0)
		err(1, "pipe");
	pid = target_fork();
	if (!pid) {
		before = target_frames(pages, CHILDS);
		if (write(up[1], "", 1) != 1 || read(gate[0], &go, 1) != 1)
			err(1, "pipe");
		dprintf(1, "{\"changed\": %zu}\n", target_changed(before, pages, CHILDS));
		if (read(gate[0], &go, 1) != 1)
			err(1, "pipe");
		_exit(0);
	}
	if (read(up[0], &go, 1) != 1)
		err(1, "pipe");
	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)(CHILDS * PAGE))
		err(1, "process_vm_writev");
	if (write(gate[1], "", 1) != 1)
		err(1, "pipe");
	pages += CHILDS * PAGE;
	before = target_frames(pages, OWN);
	if (pwrite(mem, from, OWN * PAGE, (off_t)(uintptr_t)pages) != (ssize_t)(OWN * PAGE))
		err(1, "/proc/self/mem");
	usleep(20000); /* the child has printed */
	dprintf(1, "{\"changed\": %zu}\n", target_changed(before, pages, OWN));
	if (write(gate[1], "", 1) != 1)
		err(1, "pipe");
	target_wait(pid);
	return target_end();
}
