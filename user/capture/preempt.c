/* SPDX-License-Identifier: MIT */
#include "capture/preempt.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"

/* All modes of a kernel with CONFIG_PREEMPT_DYNAMIC, the chosen one in parentheses. Since 5.13. */
#define MODES "/sys/kernel/debug/sched/preempt"

static bool has_line(const char *path, const char *line)
{
	_fclose_ FILE *f = fopen(path, "re");
	char buf[512];

	while (f && fgets(buf, sizeof(buf), f))
		if (strncmp(buf, line, strlen(line)) == 0)
			return true;
	return false;
}

static bool read_line(const char *path, char *buf, int size)
{
	_fclose_ FILE *f = fopen(path, "re");

	return f && fgets(buf, size, f);
}

/* The last one counts, but nobody gives two. */
static const char *boot_mode(char *cmdline)
{
	const char *mode = strstr(cmdline, "preempt=");

	return mode && (mode == cmdline || mode[-1] == ' ') ? mode + strlen("preempt=") : NULL;
}

bool kernel__preempts(void)
{
	char buf[4096], config[sizeof(struct utsname) + 16];
	const char *mode = NULL;
	struct utsname uts;

	if (read_line(MODES, buf, sizeof(buf)))
		return strstr(buf, "(full)") || strstr(buf, "(lazy)");
	/* debugfs is not mounted, or locked down. */
	if (read_line("/proc/cmdline", buf, sizeof(buf)))
		mode = boot_mode(buf);
	if (mode)
		return strncmp(mode, "full", 4) == 0 || strncmp(mode, "lazy", 4) == 0;
	uname(&uts);
	snprintf(config, sizeof(config), "/boot/config-%s", uts.release);
	return has_line(config, "CONFIG_PREEMPT=y") || has_line(config, "CONFIG_PREEMPT_LAZY=y");
}
