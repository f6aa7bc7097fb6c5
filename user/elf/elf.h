/* SPDX-License-Identifier: MIT */
/*
 * What cowtrace reads of an ELF file: load segments, data symbols, function symbols, bytes. The
 * file is foreign: every offset in it is checked. One object per file, cached by (device, inode,
 * size, mtime), because N workers of one interpreter map the same file. Built on libelf.
 */
#ifndef COWTRACE_ELF_ELF_H
#define COWTRACE_ELF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elf_file;
struct elf_cache;

struct elf_segment { /* a PT_LOAD */
	uint64_t vaddr, offset, filesz, memsz;
	bool writable, executable;
};

struct elf_symbol {
	uint64_t vaddr, size;
	const char *name; /* owned by the elf_file */
};

struct elf_mapping { /* of a file in a living process: a line of its maps */
	pid_t pid;
	uint64_t start, end, inode;
	const char *path;
};

int elf_cache__new(struct elf_cache **out);
void elf_cache__free(struct elf_cache *cache);

/*
 * The file at path below root, an O_PATH descriptor of the root directory of a process
 * (user/proc/root.h): as that process sees it, in its mount namespace. inode: of the mapping in
 * question, another file is refused; 0: any. 0, -ENOENT, -EACCES, -EINVAL (not an ELF file of this
 * machine), -ENOMEM. That a file is no ELF file is remembered as well. Owned by the cache, which
 * keeps the last 512 files: do not keep the pointer, nor names of its symbols.
 */
int elf_cache__get(struct elf_cache *cache, int root, const char *path, uint64_t inode,
		   struct elf_file **out);

/*
 * Opens the very file that is mapped, while the process lives: no path need lead to it. Returns a
 * number for elf_cache__mapped, which stays good while the cache keeps the file (an open
 * descriptor, so that nothing else gets its inode); 0: it could not be opened.
 */
uint64_t elf_cache__sight(struct elf_cache *cache, int root, const struct elf_mapping *mapping);
/* The file with this number; without one, or if it is not kept any more, as elf_cache__get. */
int elf_cache__mapped(struct elf_cache *cache, uint64_t file, int root, const char *path,
		      uint64_t inode, struct elf_file **out);

/* Opens one file by a path of this process; for tests. Free with elf__free. */
int elf__open(const char *path, struct elf_file **out);
void elf__free(struct elf_file *elf);

const char *elf__path(const struct elf_file *elf);
/* ET_DYN: addresses are relative to a load bias. */
bool elf__is_pie_or_dso(const struct elf_file *elf);
size_t elf__segments(const struct elf_file *elf, const struct elf_segment **out);

/*
 * Load bias of the file in a process: from one of its mappings (address where file offset is
 * mapped). 0 or -ENOENT if no segment covers that offset. Two segments can share a page of the
 * file; the first mapping of the file (lowest address) is always told apart right.
 */
int elf__bias(const struct elf_file *elf, uint64_t map_start, uint64_t map_offset, uint64_t *bias);

/* A data or function symbol by exact name from .symtab or .dynsym. 0 or -ENOENT. */
int elf__symbol(const struct elf_file *elf, const char *name, struct elf_symbol *out);
/*
 * The function that contains vaddr: a symbol of type FUNC or IFUNC whose [vaddr, +size) holds it (a
 * symbol of size 0 holds up to the next one in its section, at most 4 KiB). -ENOENT if none: no
 * guess.
 */
int elf__function_at(const struct elf_file *elf, uint64_t vaddr, struct elf_symbol *out);
/* Address and size of a section by name. 0 or -ENOENT. */
int elf__section(const struct elf_file *elf, const char *name, uint64_t *vaddr, uint64_t *size);

/* Reads initialised bytes by virtual address from the file. 0 or -EFAULT. */
int elf__read(const struct elf_file *elf, uint64_t vaddr, void *buf, size_t len);

#endif
