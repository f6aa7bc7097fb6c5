/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "proc/mem.h"

#define PAGE 4096

static char *pages(size_t n)
{
	char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* A child that did what `prepare` says to `p`, and then only lives until the test ends it. */
static pid_t child(void (*prepare)(char *p), char *p)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prepare)
			prepare(p);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void write_words(char *p)
{
	memcpy(p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	strcpy(p + PAGE - 6, "hello"); /* ends with the page */
	memset(p + PAGE, 'x', PAGE);   /* no NUL to the end */
}

static void unmap_first(char *p)
{
	munmap(p, PAGE);
}

static void reads_what_the_child_wrote(void **state)
{
	char *p = pages(3), buf[2 * PAGE];
	pid_t pid = child(write_words, p);
	struct mem_source src = mem__of(pid);
	uint64_t word;
	uint32_t half;

	(void)state;
	assert_int_equal(p[0], 0); /* ours is another copy */
	assert_int_equal(mem__read_u64(&src, (uintptr_t)p, &word), 0);
	assert_int_equal(word, 0x0807060504030201);
	assert_int_equal(mem__read_u32(&src, (uintptr_t)p + 4, &half), 0);
	assert_int_equal(half, 0x08070605);
	assert_int_equal(mem__read(&src, (uintptr_t)p, buf, sizeof(buf)), 0);
	assert_string_equal(buf + PAGE - 6, "hello");
	assert_int_equal(buf[2 * PAGE - 1], 'x');
	assert_int_equal(mem__read(&src, (uintptr_t)p, buf, 0), 0);
	end(pid);
	munmap(p, 3 * PAGE);
}

static void ended_processes_are_gone(void **state)
{
	char *p = pages(1), byte = 7;
	pid_t pid = child(NULL, p);
	struct mem_source src = mem__of(pid);
	siginfo_t info;

	(void)state;
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(mem__read(&src, (uintptr_t)p, &byte, 1), -ESRCH); /* zombie */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(mem__read(&src, (uintptr_t)p, &byte, 1), -ESRCH);
	src.n = 0;
	assert_int_equal(mem__read(&src, (uintptr_t)p, &byte, 1), -ESRCH);
	src = mem__of(0);
	assert_int_equal(mem__read(&src, (uintptr_t)p, &byte, 1), -ESRCH);
	assert_int_equal(byte, 7);
	munmap(p, PAGE);
}

static void holes_are_faults(void **state)
{
	char *p = pages(2), buf[16];
	struct mem_source src = mem__of(getpid());
	uint64_t word = 5;

	(void)state;
	munmap(p + PAGE, PAGE);
	assert_int_equal(mem__read(&src, (uintptr_t)p + PAGE - 8, buf, 8), 0);
	assert_int_equal(mem__read(&src, (uintptr_t)p + PAGE - 8, buf, 9), -EFAULT);
	assert_int_equal(mem__read_u64(&src, (uintptr_t)p + PAGE, &word), -EFAULT);
	assert_int_equal(word, 5);
	assert_int_equal(mem__read(&src, 0, buf, 1), -EFAULT);
	assert_int_equal(mem__read(&src, 0xffff800000000000, buf, 8), -EFAULT);
	assert_int_equal(mem__read(&src, INT64_MAX - 3, buf, 8), -EFAULT);
	assert_int_equal(mem__read(&src, UINT64_MAX - 7, buf, 8), -EFAULT);
	assert_int_equal(mem__read(&src, UINT64_MAX - 6, buf, 8), -EINVAL);
	munmap(p, PAGE);
}

static void ancestors_are_asked_next(void **state)
{
	char *p = pages(1), byte = 0;
	struct mem_source src;
	pid_t gone, lives;

	(void)state;
	p[5] = 'A';
	gone = child(NULL, p);
	end(gone);
	lives = child(unmap_first, p);
	src = (struct mem_source){.n = 3, .pids = {gone, lives, getpid()}};
	assert_int_equal(mem__read(&src, (uintptr_t)p + 5, &byte, 1), 0);
	assert_int_equal(byte, 'A');
	src.n = 2; /* the one that lives decides about the error */
	assert_int_equal(mem__read(&src, (uintptr_t)p + 5, &byte, 1), -EFAULT);
	src.pids[0] = lives;
	src.pids[1] = gone;
	assert_int_equal(mem__read(&src, (uintptr_t)p + 5, &byte, 1), -EFAULT);
	end(lives);
	munmap(p, PAGE);
}

static void strings_are_bounded(void **state)
{
	char *p = pages(3), buf[600];
	pid_t pid = child(write_words, p);
	struct mem_source src = mem__of(pid);

	(void)state;
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE - 6, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE - 6, buf, 4), 3);
	assert_string_equal(buf, "hel");
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE - 6, buf, 1), 0);
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE - 6, buf, 0), -EINVAL);
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE, buf, sizeof(buf)), 599);
	assert_int_equal(strlen(buf), 599);
	end(pid);
	munmap(p, 3 * PAGE);
}

static void a_string_may_end_where_memory_ends(void **state)
{
	char *p = pages(2), buf[64];
	struct mem_source src = mem__of(getpid());

	(void)state;
	strcpy(p + PAGE - 4, "end");
	munmap(p + PAGE, PAGE);
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE - 4, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "end");
	p[PAGE - 1] = '!';
	assert_int_equal(mem__read_str(&src, (uintptr_t)p + PAGE - 4, buf, sizeof(buf)), -EFAULT);
	assert_string_equal(buf, "");
	munmap(p, PAGE);
}

