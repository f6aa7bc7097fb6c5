/* SPDX-License-Identifier: MIT */
#include "proc/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

int memory__read(pid_t pid, struct memory_sums *out)
{
	struct memory_sums sums = {};
	_fclose_ FILE *f = NULL;
	char path[64], line[256], key[64];
	unsigned long kb;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63[^:]: %lu kB", key, &kb) != 2)
			continue;
		if (strcmp(key, "Anonymous") == 0)
			sums.anonymous = kb * 1024;
		else if (strcmp(key, "Shared_Clean") == 0 || strcmp(key, "Shared_Dirty") == 0)
			sums.shared += kb * 1024;
	}
	if (ferror(f) || !sums.anonymous)
		return -ESRCH; /* it has ended while we read */
	*out = sums;
	return 0;
}

int memory__start_stack(pid_t pid, uint64_t *out)
{
	char path[64], text[1024], *p;
	_fclose_ FILE *f = NULL;
	unsigned long value;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	/* proc(5): startstack is field 28; the state behind the name is field 3 */
	for (int field = 2; p && field < 28; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %lu", &value) != 1)
		return -ESRCH;
	if (!value) /* the kernel shows it to those only who may look into the process */
		return -EACCES;
	*out = value;
	return 0;
}
