/* SPDX-License-Identifier: MIT */
/*
 * coldfile [PAGES [plain|drop|kernel]]: a private file mapping whose pages are written without
 * having been read. drop: the file's pages are not in memory. kernel: read(2) writes them.
 */
#include "target.h"

static NOINLINE void coldfile_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void coldfile_read(char *pages, size_t n)
{
	int fd = open("/dev/zero", O_RDONLY);

	if (fd < 0 || read(fd, pages, n * PAGE) != (ssize_t)(n * PAGE))
		err(1, "/dev/zero");
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 37);
	const char *how = argc > 2 ? argv[2] : "plain";
	char name[] = "/var/tmp/cowtrace-coldfile-XXXXXX", page[PAGE] = "x";
	int fd = mkstemp(name);
	uint64_t *before;
	char *pages;

	if (fd < 0 || unlink(name) < 0)
		err(1, "%s", name);
	for (size_t i = 0; i <= n; i++)
		if (write(fd, page, PAGE) != (ssize_t)PAGE)
			err(1, "%s", name);
	pages = mmap(NULL, (n + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (pages == MAP_FAILED)
		err(1, "mmap of %s", name);
	before = target_frames(pages, n); /* none of them is mapped */
	if (!strcmp(how, "drop") && (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)))
		err(1, "%s can not be dropped", name);
	if (!strcmp(how, "kernel"))
		coldfile_read(pages, n);
	else
		coldfile_write(pages, n);
	printf("{\"copies\": %zu, \"changed\": %zu, \"mapped\": %d}\n", n,
	       target_changed(before, pages, n), pages[0] != 'x');
	return target_end();
}
