/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/log.h"
#include "elf/internal.h"

/* Each file keeps a descriptor; the usual limit of a process is 1024. */
#define FILES_MAX 512

/* No padding between the members: the key is hashed as bytes. */
struct identity {
	uint64_t dev, inode, size;
	int64_t mtime_sec, mtime_nsec;
};

struct entry {
	UT_hash_handle hh, by_number;
	struct identity id;
	uint64_t number;      /* never used again */
	struct elf_file *elf; /* NULL: not an ELF file, and not worth another try */
};

struct elf_cache {
	struct entry *entries; /* uthash keeps them in order: least recently used first */
	struct entry *numbers; /* the same ones */
	uint64_t last_number;
};

int elf_cache__new(struct elf_cache **out)
{
	struct elf_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	*out = cache;
	return 0;
}

static void drop(struct elf_cache *cache, struct entry *entry)
{
	HASH_DEL(cache->entries, entry);
	HASH_DELETE(by_number, cache->numbers, entry);
	elf__free(entry->elf);
	free(entry);
}

void elf_cache__free(struct elf_cache *cache)
{
	struct entry *entry, *next;

	if (!cache)
		return;
	HASH_ITER (hh, cache->entries, entry, next) {
		drop(cache, entry);
	}
	free(cache);
}

static int open_error(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return -EACCES;
	case EBADF: /* no root: the process has ended before it could be opened */
	case ESRCH:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return -ENOENT;
	default:
		return -err;
	}
}

/* Links are followed inside the root of the process: they must not lead to files of ours. */
static int open_in_root(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (path[0] != '/')
		return -ENOENT;
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? open_error(errno) : (int)fd;
}

static bool has_inode(int fd, uint64_t inode)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == inode;
}

/*
 * /proc/PID/maps shows paths as the reader would write them: after a mere chroot that is the path
 * in our root, not in that of the process. Another file than the mapped one is worse than none: a
 * package upgrade puts one there while the old one still runs.
 */
static int open_by_path(int root, const char *path, uint64_t inode)
{
	int theirs = open_in_root(root, path), ours;

	if (!inode || has_inode(theirs, inode) || path[0] != '/')
		return theirs;
	if (theirs >= 0)
		close(theirs);
	ours = open(path, O_PATH | O_CLOEXEC);
	if (has_inode(ours, inode))
		return ours;
	if (ours >= 0)
		close(ours);
	return theirs < 0 ? theirs : -ENOENT;
}

/* A name as the kernel writes it into the maps, where a newline is \012. */
static bool is_escaped(const char *text, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = name[i] == '\n' ? 4 : 1;

		if (strncmp(text, n == 4 ? "\\012" : &name[i], n) != 0)
			return false;
		text += n;
	}
	return !*text;
}

/*
 * By the link that the kernel keeps for each mapping of a file: the very file, wherever it is and
 * even if nothing leads to it any more (deleted, replaced, hidden below a mount). The process may
 * have mapped something else there meanwhile, so the name must be the one of the maps; device and
 * inode do not help, as those that maps show are not those of stat() on overlayfs and btrfs.
 */
static int open_by_mapping(const struct elf_mapping *m)
{
	char link[80], name[PATH_MAX];
	ssize_t len;
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, m->pid, m->start,
		 m->end);
	fd = open(link, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return open_error(errno);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name));
	if (len >= 0 && is_escaped(m->path, name, (size_t)len))
		return fd;
	close(fd);
	return -ENOENT;
}

static struct entry *add(struct elf_cache *cache, const struct identity *id, struct elf_file *elf)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	if (HASH_COUNT(cache->entries) >= FILES_MAX)
		drop(cache, cache->entries);
	entry->id = *id;
	entry->elf = elf;
	entry->number = ++cache->last_number;
	HASH_ADD(hh, cache->entries, id, sizeof(entry->id), entry);
	HASH_ADD(by_number, cache->numbers, number, sizeof(entry->number), entry);
	return entry;
}

/* To the end of the list: used last. */
static void touch(struct elf_cache *cache, struct entry *entry)
{
	HASH_DEL(cache->entries, entry);
	HASH_ADD(hh, cache->entries, id, sizeof(entry->id), entry);
}

static int lookup(struct elf_cache *cache, int fd, const char *path, const struct identity *id,
		  struct entry **out)
{
	struct elf_file *elf = NULL;
	struct entry *entry;
	int err;

	HASH_FIND(hh, cache->entries, id, sizeof(*id), entry);
	if (entry) {
		touch(cache, entry);
		*out = entry;
		return 0;
	}
	err = elf__open_path_fd(fd, path, &elf);
	if (err && err != -EINVAL)
		return err;
	entry = add(cache, id, elf);
	if (!entry) {
		elf__free(elf);
		return -ENOMEM;
	}
	*out = entry;
	return 0;
}

/* The entry of an open file; path is for people only. */
static int entry_of(struct elf_cache *cache, int fd, const char *path, struct entry **out)
{
	struct identity id = {0};
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return open_error(errno);
	id.dev = st.st_dev;
	id.inode = st.st_ino;
	id.size = (uint64_t)st.st_size;
	id.mtime_sec = st.st_mtim.tv_sec;
	id.mtime_nsec = st.st_mtim.tv_nsec;
	return lookup(cache, fd, path, &id, out);
}

static int elf_of(const struct entry *entry, struct elf_file **out)
{
	if (!entry->elf)
		return -EINVAL;
	*out = entry->elf;
	return 0;
}

int elf_cache__get(struct elf_cache *cache, int root, const char *path, uint64_t inode,
		   struct elf_file **out)
{
	_close_ int fd = open_by_path(root, path, inode);
	struct entry *entry;
	int err = entry_of(cache, fd, path, &entry);

	return err ? err : elf_of(entry, out);
}

uint64_t elf_cache__sight(struct elf_cache *cache, int root, const struct elf_mapping *mapping)
{
	_close_ int fd = open_by_mapping(mapping);
	struct entry *entry;

	if (fd < 0)
		fd = open_by_path(root, mapping->path, mapping->inode);
	return entry_of(cache, fd, mapping->path, &entry) ? 0 : entry->number;
}

int elf_cache__mapped(struct elf_cache *cache, uint64_t file, int root, const char *path,
		      uint64_t inode, struct elf_file **out)
{
	struct entry *entry;

	HASH_FIND(by_number, cache->numbers, &file, sizeof(file), entry);
	if (!entry)
		return elf_cache__get(cache, root, path, inode, out);
	touch(cache, entry);
	return elf_of(entry, out);
}
