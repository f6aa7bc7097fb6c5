// SPDX-License-Identifier: MIT
#include "python/libc.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/a64.h"
#include "elf/elf.h"
#include "proc/maps.h"

/*
 * struct pthread.specific_1stblock where the library does not tell: the same in glibc 2.31, 2.36,
 * 2.41 and 2.43.
 */
#ifdef __aarch64__
#define SPECIFIC_1STBLOCK 272
#define SELF_IS_BELOW	  true
#else
#define SPECIFIC_1STBLOCK 784
#define SELF_IS_BELOW	  false /* the thread pointer points to struct pthread itself */
#endif

/* glibc: PTHREAD_KEY_2NDLEVEL_SIZE entries of {sequence number, value}. */
#define BLOCK_SIZE (32 * 16)
/* struct pthread has 2304 bytes in glibc 2.31, 2368 in 2.36 to 2.43. */
#define PTHREAD_SIZE_MAX 8192

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* The file that defines struct pthread: libc.so.6 since 2.34, libpthread-2.31.so and such before,
 * whose links libc.so.6 and libpthread.so.0 the maps do not show. */
static bool is_glibc(const char *base)
{
	return starts_with(base, "libc.so.6") || starts_with(base, "libc-2.") ||
	       starts_with(base, "libpthread-2.");
}

/* Its loader is its library; Debian's maps show that one's real name. */
static bool is_musl(const char *base)
{
	return starts_with(base, "ld-musl-") || starts_with(base, "libc.musl-") ||
	       !strcmp(base, "libc.so");
}

/*
 * What glibc tells debuggers (nptl_db) of the member `specific`: size in bits, count, offset. It
 * comes right behind the first block. 0: not told, or not as it must be.
 */
static uint32_t told_offset(const struct elf_file *elf)
{
	struct elf_symbol sym;
	uint32_t field[3];

	if (elf__symbol(elf, "_thread_db_pthread_specific", &sym) ||
	    elf__read(elf, sym.vaddr, field, sizeof(field)))
		return 0;
	if (field[0] != 32 * 64 || field[1] != 1 || field[2] % 8 || field[2] < BLOCK_SIZE ||
	    field[2] > PTHREAD_SIZE_MAX)
		return 0;
	return field[2] - BLOCK_SIZE;
}

/* Every program that glibc's crt1.o has begun says which kernel it needs; musl's says nothing. */
static bool is_static_glibc(const struct elf_file *elf)
{
	uint64_t vaddr, size;

	return !elf__section(elf, ".note.ABI-tag", &vaddr, &size);
}

static struct elf_file *open_file(struct elf_cache *elves, int root, const struct map_entry *map)
{
	struct elf_file *elf = NULL;

	if (elf_cache__mapped(elves, map->file, root, map->name, map->inode, &elf))
		return NULL;
	return elf;
}

/* pthread_self() of glibc and musl: mrs x0, tpidr_el0; sub x0, x0, #size; ret. */
uint32_t libc__self_of_code(const uint32_t *code, size_t words)
{
	size_t i = 0;
	int64_t below = 0;

	while (i < words && a64__decode(code[i]).op == A64_NOP)
		i++;
	if (i == words || a64__decode(code[i]).op != A64_MRS_TP || code[i] & 31)
		return 0;
	for (i++; i < words; i++) {
		struct a64 in = a64__decode(code[i]);

		if (in.op != A64_ADD || in.rd || in.rn)
			break;
		below -= in.imm;
	}
	return i < words && below > 0 && below < PTHREAD_SIZE_MAX ? below : 0;
}

/* glibc tells debuggers how large struct pthread is; any C library has the function. */
static uint32_t self_below(const struct elf_file *elf)
{
	uint32_t size = 0, code[6];
	struct elf_symbol sym;

	if (!elf__symbol(elf, "_thread_db_sizeof_pthread", &sym) &&
	    !elf__read(elf, sym.vaddr, &size, sizeof(size)) && size && size % 8 == 0 &&
	    size < PTHREAD_SIZE_MAX)
		return size;
	if (elf__symbol(elf, "pthread_self", &sym) || elf__read(elf, sym.vaddr, code, sizeof(code)))
		return 0;
	return libc__self_of_code(code, sizeof(code) / sizeof(code[0]));
}

/* The loader will map a C library, but has not yet. */
static bool is_dynamic(const struct elf_file *elf)
{
	uint64_t vaddr, size;

	return !elf__section(elf, ".interp", &vaddr, &size);
}

int libc__self_below(struct elf_cache *elves, int root, const struct maps *maps,
		     const char *executable, uint32_t *out)
{
	const struct map_entry *map;
	bool library = false, dynamic = false;

	*out = 0;
	for (size_t i = 0; SELF_IS_BELOW && !*out && (map = maps__at(maps, i)); i++) {
		bool libc = is_glibc(base_name(map->name)) || is_musl(base_name(map->name));
		const struct elf_file *elf;

		if (!(map->perm & MAP_PERM_EXEC) || (!libc && strcmp(map->name, executable) != 0))
			continue;
		elf = open_file(elves, root, map);
		library = library || libc;
		dynamic = dynamic || (elf && !libc && is_dynamic(elf));
		*out = elf ? self_below(elf) : 0;
	}
	return dynamic && !library ? -EAGAIN : 0;
}

uint32_t libc__pthread_specific(struct elf_cache *elves, int root, const struct maps *maps,
				const char *executable)
{
	const struct map_entry *program = NULL, *map;
	const struct elf_file *elf;
	bool glibc = false;
	uint32_t told = 0;

	for (size_t i = 0; !told && (map = maps__at(maps, i)); i++) {
		const char *base = base_name(map->name);

		if (is_musl(base))
			return 0;
		if (!program && !strcmp(map->name, executable))
			program = map;
		/* One of its mappings is enough. */
		if (!is_glibc(base) || !(map->perm & MAP_PERM_EXEC))
			continue;
		glibc = true;
		elf = open_file(elves, root, map);
		told = elf ? told_offset(elf) : 0;
	}
	if (!glibc && program) { /* linked statically, if it has a C library at all */
		elf = open_file(elves, root, program);
		glibc = elf && is_static_glibc(elf);
		told = glibc ? told_offset(elf) : 0;
	}
	return told ? told : glibc ? SPECIFIC_1STBLOCK : 0;
}
