/* SPDX-License-Identifier: MIT */
/*
 * unshare [PAGES]: the child lets the kernel pin shared pages for reading (process_vm_readv of its
 * own memory). Since 6.0 the kernel un-shares them for that: a copy without a write.
 */
#include <sys/uio.h>

#include "target.h"

static NOINLINE ssize_t unshare_pin(char *pages, size_t n, char *to)
{
	struct iovec local = {to, n * PAGE}, remote = {pages, n * PAGE};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 43);
	size_t *changed = target_shared(sizeof(*changed));
	char *pages = target_pages(n), *to = target_shared(n * PAGE);
	pid_t pid = target_fork();

	if (!pid) {
		uint64_t *before = target_frames(pages, n);

		if (unshare_pin(pages, n, to) != (ssize_t)(n * PAGE))
			err(1, "process_vm_readv");
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu}\n", *changed ? n : 0, *changed);
	return target_end();
}
