/* SPDX-License-Identifier: MIT */
/* A snapshot of /proc/PID/maps. Immutable (but for maps__set_file) and reference counted, so that
 * forked processes can share their parent's until they need their own. */
#ifndef COWTRACE_PROC_MAPS_H
#define COWTRACE_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum map_perm {
	MAP_PERM_READ = 1,
	MAP_PERM_WRITE = 2,
	MAP_PERM_EXEC = 4,
	MAP_PERM_SHARED = 8,
};

/*
 * The name is what the kernel prints, byte for byte: foreign, not always UTF-8, a newline in it as
 * \012, and " (deleted)" behind the path of a file that was unlinked (or whose own name ends so:
 * nobody can tell, so it stays).
 */
struct map_entry {
	uint64_t start, end, offset; /* end is exclusive */
	uint64_t inode;		     /* 0: no file */
	uint32_t dev_major, dev_minor;
	uint8_t perm;	  /* enum map_perm */
	uint64_t file;	  /* see elf_cache__sight; 0: not looked at */
	const char *name; /* path as the process sees it, "[heap]", "[stack]", or ""; owned by the
			     maps */
};

struct maps;

/* Reads the maps of a process. 0, -ESRCH (gone), -EACCES, -ENOMEM. */
int maps__read(pid_t pid, struct maps **out);
/* The same from text, for tests and fuzzing; malformed lines are skipped. */
int maps__parse(const char *text, size_t len, struct maps **out);
struct maps *maps__ref(struct maps *maps);
void maps__unref(struct maps *maps);

/* The mapping that holds addr, or NULL. */
const struct map_entry *maps__find(const struct maps *maps, uint64_t addr);
size_t maps__count(const struct maps *maps);
/* Entries are sorted by address. */
const struct map_entry *maps__at(const struct maps *maps, size_t i);

/* Do two entries, of these or other maps, show the same file? */
bool map_entry__same_file(const struct map_entry *a, const struct map_entry *b);
/* Whoever reads the maps may note the number of a file, before others use them. */
void maps__set_file(struct maps *maps, size_t i, uint64_t file);

#endif
