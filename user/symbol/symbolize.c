/* SPDX-License-Identifier: MIT */
#include "symbol/symbolize.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "elf/elf.h"
#include "proc/maps.h"

/* Longest name that is looked at: the string table of a hostile file may be one endless name. */
#define FOREIGN_NAME_MAX 4096

static void set_name(char *dst, size_t size, const char *name)
{
	utf8__sanitize(dst, size, name, strnlen(name, FOREIGN_NAME_MAX));
}

/* "module+0x1234"; the module gives way if both do not fit. */
static void set_offset(struct native_symbol *out, const char *module, uint64_t offset)
{
	char number[24], text[SYMBOL_NAME_MAX - sizeof(number)];
	size_t len;

	snprintf(number, sizeof(number), "+0x%" PRIx64, offset);
	len = utf8__sanitize(text, sizeof(text), module, strnlen(module, FOREIGN_NAME_MAX));
	memcpy(out->name, text, len);
	strcpy(out->name + len, number);
}

/*
 * By the bytes of the file that the address shows, not by a load bias: exact even where segments
 * share a page of the file. Only code counts, so a stale map does not lead to a name.
 */
static bool file_vaddr(const struct elf_file *elf, uint64_t offset, uint64_t *vaddr)
{
	const struct elf_segment *seg;
	size_t n = elf__segments(elf, &seg);

	for (; n; n--, seg++) {
		if (!seg->executable || offset < seg->offset || offset - seg->offset >= seg->filesz)
			continue;
		*vaddr = offset - seg->offset + seg->vaddr;
		return true;
	}
	return false;
}

static void symbolize_file(struct elf_cache *elves, int root, const struct map_entry *map,
			   uint64_t addr, struct native_symbol *out)
{
	const char *slash = strrchr(map->name, '/');
	const char *base = slash ? slash + 1 : map->name;
	uint64_t offset = addr - map->start + map->offset;
	struct elf_symbol symbol;
	struct elf_file *elf;

	set_name(out->module, sizeof(out->module), base);
	out->vaddr = offset;
	if (!elf_cache__mapped(elves, map->file, root, map->name, map->inode, &elf) &&
	    file_vaddr(elf, offset, &out->vaddr) && !elf__function_at(elf, out->vaddr, &symbol)) {
		set_name(out->name, sizeof(out->name), symbol.name);
		out->function = out->name;
		return;
	}
	set_offset(out, base, out->vaddr);
}

void symbolize(struct elf_cache *elves, int root, const struct maps *maps, uint64_t addr,
	       struct native_symbol *out)
{
	const struct map_entry *map = maps ? maps__find(maps, addr) : NULL;

	memset(out, 0, sizeof(*out));
	out->vaddr = addr;
	if (!map || !(map->perm & MAP_PERM_EXEC)) {
		strcpy(out->name, "[unknown]");
	} else if (map->name[0] == '/') {
		symbolize_file(elves, root, map, addr, out);
	} else if (map->name[0]) { /* [vdso], [vsyscall], [anon:...] */
		set_name(out->module, sizeof(out->module), map->name);
		out->vaddr = addr - map->start;
		set_offset(out, map->name, out->vaddr);
	} else {
		set_offset(out, "[jit]", addr - map->start);
	}
}
