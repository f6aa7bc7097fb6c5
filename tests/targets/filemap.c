/* SPDX-License-Identifier: MIT */
/* filemap [PAGES]: a private file mapping, each page read first (so that it is mapped), then
 * written. */
#include "target.h"

static NOINLINE void filemap_write(volatile char *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pages[i * PAGE] = 2;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 37), sum = 0;
	char name[] = "/tmp/cowtrace-filemap-XXXXXX";
	int fd = mkstemp(name);
	volatile char *pages;
	uint64_t *before;

	if (fd < 0 || unlink(name) < 0 || ftruncate(fd, (off_t)((n + 1) * PAGE)) < 0)
		err(1, "%s", name);
	for (size_t i = 0; i < n; i++)
		if (pwrite(fd, "x", 1, (off_t)(i * PAGE)) != 1)
			err(1, "%s", name);
	pages = mmap(NULL, (n + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (pages == MAP_FAILED)
		err(1, "mmap of %s", name);
	for (size_t i = 0; i < n; i++)
		sum += (size_t)pages[i * PAGE];
	before = target_frames(pages, n);
	filemap_write(pages, n);
	printf("{\"copies\": %zu, \"changed\": %zu, \"sum\": %zu}\n", n,
	       target_changed(before, pages, n), sum);
	return target_end();
}
