/* SPDX-License-Identifier: MIT */
#include "proc/kernel_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* PROC_USER_INIT_INO and PROC_PID_INIT_INO of include/linux/proc_ns.h, since 3.8 */
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu
#define FIRST_PID_NAMESPACE  0xEFFFFFFCu

int kernel_file__line(const char *path, char *buf, size_t size)
{
	_fclose_ FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (!f)
		return -errno;
	errno = 0;
	if (!fgets(buf, (int)size, f))
		return errno ? -errno : -ENODATA;
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int kernel_file__number(const char *path, long *out)
{
	char line[64], *end;
	int err = kernel_file__line(path, line, sizeof(line));

	if (err)
		return err;
	errno = 0;
	*out = strtol(line, &end, 10);
	return errno || end == line || *end ? -EINVAL : 0;
}

bool kernel_file__first_namespace(const char *which)
{
	unsigned int first = strcmp(which, "pid") == 0 ? FIRST_PID_NAMESPACE : FIRST_USER_NAMESPACE;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", which);
	return stat(path, &st) || st.st_ino == first;
}
