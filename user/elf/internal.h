/* SPDX-License-Identifier: MIT */
/* Shared by the files of this folder only. */
#ifndef COWTRACE_ELF_INTERNAL_H
#define COWTRACE_ELF_INTERNAL_H

#include "elf/elf.h"

struct section {
	uint64_t vaddr, size;
	const char *name;
};

struct symbol {
	uint64_t vaddr, size;
	const char *name;
	uint32_t section;
	uint16_t reach; /* how far a function of size 0 is taken to go */
	uint8_t rank;	/* of several names for one address the lowest rank wins */
	bool function;
};

/* Read when first asked for: most files are mapped without ever being asked for a symbol. */
struct symbols {
	bool loaded;
	size_t count, functions; /* functions come first, sorted by address */
	struct symbol *all;
	char *strings[2]; /* of .symtab and .dynsym */
};

struct elf_file {
	int fd;
	bool dyn;
	char *path;
	size_t nsegments, nsections;
	struct elf_segment *segments;
	struct section *sections; /* by their number in the file */
	char *section_names;
	struct symbols *symbols;
};

/* Takes a descriptor of kind O_PATH; it stays the caller's. */
int elf__open_path_fd(int path_fd, const char *path, struct elf_file **out);

int elf_symbols__load(const struct elf_file *elf, struct symbols *out);
void elf_symbols__release(struct symbols *symbols);

#endif
