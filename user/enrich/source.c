/* SPDX-License-Identifier: MIT */
#include "enrich/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/utf8.h"

/* Nobody writes longer sources by hand; generated ones are not worth the wait. */
#define MAX_FILE_SIZE (16l << 20)

struct source {
	int root;	    /* O_PATH, -1: not known */
	char cwd[PATH_MAX]; /* below root; "": not known */
	uint32_t uid, gid;
};

int source__new(struct source **out)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = -1;
	*out = s;
	return 0;
}

static void source__close(struct source *s)
{
	if (s->root >= 0)
		close(s->root);
	s->root = -1;
	s->cwd[0] = '\0';
}

void source__free(struct source *s)
{
	if (!s)
		return;
	source__close(s);
	free(s);
}

static bool read_link(pid_t pid, const char *name, char buf[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, buf, PATH_MAX - 1);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The working directory as the command would write it. We see it with the root in front of it. */
static void source__find_cwd(struct source *s, pid_t pid)
{
	char root[PATH_MAX], cwd[PATH_MAX];
	size_t len;

	if (!read_link(pid, "root", root) || !read_link(pid, "cwd", cwd))
		return;
	len = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(cwd, root, len) || (cwd[len] != '/' && cwd[len] != '\0'))
		return;
	if (snprintf(s->cwd, sizeof(s->cwd), "%s/", cwd + len) >= (int)sizeof(s->cwd))
		s->cwd[0] = '\0';
}

/* From its status: the owner of /proc/PID is root for a process that may not be dumped. */
static uint32_t read_gid(pid_t pid, uint32_t otherwise)
{
	_fclose_ FILE *f = NULL;
	unsigned int gid;
	char text[256];

	snprintf(text, sizeof(text), "/proc/%d/status", pid);
	f = fopen(text, "re");
	while (f && fgets(text, sizeof(text), f))
		if (sscanf(text, "Gid: %*u %u", &gid) == 1)
			return gid;
	return otherwise;
}

void source__as(struct source *s, pid_t pid, uint32_t uid)
{
	char path[64];

	source__close(s);
	s->uid = uid;
	s->gid = read_gid(pid, uid);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	source__find_cwd(s, pid);
}

#define MAX_GROUPS 1024

/*
 * With the rights of the command's user and first group. They are those of this thread only, hence
 * the bare system calls: the C library's setgroups would change all threads.
 */
static int open_as(const struct source *s, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT,
	};
	gid_t groups[MAX_GROUPS];
	int n = getgroups(MAX_GROUPS, groups), fd, err;
	gid_t gid;
	uid_t uid;

	if (n < 0 || (n > 0 && syscall(SYS_setgroups, 0, NULL)))
		return -EACCES;
	gid = setfsgid(s->gid);
	uid = setfsuid(s->uid);
	fd = syscall(SYS_openat2, s->root, path, &how, sizeof(how));
	err = errno;
	setfsuid(uid);
	setfsgid(gid);
	if (n > 0 && syscall(SYS_setgroups, n, groups))
		log_warn("cannot take back the supplementary groups");
	return fd < 0 ? -err : fd;
}

static size_t trim(char *line, size_t len, size_t *start)
{
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	*start = 0;
	while (*start < len && isspace((unsigned char)line[*start]))
		(*start)++;
	return len - *start;
}

int source__line(struct source *s, const char *path, uint32_t line, char *buf, size_t size)
{
	_fclose_ FILE *f = NULL;
	_free_ char *text = NULL, *full = NULL;
	size_t capacity = 0, start;
	struct stat st;
	ssize_t len = -1;
	int fd;

	if (s->root < 0 || line == 0 || !path[0] || (path[0] != '/' && !s->cwd[0]))
		return -ENOENT;
	if (asprintf(&full, "%s%s", path[0] == '/' ? "" : s->cwd, path) < 0)
		return -ENOMEM;
	fd = open_as(s, full);
	if (fd < 0)
		return fd;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE_SIZE)
		return -EINVAL;
	for (uint32_t i = 0; i < line; i++) {
		len = getline(&text, &capacity, f);
		if (len < 0)
			return -ENOENT;
	}
	len = trim(text, len, &start);
	utf8__sanitize(buf, size, text + start, len);
	return len ? 0 : -ENOENT;
}
