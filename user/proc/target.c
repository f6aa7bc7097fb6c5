/* SPDX-License-Identifier: MIT */
#include "proc/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

struct status {
	pid_t process, parent; /* the process that a thread belongs to; itself if it is none */
	char state;
	bool has_memory;
};

static int status__read(pid_t pid, struct status *out)
{
	struct status s = {};
	_fclose_ FILE *f = NULL;
	char path[64], line[256];
	unsigned long kb;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return -ESRCH;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &s.state);
		sscanf(line, "Tgid: %d", &s.process);
		sscanf(line, "PPid: %d", &s.parent);
		if (sscanf(line, "VmSize: %lu kB", &kb) == 1)
			s.has_memory = true;
	}
	if (ferror(f) || !s.process)
		return -ESRCH;
	*out = s;
	return 0;
}

/* Is this process below that one? */
static bool is_below(pid_t pid, pid_t ancestor)
{
	struct status s;

	/* No chain is longer than there are processes; it may be cut while we read. */
	for (int i = 0; pid > 0 && i < 4194304; i++) {
		if (pid == ancestor)
			return true;
		if (status__read(pid, &s))
			return false;
		pid = s.parent;
	}
	return false;
}

int target__check(pid_t pid, char *why, size_t size)
{
	struct status s;

	if (status__read(pid, &s)) {
		snprintf(why, size, "there is no process %d (pids are those of the host)", pid);
		return -ESRCH;
	}
	if (s.process != pid) {
		snprintf(why, size, "%d is a thread of process %d: name that one", pid, s.process);
		return -EINVAL;
	}
	if (s.state == 'Z' || s.state == 'X') {
		snprintf(why, size,
			 "process %d has ended (its parent has not asked for its status)", pid);
		return -ESRCH;
	}
	if (!s.has_memory) {
		snprintf(why, size, "%d is a part of the kernel: it has no memory to share", pid);
		return -EINVAL;
	}
	if (pid == getpid()) {
		snprintf(why, size, "process %d is cowtrace itself", pid);
		return -EINVAL;
	}
	if (is_below(getpid(), pid)) {
		snprintf(why, size,
			 "cowtrace itself was started by process %d or by one below it, and would "
			 "watch what it does to watch",
			 pid);
		return -EINVAL;
	}
	return 0;
}
