/* SPDX-License-Identifier: MIT */
#include "proc/delayacct.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SYSCTL "/proc/sys/kernel/task_delayacct"

int delayacct__get(void)
{
	_close_ int fd = open(SYSCTL, O_RDONLY | O_CLOEXEC);
	char c;

	if (fd < 0 || read(fd, &c, 1) != 1)
		return -ENOENT;
	return c == '1';
}

int delayacct__set(bool on)
{
	_close_ int fd = open(SYSCTL, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, on ? "1\n" : "0\n", 2) == 2 ? 0 : -errno;
}
