/* SPDX-License-Identifier: MIT */
/* vmwritev [PAGES]: the parent writes to its child's pages with process_vm_writev(2). */
#include <sys/uio.h>

#include "victim.h"

static NOINLINE void vmwritev_write(pid_t pid, char *pages, size_t n)
{
	struct iovec local = {target_shared(n * PAGE), n * PAGE}, remote = {pages, n * PAGE};

	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)(n * PAGE))
		err(1, "process_vm_writev");
}

int main(int argc, char **argv)
{
	return victim_main(target_arg(argc, argv, 1, 23), vmwritev_write);
}
