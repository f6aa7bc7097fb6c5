/* SPDX-License-Identifier: MIT */
/* Which processes may be watched; and what the kernel says of each. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/stat.h"
#include "proc/target.h"

static char why[256];

static int check(pid_t pid)
{
	why[0] = '\0';
	return target__check(pid, why, sizeof(why));
}

/* A child that waits to be killed. */
static pid_t child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void one_that_runs(void **state)
{
	pid_t pid = child();

	(void)state;
	assert_int_equal(check(pid), 0);
	assert_string_equal(why, "");
	kill(pid, SIGSTOP);
	assert_int_equal(check(pid), 0);
	end(pid);
}

static void one_that_is_not_there(void **state)
{
	pid_t pid = child();

	(void)state;
	end(pid);
	assert_int_equal(check(pid), -ESRCH);
	assert_non_null(strstr(why, "there is no process"));
	assert_int_equal(check(4194304), -ESRCH); /* no pid is as large */
}

static void one_that_has_ended(void **state)
{
	pid_t pid = child();
	siginfo_t info;

	(void)state;
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(check(pid), -ESRCH);
	assert_non_null(strstr(why, "has ended"));
	waitpid(pid, NULL, 0);
}

static void cowtrace_itself_and_above(void **state)
{
	(void)state;
	assert_int_equal(check(getpid()), -EINVAL);
	assert_non_null(strstr(why, "is cowtrace itself"));
	assert_int_equal(check(getppid()), -EINVAL);
	assert_non_null(strstr(why, "cowtrace itself was started by"));
}

struct thread {
	pid_t tid;
	sem_t ready, done;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	t->tid = gettid();
	sem_post(&t->ready);
	sem_wait(&t->done);
	return NULL;
}

static void a_thread(void **state)
{
	struct thread t;
	pthread_t id;

	(void)state;
	sem_init(&t.ready, 0, 0);
	sem_init(&t.done, 0, 0);
	assert_int_equal(pthread_create(&id, NULL, thread_main, &t), 0);
	sem_wait(&t.ready);
	assert_int_equal(check(t.tid), -EINVAL);
	assert_non_null(strstr(why, "is a thread of process"));
	sem_post(&t.done);
	pthread_join(id, NULL);
}

/* The first one is kthreadd, if this is not a container. */
static void a_part_of_the_kernel(void **state)
{
	struct proc_stat stat;

	(void)state;
	if (proc_stat__read(2, &stat) || !stat.kernel) {
		print_message("skipped: no kthreadd in this pid namespace\n");
		skip();
	}
	assert_int_equal(check(2), -EINVAL);
	assert_non_null(strstr(why, "a part of the kernel"));
}

/* --- proc/stat --------------------------------------------------------------- */

static const char line[] =
	"4121 (a) b) (c) S 17 4121 4121 0 -1 4194368 7 8 9 10 11 12 13 14 20 0 1 0 98765 1000 200 "
	"18446744073709551615 1 2 140730000000 3 4 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n";

static void a_line_of_stat(void **state)
{
	struct proc_stat s;

	(void)state;
	assert_int_equal(proc_stat__parse(line, sizeof(line) - 1, &s), 0);
	assert_int_equal(s.ppid, 17);
	assert_int_equal(s.state, 'S');
	assert_true(s.forked);
	assert_false(s.kernel);
	assert_int_equal(s.started, 98765);
	assert_int_equal(s.stack, 140730000000);
}

/* Cut anywhere, it is refused or the same. */
static void a_line_that_is_cut(void **state)
{
	struct proc_stat s;

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		char *copy = malloc(n + 1); /* so that a sanitizer sees its end */

		memcpy(copy, line, n);
		if (proc_stat__parse(copy, n, &s) == 0)
			assert_int_equal(s.ppid, 17);
		free(copy);
	}
	assert_int_equal(proc_stat__parse("x", 1, &s), -EINVAL);
	assert_int_equal(proc_stat__parse("1 (x) ", 6, &s), -EINVAL);
}

static void forked_or_not(void **state)
{
	struct proc_stat self, other;
	pid_t pid = child(), executed;
	int started[2];
	char byte;

	(void)state;
	assert_int_equal(proc_stat__read(getpid(), &self), 0);
	assert_false(self.forked);
	assert_int_equal(self.ppid, getppid());
	assert_int_equal(proc_stat__read(pid, &other), 0);
	assert_true(other.forked);
	assert_int_equal(other.ppid, getpid());
	assert_int_equal(other.stack, self.stack);
	end(pid);
	assert_int_equal(proc_stat__read(pid, &other), -ESRCH);
	assert_int_equal(pipe(started), 0);
	executed = fork();
	if (executed == 0) {
		dup2(started[1], STDOUT_FILENO);
		execlp("sh", "sh", "-c", "echo; exec sleep 1000", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(read(started[0], &byte, 1), 1);
	assert_int_equal(proc_stat__read(executed, &other), 0);
	assert_false(other.forked);
	end(executed);
	close(started[0]);
	close(started[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_runs),      cmocka_unit_test(one_that_is_not_there),
		cmocka_unit_test(one_that_has_ended), cmocka_unit_test(cowtrace_itself_and_above),
		cmocka_unit_test(a_thread),	      cmocka_unit_test(a_part_of_the_kernel),
		cmocka_unit_test(a_line_of_stat),     cmocka_unit_test(a_line_that_is_cut),
		cmocka_unit_test(forked_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
