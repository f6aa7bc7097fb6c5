/* SPDX-License-Identifier: MIT */
/*
 * anon CASE [PAGES]: writes to anonymous pages, each case in a function of its own name.
 *   touch     pages that were never there: nothing is copied
 *   parent    the parent writes while the child lives: PAGES copies
 *   mixed     one pass over pages of which every other is shared no longer: PAGES copies, as many
 *             reused
 *   mprotect  pages made read-only and writable again: nothing is copied
 *   syscalls  reused pages, with a system call that allocates a page after each: nothing is copied
 */
#include "target.h"

static NOINLINE void touch_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void parent_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 3;
}

static NOINLINE void mixed_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 4;
}

static NOINLINE void mprotect_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 5;
}

static NOINLINE void syscalls_write(volatile char *pages, size_t n, int fd, const char *from)
{
	for (size_t i = 0; i < n; i++) {
		pages[i * PAGE] = 6;
		if (write(fd, from, PAGE) != (ssize_t)PAGE)
			err(1, "write");
	}
}

static void say(size_t copies, size_t changed)
{
	printf("{\"copies\": %zu, \"changed\": %zu}\n", copies, changed);
}

/* A child that shares all pages until `gate` is closed, but gives every other from `first` on back.
 */
static pid_t sharer(volatile char *pages, size_t n, size_t first, int *gate)
{
	int up[2], down[2];
	char c = 0;
	pid_t pid;

	if (pipe(up) < 0 || pipe(down) < 0)
		err(1, "pipe");
	pid = target_fork();
	if (!pid) {
		close(down[1]);
		for (size_t i = first; i < n; i += 2)
			if (madvise((void *)(pages + i * PAGE), PAGE, MADV_DONTNEED) < 0)
				err(1, "madvise");
		if (write(up[1], &c, 1) != 1)
			err(1, "pipe");
		_exit(read(down[0], &c, 1) == 0 ? 0 : 1);
	}
	close(down[0]);
	if (read(up[0], &c, 1) != 1)
		err(1, "pipe");
	*gate = down[1];
	return pid;
}

static void case_touch(size_t n)
{
	volatile char *pages =
		mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *before, *after;
	size_t changed = 0;

	if (pages == MAP_FAILED || madvise((void *)pages, n * PAGE, MADV_NOHUGEPAGE) < 0)
		err(1, "mmap");
	before = target_frames(pages, n);
	touch_write(pages, n);
	after = target_frames(pages, n);
	for (size_t i = 0; i < n; i++)
		changed += before[i] && before[i] != after[i];
	say(0, changed);
}

static void case_parent(size_t n)
{
	char *pages = target_pages(n);
	int gate;
	pid_t pid = sharer(pages, n, n, &gate);
	uint64_t *before = target_frames(pages, n);

	parent_write(pages, n);
	say(n, target_changed(before, pages, n));
	close(gate);
	target_wait(pid);
}

static void case_mixed(size_t n)
{
	char *pages = target_pages(2 * n);
	int gate;
	pid_t pid = sharer(pages, 2 * n, 1, &gate);
	uint64_t *before = target_frames(pages, 2 * n);

	mixed_write(pages, 2 * n);
	say(n, target_changed(before, pages, 2 * n));
	close(gate);
	target_wait(pid);
}

static void case_mprotect(size_t n)
{
	char *pages = target_pages(n);
	uint64_t *before = target_frames(pages, n);

	if (mprotect(pages, n * PAGE, PROT_READ) < 0 ||
	    mprotect(pages, n * PAGE, PROT_READ | PROT_WRITE) < 0)
		err(1, "mprotect");
	mprotect_write(pages, n);
	say(0, target_changed(before, pages, n));
}

static void case_syscalls(size_t n)
{
	char name[] = "/tmp/cowtrace-anon-XXXXXX", *pages = target_pages(n),
	     *from = target_pages(1);
	int fd = mkstemp(name);
	uint64_t *before;
	pid_t pid;

	if (fd < 0 || unlink(name) < 0)
		err(1, "%s", name);
	pid = target_fork();
	if (!pid)
		_exit(0);
	target_wait(pid);
	before = target_frames(pages, n);
	syscalls_write(pages, n, fd, from);
	say(0, target_changed(before, pages, n));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(size_t n);
	} cases[] = {
		{"touch", case_touch},	     {"parent", case_parent},	  {"mixed", case_mixed},
		{"mprotect", case_mprotect}, {"syscalls", case_syscalls},
	};
	size_t n = target_arg(argc, argv, 2, 1009);

	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run(n);
			return target_end();
		}
	}
	errx(2, "usage: anon CASE [PAGES]");
}
