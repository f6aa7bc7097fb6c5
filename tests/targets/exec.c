/* SPDX-License-Identifier: MIT */
/*
 * exec: a child writes 11 shared pages, then becomes another program (this one, with an argument),
 * whose own child writes 17 pages of its own.
 */
#include "target.h"

static NOINLINE void exec_before(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void exec_after(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 3; /* or the compiler folds the two functions into one */
}

int main(int argc, char **argv)
{
	int second = argc > 1;
	size_t n = second ? 17 : 11;
	char *pages = target_pages(n);
	pid_t pid;

	(void)argv;
	/* The child is another program within microseconds: its names are those that its parent
	 * has. */
	target_sleep(50);
	pid = target_fork();
	if (!pid) {
		if (second) {
			exec_after(pages, n);
			_exit(0);
		}
		exec_before(pages, n);
		execl("/proc/self/exe", "exec-second", "second", NULL);
		err(127, "execl");
	}
	target_wait(pid);
	if (!second)
		printf("{\"before\": 11, \"after\": 17}\n");
	return target_end();
}
