/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/mem.h"
#include "proc/tree.h"

static struct tree *tree;

static int setup(void **state)
{
	(void)state;
	return tree__new(&tree);
}

static int teardown(void **state)
{
	(void)state;
	tree__free(tree);
	return 0;
}

static struct process *add(uint32_t pid, struct process *parent, uint64_t started)
{
	struct process *p = tree__add(tree, pid, parent, started);

	assert_non_null(p);
	p->forked_memory = parent != NULL;
	return p;
}

/* As the pipeline does it. */
static void exec(struct process *p, uint64_t time)
{
	assert_int_equal(process__keep_past(p), 0);
	p->exec_time = time;
	p->forked_memory = false;
}

static void expect_sources(const struct process *p, unsigned int n, const pid_t *pids)
{
	struct mem_source src;

	memset(&src, 0x5a, sizeof(src));
	process__sources(p, &src);
	assert_int_equal(src.n, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(src.pids[i], pids[i]);
}

#define SOURCES(p, ...)                                                                            \
	expect_sources(p, sizeof((pid_t[]){__VA_ARGS__}) / sizeof(pid_t), (pid_t[]){__VA_ARGS__})
#define NO_SOURCES(p) expect_sources(p, 0, NULL)

/* --- who is who --- */

static void processes_are_found_by_pid(void **state)
{
	struct process *master, *worker;

	(void)state;
	assert_null(tree__first(tree));
	assert_null(tree__find(tree, 10));
	master = add(10, NULL, 1);
	snprintf(master->command, sizeof(master->command), "gunicorn");
	worker = add(11, master, 2);
	assert_ptr_equal(tree__find(tree, 10), master);
	assert_ptr_equal(tree__find(tree, 11), worker);
	assert_ptr_equal(tree__find(tree, 10), master);
	assert_null(tree__find(tree, 12));
	assert_int_equal(master->ppid, 0);
	assert_null(master->parent);
	assert_int_equal(worker->pid, 11);
	assert_int_equal(worker->ppid, 10);
	assert_ptr_equal(worker->parent, master);
	assert_int_equal(worker->started, 2);
	assert_true(worker->anon_at_exit == UINT64_MAX);
	assert_string_equal(worker->command, "gunicorn");
	assert_false(worker->exited);
	assert_int_equal(worker->exec_time, 0);
}

static void processes_stay_in_order_of_appearance(void **state)
{
	static const uint32_t pids[] = {30, 20, 10, 20, 40};
	const struct process *p;
	unsigned int i = 0;

	(void)state;
	for (i = 0; i < 5; i++)
		add(pids[i], NULL, i);
	i = 0;
	for (p = tree__first(tree); p; p = p->next) {
		assert_int_equal(p->pid, pids[i]);
		assert_int_equal(p->started, i++);
	}
	assert_int_equal(i, 5);
}

static void a_reused_pid_is_another_process(void **state)
{
	struct process *master = add(10, NULL, 1), *old = add(11, master, 2), *child, *young;

	(void)state;
	child = add(12, old, 3);
	assert_ptr_equal(tree__find(tree, 11), old);
	young = add(11, master, 4);
	assert_ptr_not_equal(young, old);
	assert_ptr_equal(tree__find(tree, 11), young);
	assert_true(old->exited);
	assert_false(young->exited);
	assert_false(master->exited);
	/* its children are not those of the new one, and never read from it */
	assert_ptr_equal(child->parent, old);
	SOURCES(child, 12, 10);
	add(10, NULL, 5);
	SOURCES(child, 12);
}

/* Copies come by another way than forks and exits, and wait until they are final. */
static void a_copy_belongs_to_who_had_the_pid_then(void **state)
{
	struct process *first = add(11, NULL, 10), *second, *third;

	(void)state;
	first->ended = 15;
	second = add(11, NULL, 20);
	second->ended = 25;
	second->exited = true;
	third = add(11, NULL, 30);
	assert_ptr_equal(tree__find_at(tree, 11, 30), third);
	assert_ptr_equal(tree__find_at(tree, 11, 99), third);
	assert_ptr_equal(tree__find_at(tree, 11, 22), second);
	assert_ptr_equal(tree__find_at(tree, 11, 12), first);
	assert_ptr_equal(tree__find_at(tree, 11, 9), first); /* clocks of /proc are coarse */
	assert_null(tree__find_at(tree, 12, 30));

	second->image = (struct image *)second; /* something still needs it */
	tree__forget(tree, 16, 0);
	assert_ptr_equal(tree__find_at(tree, 11, 12), second);
	second->image = NULL;
	tree__forget(tree, 26, 0);
	assert_ptr_equal(tree__find_at(tree, 11, 12), third);
}

static void many_processes(void **state)
{
	struct process *first = add(1, NULL, 0), *p;

	(void)state;
	for (uint32_t pid = 2; pid < 5000; pid++)
		add(pid, first, pid);
	for (uint32_t pid = 2; pid < 5000; pid++) {
		p = tree__find(tree, pid);
		assert_non_null(p);
		assert_int_equal(p->started, pid);
	}
}

/* --- where memory can be read --- */

static void itself_then_its_ancestors(void **state)
{
	struct process *a = add(10, NULL, 1), *b = add(11, a, 2), *c = add(12, b, 3);

	(void)state;
	SOURCES(a, 10);
	SOURCES(b, 11, 10);
	SOURCES(c, 12, 11, 10);
	b->exited = true; /* the chain goes on behind those that have ended */
	SOURCES(c, 12, 10);
	SOURCES(b, 10);
	c->exited = true;
	SOURCES(c, 10);
	a->exited = true;
	NO_SOURCES(c);
	NO_SOURCES(a);
	NO_SOURCES(NULL);
}

/* What an exec has replaced is in no ancestor. */
static void an_executed_process_stands_alone(void **state)
{
	struct process *a = add(10, NULL, 1), *b = add(11, a, 2), *c;

	(void)state;
	exec(b, 5);
	SOURCES(b, 11);
	c = add(12, b, 6);
	SOURCES(c, 12, 11);
	b->exited = true;
	SOURCES(c, 12);
	NO_SOURCES(b);
}

/* vfork: until it executes it runs in its parent's memory, but it owns none of it. */
static void a_vforked_process_stands_alone(void **state)
{
	struct process *a = add(10, NULL, 1), *b = add(11, a, 2);

	(void)state;
	b->forked_memory = false;
	SOURCES(b, 11);
	b->exited = true;
	NO_SOURCES(b);
}

static void long_lines_of_ancestors_are_cut(void **state)
{
	struct process *p = NULL;
	struct mem_source src;

	(void)state;
	for (uint32_t pid = 100; pid < 120; pid++)
		p = add(pid, p, pid);
	process__sources(p, &src);
	assert_int_equal(src.n, MEM_MAX_PIDS);
	for (unsigned int i = 0; i < MEM_MAX_PIDS; i++)
		assert_int_equal(src.pids[i], 119 - i);
	for (int i = 0; i < 12; i++, p = p->parent) /* those that have ended take no room */
		p->exited = true;
	process__sources(tree__find(tree, 119), &src);
	assert_int_equal(src.n, MEM_MAX_PIDS);
	assert_int_equal(src.pids[0], 107);
	assert_int_equal(src.pids[MEM_MAX_PIDS - 1], 100);
}

/* --- before the exec --- */

static void copies_from_before_an_exec(void **state)
{
	struct process *a = add(10, NULL, 1), *b = add(11, a, 2), *past;

	(void)state;
	assert_null(process__at(NULL, 0));
	assert_ptr_equal(process__at(b, 0), b);
	b->uid = 33;
	exec(b, 100);
	b->uid = 0;
	past = process__at(b, 99);
	assert_ptr_not_equal(past, b);
	assert_int_equal(past->pid, 11);
	assert_int_equal(past->uid, 33);
	assert_ptr_equal(past->parent, a);
	assert_null(past->next);
	assert_ptr_equal(process__at(b, 100), b);
	assert_ptr_equal(process__at(b, UINT64_MAX), b);
	SOURCES(past, 10); /* its own memory is gone */
	SOURCES(b, 11);
	assert_false(b->exited);
	/* the past is not one of the processes */
	assert_ptr_equal(tree__find(tree, 11), b);
	assert_ptr_equal(b->next, NULL);
}

static void only_the_last_past_is_kept(void **state)
{
	struct process *a = add(10, NULL, 1), *b = add(11, a, 2);

	(void)state;
	exec(b, 100);
	snprintf(b->command, sizeof(b->command), "second");
	exec(b, 200);
	assert_string_equal(process__at(b, 199)->command, "second");
	assert_string_equal(process__at(b, 50)->command, "second");
	assert_null(b->past->past);
	NO_SOURCES(process__at(b, 150)); /* that was no fork of a */
	SOURCES(b, 11);
}

/* --- the command --- */

/* What argv shows of a process that runs this very test, paused. */
static void expect_command(const char *want, char *const argv[])
{
	char ready[32], *const env[] = {ready, NULL};
	struct process p = {};
	int fds[2], status;
	char byte;

	assert_int_equal(pipe(fds), 0);
	snprintf(ready, sizeof(ready), "TEST_READY=%d", fds[1]);
	p.pid = fork();
	if (!p.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve("/proc/self/exe", argv, env);
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	process__read_command(&p, "comm");
	kill(p.pid, SIGKILL);
	assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
	assert_string_equal(p.command, want);
}

#define COMMAND(want, ...) expect_command(want, (char *[]){__VA_ARGS__, NULL})

static void commands_as_people_know_them(void **state)
{
	(void)state;
	COMMAND("server", "server");
	COMMAND("server -w 3", "/usr/sbin/server", "-w", "3");
	COMMAND("gunicorn -w 3 app:app", "/usr/bin/python3", "/usr/bin/gunicorn", "-w", "3",
		"app:app");
	COMMAND("serve.py /data/x", "python3.11", "serve.py", "/data/x");
	COMMAND("python3 -m http.server", "/usr/bin/python3", "-m", "http.server");
	COMMAND("python3", "/usr/bin/python3");
	COMMAND("uwsgi /usr/bin/x", "/opt/uwsgi", "/usr/bin/x");
	COMMAND("ruby /usr/bin/x", "ruby", "/usr/bin/x");
	COMMAND("/", "/");
	COMMAND("worker: 1", "worker: 1"); /* setproctitle */
}

static void hostile_commands(void **state)
{
	char big[5000], cut[256];
	struct process p;

	(void)state;
	COMMAND("a\xef\xbf\xbd b", "a\xff", "b");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	memset(cut, 'x', sizeof(cut));
	memcpy(cut + 252, "\xe2\x80\xa6", 4); /* the sign for "there was more" */
	COMMAND(cut, big);
	/* no arguments, or no such process: the kernel's name, whether it ends or not */
	p = (struct process){.pid = INT32_MAX};
	process__read_command(&p, "0123456789abcdefGHI");
	assert_string_equal(p.command, "0123456789abcdef");
	process__read_command(&p, "a\xc3z");
	assert_string_equal(p.command, "a\xef\xbf\xbdz");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(processes_are_found_by_pid),
		TEST(processes_stay_in_order_of_appearance),
		TEST(a_reused_pid_is_another_process),
		TEST(many_processes),
		TEST(a_copy_belongs_to_who_had_the_pid_then),
		TEST(itself_then_its_ancestors),
		TEST(an_executed_process_stands_alone),
		TEST(a_vforked_process_stands_alone),
		TEST(long_lines_of_ancestors_are_cut),
		TEST(copies_from_before_an_exec),
		TEST(only_the_last_past_is_kept),
		TEST(commands_as_people_know_them),
		TEST(hostile_commands),
	};
	const char *ready = getenv("TEST_READY");

	if (ready) { /* the child of expect_command */
		if (write(atoi(ready), "", 1) != 1)
			return 1;
		for (;;)
			pause();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
