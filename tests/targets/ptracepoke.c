/* SPDX-License-Identifier: MIT */
/* ptracepoke [PAGES]: the parent writes to its child's pages with PTRACE_POKEDATA. */
#include <sys/ptrace.h>

#include "victim.h"

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
	return victim_main(target_arg(argc, argv, 1, 17), ptracepoke_write);
}
