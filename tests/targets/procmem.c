/* SPDX-License-Identifier: MIT */
/* procmem [PAGES]: the parent writes to its child's pages through /proc/PID/mem. */
#include "target.h"

static NOINLINE void procmem_write(pid_t pid, char *pages, size_t n)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	fd = open(name, O_RDWR);
	for (size_t i = 0; i < n; i++)
		if (pwrite(fd, "2", 1, (off_t)(uintptr_t)(pages + i * PAGE)) != 1)
			err(1, "%s", name);
	close(fd);
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 19);
	size_t *changed = target_shared(sizeof(*changed));
	char *pages = target_pages(n), go;
	int ready[2], gate[2];
	pid_t pid;

	if (pipe(ready) || pipe(gate))
		err(1, "pipe");
	pid = target_fork();
	if (!pid) {
		uint64_t *before = target_frames(pages, n);

		if (write(ready[1], "", 1) != 1 || read(gate[0], &go, 1) != 1)
			err(1, "pipe");
		*changed = target_changed(before, pages, n);
		_exit(0);
	}
	if (read(ready[0], &go, 1) != 1)
		err(1, "pipe");
	procmem_write(pid, pages, n);
	if (write(gate[1], "", 1) != 1)
		err(1, "pipe");
	target_wait(pid);
	printf("{\"copies\": %zu, \"changed\": %zu, \"victim\": %d}\n", n, *changed, (int)pid);
	return target_end();
}
