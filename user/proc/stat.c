/* SPDX-License-Identifier: MIT */
#include "proc/stat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* include/linux/sched.h; the same since 2.6.27 */
#define PF_FORKNOEXEC 0x00000040
#define PF_KTHREAD    0x00200000

/* "PID (NAME) ...": it may hold brackets. */
static void copy_name(const char *text, const char *end, struct proc_stat *out)
{
	const char *start = memchr(text, '(', (size_t)(end - text));
	size_t n = start ? (size_t)(end - start) - 1 : 0;

	if (n >= sizeof(out->name))
		n = sizeof(out->name) - 1;
	if (n)
		memcpy(out->name, start + 1, n);
}

int proc_stat__parse(const char *text, size_t len, struct proc_stat *out)
{
	const char *rest = memrchr(text, ')', len); /* the name before it may hold anything */
	struct proc_stat s = {};
	unsigned long flags;
	char copy[1024];
	size_t n = rest ? (size_t)(text + len - rest) - 1 : 0;

	if (n >= sizeof(copy))
		n = sizeof(copy) - 1;
	if (n)
		memcpy(copy, rest + 1, n);
	copy[n] = '\0';
	/* state ppid pgrp session tty tpgid flags, fields 3 to 9; starttime is field 22, startstack
	 * 28 */
	if (sscanf(copy,
		   " %c %d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%lu %*u %*d %*u %*u %*u %lu",
		   &s.state, &s.ppid, &flags, &s.started, &s.stack) != 5)
		return -EINVAL;
	copy_name(text, rest, &s);
	s.forked = flags & PF_FORKNOEXEC;
	s.kernel = flags & PF_KTHREAD;
	*out = s;
	return 0;
}

int proc_stat__read(pid_t pid, struct proc_stat *out)
{
	char path[32], text[1024];
	_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, text, sizeof(text));
	return n <= 0 || proc_stat__parse(text, (size_t)n, out) ? -ESRCH : 0;
}

int proc__each(void (*visit)(void *ctx, pid_t pid), void *ctx)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (!*end && pid > 0)
			visit(ctx, (pid_t)pid);
	}
	closedir(proc);
	return 0;
}
