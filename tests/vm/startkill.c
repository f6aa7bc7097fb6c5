/* SPDX-License-Identifier: MIT */
/*
 * startkill N SECONDS COMMAND...: starts COMMAND N times and kills it (SIGKILL), each time a little
 * later: the last time after SECONDS. So each moment of its start is hit.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void start_and_kill(char **command, double seconds)
{
	struct timespec life = {.tv_sec = (time_t)seconds,
				.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		execv(command[0], command);
		_exit(127);
	}
	nanosleep(&life, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[1]) : 0;
	double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;

	if (n <= 0 || seconds <= 0)
		errx(2, "usage: startkill N SECONDS COMMAND...");
	for (int i = 1; i <= n; i++)
		start_and_kill(argv + 3, seconds * i / n);
	printf("%d killed\n", n);
	return 0;
}
