/* SPDX-License-Identifier: MIT */
/* Native code addresses to names, or to module+offset where there is no symbol: never a guess. */
#ifndef COWTRACE_SYMBOL_SYMBOLIZE_H
#define COWTRACE_SYMBOL_SYMBOLIZE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elf_cache;
struct maps;

#define SYMBOL_NAME_MAX 256

struct native_symbol {
	/* "listiter_next", "libc.so.6+0x1234", "[jit]+0x12", "[unknown]"; valid UTF-8 */
	char name[SYMBOL_NAME_MAX];
	const char *function; /* name, or NULL if only module+offset is known */
	/* base name of the file: "python3.11", "libc.so.6"; "" if none */
	char module[SYMBOL_NAME_MAX];
	uint64_t vaddr; /* in the file; without one the offset in [vdso], else the address itself */
};

/* Always fills out. root: of the process, an O_PATH descriptor. */
void symbolize(struct elf_cache *elves, int root, const struct maps *maps, uint64_t addr,
	       struct native_symbol *out);

#endif
