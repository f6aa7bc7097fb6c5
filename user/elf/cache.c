/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "elf/internal.h"

#define uthash_fatal(msg) (log_error("out of memory"), abort())
#include <uthash.h>

/* Each file keeps a descriptor; the usual limit of a process is 1024. */
#define FILES_MAX 512

/* No padding between the members: the key is hashed as bytes. */
struct identity {
	uint64_t dev, inode, size;
	int64_t mtime_sec, mtime_nsec;
};

struct entry {
	UT_hash_handle hh;
	struct identity id;
	struct elf_file *elf; /* NULL: not an ELF file, and not worth another try */
};

struct elf_cache {
	struct entry *entries; /* uthash keeps them in order: least recently used first */
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
 * in our root, not in that of the process. Ours is taken only if it is the very file that is
 * mapped.
 */
static int open_mapped(int root, const char *path, uint64_t inode)
{
	int theirs = open_in_root(root, path), ours;

	if (!inode || has_inode(theirs, inode) || path[0] != '/')
		return theirs;
	ours = open(path, O_PATH | O_CLOEXEC);
	if (!has_inode(ours, inode)) {
		if (ours >= 0)
			close(ours);
		return theirs;
	}
	if (theirs >= 0)
		close(theirs);
	return ours;
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
	HASH_ADD(hh, cache->entries, id, sizeof(entry->id), entry);
	return entry;
}

static int lookup(struct elf_cache *cache, int fd, const char *path, const struct identity *id,
		  struct entry **out)
{
	struct elf_file *elf = NULL;
	struct entry *entry;
	int err;

	HASH_FIND(hh, cache->entries, id, sizeof(*id), entry);
	if (entry) { /* to the end of the list: used last */
		HASH_DEL(cache->entries, entry);
		HASH_ADD(hh, cache->entries, id, sizeof(entry->id), entry);
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

int elf_cache__get(struct elf_cache *cache, int root, const char *path, uint64_t inode,
		   struct elf_file **out)
{
	_close_ int fd = open_mapped(root, path, inode);
	struct identity id = {0};
	struct entry *entry;
	struct stat st;
	int err;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return open_error(errno);
	id.dev = st.st_dev;
	id.inode = st.st_ino;
	id.size = (uint64_t)st.st_size;
	id.mtime_sec = st.st_mtim.tv_sec;
	id.mtime_nsec = st.st_mtim.tv_nsec;
	err = lookup(cache, fd, path, &id, &entry);
	if (err)
		return err;
	if (!entry->elf)
		return -EINVAL;
	*out = entry->elf;
	return 0;
}
