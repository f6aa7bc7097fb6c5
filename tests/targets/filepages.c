/* SPDX-License-Identifier: MIT */
/*
 * filepages CASE [PAGES]: pages of files, each case in a function of its own name.
 *   fork    a private mapping that was read, forked: the child writes, PAGES copies
 *   shared  a shared mapping that was read: writing makes the file's pages dirty and copies nothing
 *   read    read(2) of a file into shared anonymous pages: PAGES copies, made by the kernel
 */
#include "target.h"

static NOINLINE void filefork_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void fileshared_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 3;
}

static int file_of(size_t n)
{
	char name[] = "/tmp/cowtrace-filepages-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || unlink(name) < 0)
		err(1, "%s", name);
	for (size_t i = 0; i < n; i++)
		if (pwrite(fd, "x", 1, (off_t)(i * PAGE)) != 1 ||
		    ftruncate(fd, (off_t)((i + 1) * PAGE)) < 0)
			err(1, "%s", name);
	/* No page is being written back, or still is to be, while it is looked at. */
	if (fsync(fd) < 0)
		err(1, "%s", name);
	return fd;
}

/* Mapped, and each page read. */
static volatile char *pages_of(int fd, size_t n, int flags)
{
	volatile char *pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	size_t sum = 0;

	if (pages == MAP_FAILED)
		err(1, "mmap");
	for (size_t i = 0; i < n; i++)
		sum += (size_t)pages[i * PAGE];
	if (sum != n * 'x')
		errx(1, "the file holds something else");
	return pages;
}

static size_t case_fork(size_t n)
{
	volatile char *pages = pages_of(file_of(n), n, MAP_PRIVATE);
	size_t *changed = target_shared(sizeof(*changed));
	pid_t pid = target_fork();

	if (!pid) {
		uint64_t *before;

		/* fork() does not copy entries that faults can find again. */
		for (size_t i = 0; i < n; i++)
			(void)pages[i * PAGE];
		before = target_frames(pages, n);
		filefork_write(pages, n);
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	target_wait(pid);
	return *changed;
}

static size_t case_shared(size_t n)
{
	volatile char *pages = pages_of(file_of(n), n, MAP_SHARED);
	uint64_t *before = target_frames(pages, n);

	fileshared_write(pages, n);
	return target_changed(before, pages, n);
}

static size_t case_read(size_t n)
{
	size_t *changed = target_shared(sizeof(*changed));
	char *pages = target_pages(n);
	int fd = file_of(n);
	pid_t pid = target_fork();

	if (!pid) {
		uint64_t *before = target_frames(pages, n);

		if (pread(fd, pages, n * PAGE, 0) != (ssize_t)(n * PAGE))
			errx(1, "short read");
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	target_wait(pid);
	return *changed;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 2, 211), changed;
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "fork"))
		changed = case_fork(n);
	else if (!strcmp(name, "shared"))
		changed = case_shared(n);
	else if (!strcmp(name, "read"))
		changed = case_read(n);
	else
		errx(2, "usage: filepages fork|shared|read [PAGES]");
	printf("{\"copies\": %zu, \"changed\": %zu}\n", strcmp(name, "shared") ? n : 0, changed);
	return target_end();
}
