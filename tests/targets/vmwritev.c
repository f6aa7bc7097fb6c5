/* SPDX-License-Identifier: MIT */
/* vmwritev [PAGES]: the parent writes to its child's pages with process_vm_writev(2). */
#include <sys/uio.h>

#include "target.h"

static NOINLINE void vmwritev_write(pid_t pid, char *pages, size_t n)
{
	struct iovec local = {target_shared(n * PAGE), n * PAGE}, remote = {pages, n * PAGE};

	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)(n * PAGE))
		err(1, "process_vm_writev");
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 23);
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
	vmwritev_write(pid, pages, n);
	if (write(gate[1], "", 1) != 1)
		err(1, "pipe");
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu, \"victim\": %d}\n", n, *changed, (int)pid);
	return target_end();
}
