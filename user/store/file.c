/* SPDX-License-Identifier: MIT */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/store.h"

/* SQLite's database header: fileformat2.html, 1.3. */
#define HEAD_BYTES	100
#define AT_USER_VERSION 60
#define AT_APPLICATION	68

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

const char *file__schema(void)
{
	return
#include "schema.sql.inc"
		"PRAGMA application_id = " STRING(
			STORE_APPLICATION_ID) ";"
					      "PRAGMA user_version = " STRING(STORE_SCHEMA) ";";
}

int file__open(const char *path, int flags, sqlite3 **out)
{
	char name[4096 + 2];

	/* "file:..." and ":memory:" are names of files here, "" is none. */
	if (snprintf(name, sizeof(name), "%s%s", path[0] == '/' ? "" : "./", path) >=
	    (int)sizeof(name))
		return SQLITE_CANTOPEN;
	return sqlite3_open_v2(name, out, flags | SQLITE_OPEN_NOMUTEX, NULL);
}

static uint32_t big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_ours(const uint8_t *head, size_t size)
{
	return size >= HEAD_BYTES && memcmp(head, "SQLite format 3", 16) == 0 &&
	       big_endian(head + AT_APPLICATION) == STORE_APPLICATION_ID;
}

int file__check(const uint8_t *head, size_t size, char *why, size_t why_size)
{
	uint32_t version;

	if (size == 0) {
		snprintf(why, why_size, "is empty");
		return -EINVAL;
	}
	if (!is_ours(head, size)) {
		snprintf(why, why_size, "is no recording of cowtrace (--save)");
		return -EINVAL;
	}
	version = big_endian(head + AT_USER_VERSION);
	if (version > STORE_SCHEMA) {
		snprintf(why, why_size,
			 "was recorded by a newer cowtrace (schema %u; this one reads up to %d)",
			 version, STORE_SCHEMA);
		return -EINVAL;
	}
	if (!version) {
		snprintf(why, why_size, "is damaged: it has no schema");
		return -EINVAL;
	}
	return 0;
}

static int remove_beside(const char *path, const char *suffix)
{
	char name[4096];

	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	return unlink(name) && errno != ENOENT ? -errno : 0;
}

/* A journal that is left of a crash would be played back into the new file. */
static int remove_all(const char *path)
{
	return remove_beside(path, "-journal") ?: remove_beside(path, "-wal") ?:
	       remove_beside(path, "-shm")     ?: remove_beside(path, "");
}

static bool is_recording(const char *path, int *err)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t head[HEAD_BYTES];
	struct stat st;
	ssize_t n;

	*err = fd < 0 || fstat(fd, &st) ? -errno : 0;
	if (*err || !S_ISREG(st.st_mode))
		return false;
	n = read(fd, head, sizeof(head));
	return n == 0 || (n > 0 && is_ours(head, (size_t)n));
}

int file__clear(const char *path, char *why, size_t why_size)
{
	int err;
	bool ours = is_recording(path, &err);

	if (err == -ENOENT)
		err = 0;
	else if (!err && !ours)
		err = -EEXIST;
	if (err == -EEXIST)
		snprintf(why, why_size,
			 "--save %s: this is something else than a recording of cowtrace, and is "
			 "not overwritten",
			 path);
	err = err ?: remove_all(path);
	if (err && err != -EEXIST)
		snprintf(why, why_size, "cannot write --save %s: %s", path, strerror(-err));
	return err;
}
