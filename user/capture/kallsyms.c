/* SPDX-License-Identifier: MIT */
#include "capture/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The largest of those asked for have 8 KiB; never trust a gap between symbols to be much more. */
#define MAX_FUNCTION_SIZE 32768
/* Of kernels with all debug options it is 20 MiB. */
#define MAX_SIZE (256u << 20)

/* "ffffffff81000000 T name" and, of a module, "\t[module]". */
struct kallsyms {
	char *text; /* ends with a 0 */
	size_t size, room;
};

static int kallsyms__grow(struct kallsyms *s)
{
	size_t room = s->room ? 2 * s->room : 16u << 20;
	char *text = room <= MAX_SIZE ? realloc(s->text, room) : NULL;

	if (!text)
		return -ENOMEM;
	s->text = text;
	s->room = room;
	return 0;
}

static int kallsyms__fill(struct kallsyms *s, int fd)
{
	ssize_t n = 1;
	int err = 0;

	while (!err && n > 0) {
		if (s->room - s->size < 2)
			err = kallsyms__grow(s);
		if (!err)
			n = read(fd, s->text + s->size, s->room - s->size - 1);
		if (!err && n > 0)
			s->size += (size_t)n;
	}
	if (err || n < 0)
		return err ?: -errno;
	s->text[s->size] = '\0';
	return 0;
}

int kallsyms__read_file(const char *path, struct kallsyms **out)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct kallsyms *s;
	int err;

	if (fd < 0)
		return -errno;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = kallsyms__fill(s, fd);
	if (err) {
		kallsyms__free(s);
		return err;
	}
	*out = s;
	return 0;
}

int kallsyms__read(struct kallsyms **out)
{
	return kallsyms__read_file("/proc/kallsyms", out);
}

void kallsyms__free(struct kallsyms *symbols)
{
	if (!symbols)
		return;
	free(symbols->text);
	free(symbols);
}

static const char *line_start(const struct kallsyms *s, const char *at)
{
	while (at > s->text && at[-1] != '\n')
		at--;
	return at;
}

/* The line of a symbol, or NULL. */
static const char *kallsyms__find(const struct kallsyms *s, const char *name)
{
	size_t len = strlen(name);
	const char *at = s->text;

	while ((at = strstr(at, name))) {
		char after = at[len];

		if (at > s->text && at[-1] == ' ' &&
		    (after == '\n' || after == '\t' || after == '\0'))
			return line_start(s, at);
		at += len;
	}
	return NULL;
}

static uint64_t address_of(const char *line)
{
	return strtoull(line, NULL, 16);
}

int kallsyms__range(const struct kallsyms *symbols, const char *name, uint64_t *start,
		    uint64_t *end)
{
	const char *line = kallsyms__find(symbols, name);
	uint64_t found = line ? address_of(line) : 0, next;

	if (!found) /* 0: hidden by kptr_restrict */
		return -ENOENT;
	/* Sorted by address within the kernel image; several can have the same. */
	while ((line = strchr(line, '\n')) && *++line) {
		next = address_of(line);
		if (next <= found)
			continue;
		*start = found;
		*end = next - found > MAX_FUNCTION_SIZE ? found + MAX_FUNCTION_SIZE : next;
		return 0;
	}
	return -ENOENT;
}

bool kallsyms__has(const struct kallsyms *symbols, const char *name)
{
	return kallsyms__find(symbols, name) != NULL;
}
