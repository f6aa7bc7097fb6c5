/* SPDX-License-Identifier: MIT */
/* Copies of the running test program with other bytes at some of its symbols. */
#ifndef COWTRACE_TESTS_PATCHED_COPY_H
#define COWTRACE_TESTS_PATCHED_COPY_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "elf/elf.h"

/* A function of 64 bytes that nobody calls. */
#define PATCHABLE_FUNCTION(name)                                                                   \
	__asm__(".pushsection .text\n.globl " #name "\n.type " #name ", @function\n" #name         \
		":\n.fill 64, 1, 0xcc\n.size " #name ", 64\n.popsection\n")

struct patched_copy {
	char dir[32], path[96];
};

static inline struct patched_copy patched_copy__make(const char *base)
{
	struct patched_copy copy = {.dir = "/tmp/patched_copy.XXXXXX"};
	char command[256];

	assert_non_null(mkdtemp(copy.dir));
	snprintf(copy.path, sizeof(copy.path), "%s/%s", copy.dir, base);
	snprintf(command, sizeof(command), "cp /proc/%d/exe '%s'", getpid(), copy.path);
	assert_int_equal(system(command), 0);
	return copy;
}

static inline void patched_copy__patch(const struct patched_copy *copy, const char *symbol,
				       const void *value, size_t len)
{
	const struct elf_segment *segments;
	struct elf_symbol sym;
	struct elf_file *elf;
	size_t n;
	int fd = open(copy->path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(elf__open(copy->path, &elf), 0);
	assert_int_equal(elf__symbol(elf, symbol, &sym), 0);
	n = elf__segments(elf, &segments);
	for (size_t i = 0; i < n; i++)
		if (sym.vaddr - segments[i].vaddr < segments[i].filesz)
			assert_int_equal(pwrite(fd, value, len,
						segments[i].offset + sym.vaddr - segments[i].vaddr),
					 len);
	elf__free(elf);
	close(fd);
}

static inline void patched_copy__drop(const struct patched_copy *copy)
{
	unlink(copy->path);
	rmdir(copy->dir);
}

#endif
