/* SPDX-License-Identifier: MIT */
/* Files that stay open, and must never show the memory of another process or program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc/mem.h"
#include "proc/mem_cache.h"
#include "proc/tree.h"

#define PAGE 4096
#define MANY 40 /* more than are kept open */
#define KEPT 32

static pid_t idle(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Where no program has anything of its own, and what ASan leaves to it. */
#define APART ((char *)0x60000000)

static char *page_apart(char first)
{
	char *p = mmap(APART, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(p, APART);
	p[0] = first;
	return p;
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int first_byte(struct mem_cache *cache, pid_t pid)
{
	struct mem_source src = mem__of(pid);
	uint8_t byte;
	int err;

	src.cache = cache;
	err = mem__read(&src, (uintptr_t)APART, &byte, 1);
	return err ?: byte;
}

struct life {
	int orders[2], end[2];
};

/* Becomes another program once the parent has closed its end of `orders`; `end` closes with that.
 */
static int live(void *arg)
{
	const struct life *life = arg;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(life->orders[1]);
	if (read(life->orders[0], &byte, 1) == 0)
		execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(1);
}

/* pid: 0: any. In a copy of our memory. */
static pid_t copied(struct life *life, pid_t pid)
{
	struct clone_args args = {.exit_signal = SIGCHLD,
				  .set_tid = pid ? (uintptr_t)&pid : 0,
				  .set_tid_size = pid != 0};
	long made;

	assert_int_equal(pipe2(life->orders, O_CLOEXEC), 0);
	assert_int_equal(pipe2(life->end, O_CLOEXEC), 0);
	made = syscall(SYS_clone3, &args, sizeof(args));
	assert_true(made >= 0);
	if (!made)
		live(life);
	return (pid_t)made;
}

/* In our own memory. */
static pid_t sharing(struct life *life)
{
	static _Alignas(16) char stack[1 << 16];
	pid_t pid;

	assert_int_equal(pipe2(life->orders, O_CLOEXEC), 0);
	assert_int_equal(pipe2(life->end, O_CLOEXEC), 0);
	pid = clone(live, stack + sizeof(stack), CLONE_VM | SIGCHLD, life);
	assert_true(pid > 0);
	return pid;
}

static void become_another(struct life *life)
{
	char byte;

	close(life->orders[0]);
	close(life->orders[1]);
	close(life->end[1]);
	assert_int_equal(read(life->end[0], &byte, 1), 0);
	close(life->end[0]);
}

static void a_file_is_opened_once(void **state)
{
	char *p = page_apart('1');
	struct mem_cache *cache;
	pid_t pids[MANY];
	unsigned int before = open_files();

	(void)state;
	assert_int_equal(mem_cache__new(&cache), 0);
	for (int i = 0; i < MANY; i++) {
		p[0] = (char)(i + 1);
		pids[i] = idle();
	}
	for (int k = 0; k < 100; k++)
		assert_int_equal(first_byte(cache, pids[0]), 1);
	assert_int_equal(open_files(), before + 1);
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < MANY; i++)
			assert_int_equal(first_byte(cache, pids[i]), i + 1);
	assert_int_equal(open_files(), before + KEPT);
	mem_cache__drop(cache, pids[MANY - 1]);
	mem_cache__drop(cache, pids[MANY - 1]);
	mem_cache__drop(cache, 0);
	mem_cache__drop(NULL, pids[0]);
	assert_int_equal(open_files(), before + KEPT - 1);
	for (int i = 0; i < MANY; i++) {
		end(pids[i]);
		assert_int_equal(first_byte(cache, pids[i]), -ESRCH);
	}
	assert_int_equal(open_files(), before); /* none of those that ended has a file left */
	assert_int_equal(first_byte(cache, 0), -ESRCH);
	assert_int_equal(first_byte(cache, getpid()), MANY);
	mem_cache__free(cache);
	mem_cache__free(NULL);
	assert_int_equal(open_files(), before);
	munmap(p, PAGE);
}

static void the_ones_in_use_stay_open(void **state)
{
	char *p = page_apart('1');
	struct mem_cache *cache;
	pid_t pids[MANY];
	bool fresh;

	(void)state;
	assert_int_equal(mem_cache__new(&cache), 0);
	for (int i = 0; i < MANY; i++)
		pids[i] = idle();
	for (int i = 0; i < MANY; i++) {
		assert_true(mem_cache__get(cache, pids[i], &fresh) >= 0);
		assert_true(fresh);
		assert_true(mem_cache__get(cache, pids[0], &fresh) >= 0);
		assert_false(fresh);
	}
	for (int i = 0; i < MANY; i++)
		end(pids[i]);
	mem_cache__free(cache);
	munmap(p, PAGE);
}

static void another_program_in_the_process(void **state)
{
	char *p = page_apart('1');
	struct mem_cache *cache;
	struct life life;
	pid_t pid;

	(void)state;
	assert_int_equal(mem_cache__new(&cache), 0);
	pid = copied(&life, 0);
	assert_int_equal(first_byte(cache, pid), '1');
	become_another(&life);
	assert_int_equal(first_byte(cache, pid), -EFAULT);
	end(pid);
	mem_cache__free(cache);
	munmap(p, PAGE);
}

static void another_process_with_the_pid(void **state)
{
	char *p = page_apart('1');
	struct mem_cache *cache;
	struct life life;
	pid_t pid;

	(void)state;
	if (geteuid()) {
		print_message("skipped: only root may choose a pid\n");
		munmap(p, PAGE);
		skip();
	}
	assert_int_equal(mem_cache__new(&cache), 0);
	pid = idle();
	assert_int_equal(first_byte(cache, pid), '1');
	end(pid);
	p[0] = '2';
	assert_int_equal(copied(&life, pid), pid);
	assert_int_equal(first_byte(cache, pid), '2');
	become_another(&life);
	end(pid);
	mem_cache__free(cache);
	munmap(p, PAGE);
}

/* Its memory lives on: in the process that it shared it with. The tree is told of the exec. */
static void memory_that_was_shared(void **state)
{
	char *p = page_apart('1');
	struct mem_source src;
	struct process *process;
	struct tree *tree;
	struct life life;
	bool fresh;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(tree__new(&tree), 0);
	pid = sharing(&life);
	process = tree__add(tree, (uint32_t)pid, NULL, 1);
	assert_non_null(process);
	process__sources(process, &src);
	assert_non_null(src.cache);
	assert_int_equal(first_byte(src.cache, pid), '1');
	become_another(&life);
	assert_int_equal(first_byte(src.cache, pid), '1'); /* which is why */
	assert_int_equal(process__keep_past(process), 0);
	assert_int_equal(first_byte(src.cache, pid), -EFAULT);
	/* And of a new process with this pid. */
	assert_non_null(tree__add(tree, (uint32_t)pid, NULL, 2));
	assert_true(mem_cache__get(src.cache, pid, &fresh) >= 0);
	assert_true(fresh);
	src = mem__only(&src, 0);
	assert_int_equal(mem__read(&src, (uintptr_t)p, &byte, 1), -EFAULT);
	end(pid);
	tree__free(tree);
	munmap(p, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_opened_once),
		cmocka_unit_test(the_ones_in_use_stay_open),
		cmocka_unit_test(another_program_in_the_process),
		cmocka_unit_test(another_process_with_the_pid),
		cmocka_unit_test(memory_that_was_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
