/* SPDX-License-Identifier: MIT */
/* odirect [PAGES]: the child reads a file into shared pages with O_DIRECT: the device writes them.
 */
#include "target.h"

static NOINLINE ssize_t odirect_read(int fd, char *pages, size_t n)
{
	return pread(fd, pages, n * PAGE, 0);
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 29);
	size_t *changed = target_shared(sizeof(*changed));
	char name[] = "/var/tmp/cowtrace-odirect-XXXXXX", *pages = target_pages(n);
	int fd = mkstemp(name), direct = open(name, O_RDONLY | O_DIRECT);
	pid_t pid;

	if (fd < 0 || unlink(name) || write(fd, pages, n * PAGE) != (ssize_t)(n * PAGE) ||
	    fsync(fd))
		err(1, "%s", name);
	if (direct < 0)
		target_skip("the file system has no O_DIRECT");
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, n);

		if (odirect_read(direct, pages, n) != (ssize_t)(n * PAGE))
			err(1, "%s", name);
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu}\n", n, *changed);
	return target_end();
}
