/* SPDX-License-Identifier: MIT */
/*
 * steady: prints its pid, then for each line of input lets a child write 5 shared pages and answers
 * "ok N". "stop" stops the process (SIGSTOP) first, "die" kills it (SIGKILL). A SIGUSR1 prints
 * "usr1".
 */
#include <signal.h>

#include "target.h"

#define STEADY_PAGES 5

static NOINLINE void steady_write(volatile char *pages)
{
	for (size_t i = 0; i < STEADY_PAGES; i++)
		pages[i * PAGE] = 2;
}

static void on_usr1(int sig)
{
	(void)sig;
	if (write(STDOUT_FILENO, "usr1\n", 5) != 5)
		_exit(1);
}

int main(void)
{
	struct sigaction act = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
	char *pages = target_pages(STEADY_PAGES), line[64];

	sigaction(SIGUSR1, &act, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%d\n", (int)getpid());
	for (int i = 1; fgets(line, sizeof(line), stdin); i++) {
		pid_t pid;

		if (!strcmp(line, "stop\n"))
			raise(SIGSTOP);
		if (!strcmp(line, "die\n"))
			raise(SIGKILL);
		pid = target_fork();
		if (!pid) {
			steady_write(pages);
			_exit(0);
		}
		target_wait(pid);
		printf("ok %d\n", i);
	}
	return target_end();
}
