/* SPDX-License-Identifier: MIT */
#include "enrich/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Nobody writes longer sources by hand; generated ones are not worth the wait. */
#define MAX_FILE_SIZE (16l << 20)

struct source {
	int root, cwd; /* O_PATH, -1: not known */
	uint32_t uid, gid;
};

int source__new(struct source **out)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = s->cwd = -1;
	*out = s;
	return 0;
}

static void source__close(struct source *s)
{
	if (s->root >= 0)
		close(s->root);
	if (s->cwd >= 0)
		close(s->cwd);
	s->root = s->cwd = -1;
}

void source__free(struct source *s)
{
	if (!s)
		return;
	source__close(s);
	free(s);
}

void source__as(struct source *s, pid_t pid, uint32_t uid)
{
	struct stat st;
	char path[64];

	source__close(s);
	s->uid = uid;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	s->gid = stat(path, &st) == 0 ? st.st_gid : uid;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	s->cwd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* File system rights only; they are taken back before anything else is done. */
static int open_as(const struct source *s, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = path[0] == '/' ? RESOLVE_IN_ROOT : RESOLVE_NO_MAGICLINKS,
	};
	gid_t gid = setfsgid(s->gid);
	uid_t uid = setfsuid(s->uid);
	int fd = syscall(SYS_openat2, path[0] == '/' ? s->root : s->cwd, path, &how, sizeof(how));
	int err = errno;

	setfsuid(uid);
	setfsgid(gid);
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
	_free_ char *text = NULL;
	size_t capacity = 0, start;
	struct stat st;
	ssize_t len = -1;
	int fd;

	if (s->root < 0 || s->cwd < 0 || line == 0)
		return -ENOENT;
	fd = open_as(s, path);
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
