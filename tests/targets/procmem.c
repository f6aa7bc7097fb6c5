/* SPDX-License-Identifier: MIT */
/* procmem [PAGES]: the parent writes to its child's pages through /proc/PID/mem. */
#include "victim.h"

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
	return victim_main(target_arg(argc, argv, 1, 19), procmem_write);
}
