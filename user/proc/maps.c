/* SPDX-License-Identifier: MIT */
#include "proc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* More text than this is nobody's honest memory map: half a million mappings. */
#define TEXT_MAX (64u << 20)

struct maps {
	unsigned int refs;
	size_t count, room;
	struct map_entry *entries;
	char *names; /* the text, in which the names were terminated */
};

/* A number that must be followed by the byte `end`; moves *p behind it. */
static bool parse_number(const char **p, const char *limit, unsigned int base, char end,
			 uint64_t *out)
{
	const char *s = *p;
	uint64_t value = 0;
	unsigned int digit;

	for (; s < limit; s++) {
		if (*s >= '0' && *s <= '9')
			digit = (unsigned int)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			digit = (unsigned int)(*s - 'a') + 10;
		else
			break;
		if (digit >= base || value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (s == *p || s == limit || *s != end)
		return false;
	*out = value;
	*p = s + 1;
	return true;
}

static bool parse_perm(const char **p, const char *limit, uint8_t *out)
{
	const char *s = *p;

	if (limit - s < 5 || s[4] != ' ')
		return false;
	*out = (uint8_t)((s[0] == 'r' ? MAP_PERM_READ : 0) | (s[1] == 'w' ? MAP_PERM_WRITE : 0) |
			 (s[2] == 'x' ? MAP_PERM_EXEC : 0) | (s[3] == 's' ? MAP_PERM_SHARED : 0));
	*p = s + 5;
	return true;
}

/* "start-end perm offset major:minor inode    name"; *limit is a byte that may be overwritten. */
static bool parse_line(const char *p, char *limit, struct map_entry *out)
{
	struct map_entry e = {0};
	uint64_t major, minor;

	*limit = ' '; /* so that a line without a name ends like one with a name */
	if (!parse_number(&p, limit + 1, 16, '-', &e.start) ||
	    !parse_number(&p, limit + 1, 16, ' ', &e.end) || !parse_perm(&p, limit + 1, &e.perm) ||
	    !parse_number(&p, limit + 1, 16, ' ', &e.offset) ||
	    !parse_number(&p, limit + 1, 16, ':', &major) ||
	    !parse_number(&p, limit + 1, 16, ' ', &minor) ||
	    !parse_number(&p, limit + 1, 10, ' ', &e.inode))
		return false;
	*limit = '\0';
	if (e.start >= e.end || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	e.dev_major = (uint32_t)major;
	e.dev_minor = (uint32_t)minor;
	while (p < limit && *p == ' ')
		p++;
	e.name = p < limit ? p : "";
	*out = e;
	return true;
}

static int append(struct maps *maps, const struct map_entry *entry)
{
	size_t room = maps->room ? maps->room * 2 : 64;
	struct map_entry *grown;

	if (maps->count == maps->room) {
		grown = reallocarray(maps->entries, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		maps->entries = grown;
		maps->room = room;
	}
	maps->entries[maps->count++] = *entry;
	return 0;
}

static int parse_lines(struct maps *maps, size_t len)
{
	char *line = maps->names, *limit, *text_end = maps->names + len;
	struct map_entry entry;
	uint64_t last_end = 0;
	int err;

	for (; line < text_end; line = limit + 1) {
		limit = memchr(line, '\n', (size_t)(text_end - line));
		if (!limit)
			limit = text_end;
		/* The kernel's list is sorted; what is not would break the search in it. */
		if (!parse_line(line, limit, &entry) || entry.start < last_end)
			continue;
		err = append(maps, &entry);
		if (err)
			return err;
		last_end = entry.end;
	}
	return 0;
}

int maps__parse(const char *text, size_t len, struct maps **out)
{
	struct maps *maps = calloc(1, sizeof(*maps));
	int err = -ENOMEM;

	if (!maps)
		return -ENOMEM;
	maps->refs = 1;
	maps->names = malloc(len + 1);
	if (maps->names) {
		if (len)
			memcpy(maps->names, text, len);
		err = parse_lines(maps, len);
	}
	if (err)
		maps__unref(maps);
	else
		*out = maps;
	return err;
}

static int read_text(int fd, char **out, size_t *len)
{
	_free_ char *text = NULL;
	size_t used = 0, room = 0;
	ssize_t n;
	char *grown;

	do {
		if (used == room) {
			room = room ? room * 2 : 16384;
			grown = room <= TEXT_MAX ? realloc(text, room) : NULL;
			if (!grown)
				return -ENOMEM;
			text = grown;
		}
		n = read(fd, text + used, room - used);
		if (n < 0 && errno != EINTR)
			return -errno;
		used += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	*out = TAKE_PTR(text);
	*len = used;
	return 0;
}

int maps__read(pid_t pid, struct maps **out)
{
	_free_ char *text = NULL;
	_close_ int fd = -1;
	char path[32];
	size_t len = 0;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : errno == EPERM ? -EACCES : -errno;
	err = read_text(fd, &text, &len);
	if (err)
		return err;
	if (!len) /* a zombie: the address space is gone */
		return -ESRCH;
	return maps__parse(text, len, out);
}

struct maps *maps__ref(struct maps *maps)
{
	if (maps)
		maps->refs++;
	return maps;
}

void maps__unref(struct maps *maps)
{
	if (!maps || --maps->refs)
		return;
	free(maps->entries);
	free(maps->names);
	free(maps);
}

const struct map_entry *maps__find(const struct maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (addr >= maps->entries[mid].end)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == maps->count || addr < maps->entries[low].start)
		return NULL;
	return &maps->entries[low];
}

size_t maps__count(const struct maps *maps)
{
	return maps->count;
}

const struct map_entry *maps__at(const struct maps *maps, size_t i)
{
	return i < maps->count ? &maps->entries[i] : NULL;
}

bool map_entry__same_file(const struct map_entry *a, const struct map_entry *b)
{
	return a->inode && a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && !strcmp(a->name, b->name);
}

void maps__set_file(struct maps *maps, size_t i, uint64_t file)
{
	if (i < maps->count)
		maps->entries[i].file = file;
}
