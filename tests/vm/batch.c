/* SPDX-License-Identifier: MIT */
/*
 * batch FILE: runs the commands of FILE one after the other, so that cowtrace is loaded once for
 * all of them. A line is a name, a tab and the words of a command. After what the command printed
 * comes a line of JSON with its name, pid and status, which tells its copies from those of others.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 16
/* No test of speed: what hangs must not take the others with it. */
#define MOST_TICKS 12000
#define TICK_NS	   10000000

static int words_of(char *line, char **words)
{
	int n = 0;

	for (char *w = strtok(line, " \n"); w && n < MAX_WORDS; w = strtok(NULL, " \n"))
		words[n++] = w;
	words[n] = NULL;
	return n;
}

/* vfork: the memory of this program is not shared, and no copies are made in it. */
static pid_t start(char **words)
{
	pid_t pid = vfork();

	if (pid < 0)
		err(1, "vfork");
	if (!pid) {
		execv(words[0], words);
		_exit(127);
	}
	return pid;
}

static int wait_for(pid_t pid)
{
	struct timespec tick = {.tv_nsec = TICK_NS};
	int status = 0;

	for (int i = 0; waitpid(pid, &status, WNOHANG) != pid; i++) {
		if (i == MOST_TICKS)
			kill(pid, SIGKILL);
		nanosleep(&tick, NULL);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void run(int console, char *line)
{
	char *words[MAX_WORDS + 1], *name = line, *command = strchr(line, '\t');
	pid_t pid;

	if (!command)
		errx(2, "no command: %s", line);
	*command++ = '\0';
	if (!words_of(command, words))
		errx(2, "no command: %s", name);
	dprintf(console, "vm:   %s\n", name);
	pid = start(words);
	printf("{\"case\": \"%s\", \"pid\": %d, \"status\": %d}\n", name, (int)pid, wait_for(pid));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int console = open("/dev/console", O_WRONLY | O_CLOEXEC);
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	char line[512];

	if (!file)
		err(2, "usage: batch FILE");
	while (fgets(line, sizeof(line), file))
		run(console, line);
	fclose(file);
	return 0;
}
