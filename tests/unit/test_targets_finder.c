/* SPDX-License-Identifier: MIT */
/* Which processes are found: with interpreters of this machine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "targets/finder.h"

/* Forks when it is told to, and says who it has forked. */
static const char script[] = "import os, sys\n"
			     "print('ready', flush=True)\n"
			     "for line in sys.stdin:\n"
			     "    pid = os.fork()\n"
			     "    if pid == 0:\n"
			     "        os.read(3, 1)\n" /* until the test ends */
			     "        os._exit(0)\n"
			     "    print(pid, flush=True)\n";

static struct finder *finder;
static int forever[2]; /* nobody writes to it */

static int setup(void **state)
{
	(void)state;
	return pipe(forever) || finder__new(NULL, &finder);
}

static int teardown(void **state)
{
	(void)state;
	finder__free(finder);
	close(forever[0]);
	close(forever[1]);
	return 0;
}

struct program {
	pid_t pid;
	FILE *in, *out;
};

static struct program start(const char *path, const char *const *args)
{
	int in[2], out[2];
	struct program p;

	assert_true(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	p.pid = fork();
	if (p.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(forever[1]);
		dup2(forever[0], 3);
		execv(path, (char **)args);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p.in = fdopen(in[1], "w");
	p.out = fdopen(out[0], "r");
	return p;
}

static void stop(struct program *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	fclose(p->in);
	fclose(p->out);
}

static struct program python(void)
{
	struct program p =
		start("/usr/bin/python3", (const char *[]){"python3", "-c", script, NULL});
	char word[16];

	if (!fgets(word, sizeof(word), p.out)) {
		print_message("skipped: no /usr/bin/python3 on this machine\n");
		stop(&p);
		skip();
	}
	return p;
}

static pid_t forks(struct program *p)
{
	int pid;

	fputs("fork\n", p->in);
	fflush(p->in);
	assert_int_equal(fscanf(p->out, "%d", &pid), 1);
	return pid;
}

/* Copies of what was found, as a call of look() ends them. */
static struct finder_target found[4096];
static size_t n_found;

static void look(void)
{
	const struct finder_target *targets;

	assert_int_equal(finder__look(finder, &targets, &n_found), 0);
	assert_true(n_found <= 4096);
	if (n_found)
		memcpy(found, targets, n_found * sizeof(*found));
}

static const struct finder_target *find(pid_t pid)
{
	for (size_t i = 0; i < n_found; i++)
		if (found[i].pid == pid)
			return &found[i];
	return NULL;
}

static void a_python_that_forks(void **state)
{
	struct program p = python();
	pid_t child, second;

	(void)state;
	look();
	assert_non_null(find(p.pid));
	assert_true(find(p.pid)->alone);
	child = forks(&p);
	second = forks(&p);
	look();
	assert_false(find(p.pid)->alone);
	assert_non_null(find(child));
	assert_false(find(child)->alone);
	assert_non_null(find(second));
	/* Its parent has ended: it is one that was forked all the same. */
	stop(&p);
	look();
	assert_null(find(p.pid));
	assert_non_null(find(child));
	assert_false(find(child)->alone);
	kill(child, SIGKILL);
	kill(second, SIGKILL);
}

/* A shell that forks is none, a Python that a shell turns into is one. */
static void other_programs(void **state)
{
	struct program p = start("/bin/sh", (const char *[]){"sh", "-c",
							     "(read x <&3) & echo $!; read line; "
							     "exec /usr/bin/python3 -c "
							     "'print(1, flush=True)\ninput()'",
							     NULL});
	int subshell, one;

	(void)state;
	assert_int_equal(fscanf(p.out, "%d", &subshell), 1);
	look();
	assert_null(find(p.pid));
	assert_null(find(subshell));
	fputs("go\n", p.in);
	fflush(p.in);
	assert_int_equal(fscanf(p.out, "%d", &one), 1);
	/* What it runs is another program now, which is looked at anew. */
	look();
	assert_non_null(find(p.pid));
	stop(&p);
	kill(subshell, SIGKILL);
}

static void a_python_that_becomes_another_program(void **state)
{
	struct program p =
		start("/usr/bin/python3",
		      (const char *[]){"python3", "-c",
				       "import os\nprint(1, flush=True)\ninput()\n"
				       "os.execv('/bin/sh', ['sh', '-c', 'echo 2; read x'])",
				       NULL});
	int line;

	(void)state;
	assert_int_equal(fscanf(p.out, "%d", &line), 1);
	look();
	assert_non_null(find(p.pid));
	fputs("go\n", p.in);
	fflush(p.in);
	assert_int_equal(fscanf(p.out, "%d", &line), 1);
	look();
	assert_null(find(p.pid));
	stop(&p);
}

/* The test stands for cowtrace here. */
static void itself_and_who_started_it(void **state)
{
	(void)state;
	look();
	for (pid_t pid = getpid(); pid > 1;) {
		char path[32], line[256];
		FILE *f;

		assert_null(find(pid));
		snprintf(path, sizeof(path), "/proc/%d/status", pid);
		f = fopen(path, "r");
		pid = 0;
		while (f && fgets(line, sizeof(line), f))
			sscanf(line, "PPid: %d", &pid);
		if (f)
			fclose(f);
	}
	assert_null(find(1));
}

static void many_that_are_alone(void **state)
{
	struct program programs[FINDER_MAX_ALONE + 3];
	size_t n = sizeof(programs) / sizeof(programs[0]), alone = 0;
	pid_t child;

	(void)state;
	programs[0] = python();
	for (size_t i = 1; i < n; i++)
		programs[i] = python();
	child = forks(&programs[n - 1]);
	look();
	for (size_t i = 0; i < n_found; i++)
		alone += found[i].alone;
	assert_int_equal(alone, FINDER_MAX_ALONE);
	assert_non_null(find(programs[n - 1].pid));
	assert_non_null(find(child));
	for (size_t i = 0; i < n; i++)
		stop(&programs[i]);
	kill(child, SIGKILL);
	look();
	assert_null(find(programs[n - 1].pid));
}

#define FIND(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIND(a_python_that_forks),
		FIND(other_programs),
		FIND(a_python_that_becomes_another_program),
		FIND(itself_and_who_started_it),
		FIND(many_that_are_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
