/* SPDX-License-Identifier: MIT */
#include "capture/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

/* The largest of those asked for have 8 KiB; never trust a gap between symbols to be much more. */
#define MAX_FUNCTION_SIZE 32768

int kallsyms__range(const char *name, uint64_t *start, uint64_t *end)
{
	_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long addr, found = 0;
	char symbol[256];
	char line[512];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %255s", &addr, symbol) != 2)
			continue;
		if (found && addr > found) { /* sorted by address within the kernel image */
			*start = found;
			*end = addr - found > MAX_FUNCTION_SIZE ? found + MAX_FUNCTION_SIZE : addr;
			return 0;
		}
		if (strcmp(symbol, name) == 0)
			found = addr; /* 0: hidden by kptr_restrict */
	}
	return -ENOENT;
}

bool kallsyms__has(const char *name)
{
	_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	char symbol[256];
	char line[512];

	if (!f)
		return true;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*x %*c %255s", symbol) == 1 && strcmp(symbol, name) == 0)
			return true;
	return false;
}
