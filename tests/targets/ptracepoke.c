/* SPDX-License-Identifier: MIT */
/* ptracepoke [PAGES]: the parent writes to its child's pages with PTRACE_POKEDATA. */
#include <sys/ptrace.h>

#include "target.h"

static NOINLINE void ptracepoke_write(pid_t pid, char *pages, size_t n)
{
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) || waitpid(pid, NULL, 0) != pid)
		err(1, "PTRACE_ATTACH");
	for (size_t i = 0; i < n; i++)
		if (ptrace(PTRACE_POKEDATA, pid, pages + i * PAGE, 2L))
			err(1, "PTRACE_POKEDATA");
	if (ptrace(PTRACE_DETACH, pid, 0, 0))
		err(1, "PTRACE_DETACH");
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 17);
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
	ptracepoke_write(pid, pages, n);
	if (write(gate[1], "", 1) != 1)
		err(1, "pipe");
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu, \"victim\": %d}\n", n, *changed, (int)pid);
	return target_end();
}