/* Bit 56 of /proc/PID/pagemap: the page is mapped by this process alone. */
static int is_exclusive(pid_t pid, const char *p)
{
	_close_ int fd = -1;
	uint64_t entry = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &entry, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
	assert_true(entry >> 63); /* present */
	return (int)(entry >> 56 & 1);
}

/* Two pieces of what is nowhere any more: one after the other, but read apart. */
static const struct mem_chunk chunks[] = {
	{.addr = 0x10000, .len = 8, .data = "01234567"},
	{.addr = 0x10008, .len = 8, .data = "89ab\0def"},
	{.addr = 0x10006, .len = 4, .data = "6789"},
	{.addr = 0x20000, .len = 0, .data = NULL},
	{.addr = UINT64_MAX - 4, .len = 4, .data = "high"},
};

static void chunks_come_first(void **state)
{
	struct mem_source src = {.n_chunks = sizeof(chunks) / sizeof(chunks[0]), .chunks = chunks};
	const void *at = NULL;
	char buf[32];

	(void)state;
	assert_int_equal(mem__read(&src, 0x10000, buf, 8), 0);
	assert_memory_equal(buf, "01234567", 8);
	assert_int_equal(mem__read(&src, 0x1000f, buf, 1), 0);
	assert_int_equal(buf[0], 'f');
	assert_int_equal(mem__read(&src, 0x10007, buf, 3), 0); /* in the third */
	assert_memory_equal(buf, "789", 3);
	assert_int_equal(mem__read(&src, 0x10000, buf, 0), 0);
	assert_int_equal(mem__read(&src, UINT64_MAX - 4, buf, 4), 0);
	assert_memory_equal(buf, "high", 4);
	/* Nobody else is there to ask. */
	assert_int_equal(mem__read(&src, 0x10004, buf, 8), -ESRCH);
	assert_int_equal(mem__read(&src, 0x1000f, buf, 2), -ESRCH);
	assert_int_equal(mem__read(&src, 0xffff, buf, 2), -ESRCH);
	assert_int_equal(mem__read(&src, 0x10010, buf, 1), -ESRCH);
	assert_int_equal(mem__in_chunk(&src, 0x10006, 100, &at), 4);
	assert_ptr_equal(at, chunks[2].data);
	assert_int_equal(mem__in_chunk(&src, 0x10006, 3, &at), 3);
	assert_int_equal(mem__in_chunk(&src, 0x10010, 1, &at), 0);
	assert_int_equal(mem__in_chunk(&src, 0x20000, 1, &at), 0);
	/* A string goes from one into the next. */
	assert_int_equal(mem__read_str(&src, 0x10000, buf, sizeof(buf)), 12);
	assert_string_equal(buf, "0123456789ab");
	assert_int_equal(mem__read_str(&src, 0x1000d, buf, sizeof(buf)), -ESRCH);
	assert_int_equal(mem__read_str(&src, 0x1000d, buf, 4), 3);
}

static void others_are_asked_for_the_rest(void **state)
{
	char memory[] = "from the process", buf[8];
	struct mem_chunk chunk = {.addr = (uintptr_t)memory, .len = 4, .data = "FROM"};
	struct mem_source src = mem__of(getpid()), settled;

	(void)state;
	src.n_chunks = 1;
	src.chunks = &chunk;
	assert_int_equal(mem__read(&src, (uintptr_t)memory, buf, 4), 0);
	assert_memory_equal(buf, "FROM", 4);
	assert_int_equal(mem__read(&src, (uintptr_t)memory, buf, 5), 0);
	assert_memory_equal(buf, "from ", 5);
	settled = mem__settled(&src);
	assert_int_equal(mem__read(&settled, (uintptr_t)memory, buf, 4), 0);
	assert_int_equal(mem__read(&settled, (uintptr_t)memory, buf, 5), -ESRCH);
	src.n_chunks = 0;
	settled = mem__settled(&src);
	assert_int_equal(mem__read(&settled, (uintptr_t)memory, buf, 5), 0);
}

static void touch(char *p)
{
	*(volatile char *)p = 1;
}

/* The reason why this unit exists as it is: see read_from(). */
static void reading_breaks_no_sharing(void **state)
{
	char *p = pages(2), byte;
	struct mem_source src;
	pid_t pid;

	(void)state;
	madvise(p, 2 * PAGE, MADV_NOHUGEPAGE);
	memset(p, 'x', 2 * PAGE);
	pid = child(touch, p);
	src = mem__of(pid);
	assert_int_equal(mem__read(&src, (uintptr_t)p + PAGE, &byte, 1), 0);
	assert_int_equal(byte, 'x');
	assert_int_equal(is_exclusive(pid, p), 1); /* a written page looks like this */
	assert_int_equal(is_exclusive(pid, p + PAGE), 0);
	end(pid);
	munmap(p, 2 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_child_wrote),
		cmocka_unit_test(ended_processes_are_gone),
		cmocka_unit_test(holes_are_faults),
		cmocka_unit_test(ancestors_are_asked_next),
		cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(a_string_may_end_where_memory_ends),
		cmocka_unit_test(reading_breaks_no_sharing),
		cmocka_unit_test(chunks_come_first),
		cmocka_unit_test(others_are_asked_for_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
