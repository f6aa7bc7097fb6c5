// SPDX-License-Identifier: MIT
#include "python/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "elf/elf.h"
#include "proc/maps.h"
#include "proc/mem.h"
#include "python/debug_offsets.h"
#include "python/libc.h"
#include "python/raw.h"
#include "python/tables.h"
#include "python/version.h"

/* How many files of one rank are opened at most. */
#define MAX_FILES 16

/* Release level in PY_VERSION_HEX. 0 is none: the version was told from a file name. */
enum { LEVEL_ALPHA = 0xa, LEVEL_BETA = 0xb, LEVEL_RC = 0xc, LEVEL_FINAL = 0xf };

#ifdef __aarch64__
#define GLIBC_HAS_LARGE_MUTEXES true
#else
#define GLIBC_HAS_LARGE_MUTEXES false
#endif

/* Order of the search. The last one is for libraries that embed a Python. */
enum rank { RANK_EXECUTABLE, RANK_LIBPYTHON, RANK_OTHER, RANKS };

/* Files that every process has and that never hold a Python, by the start of their base names. */
static const char *const never_python[] = {
	"ld-",		 "libc.so",  "libc-2.",	 "libm.so", "libm-2.",	  "libpthread", "libdl",
	"librt",	 "libutil",  "libcrypt", "libssl",  "libz.so",	  "libstdc++",	"libgcc_s",
	"libpython3.so", "libexpat", "libffi",	 "liblzma", "libsqlite3",
};

struct search {
	struct elf_cache *elves;
	pid_t pid;
	int root;
	const struct maps *maps;
	const char *executable; /* its path, or "" */
	uint64_t known;		/* address of the runtime that is not wanted */
	struct py_runtime *rt;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* libpython3.11.so.1.0, but not the libpython3.so of the stable ABI, which holds nothing. */
static bool is_libpython(const char *base)
{
	return starts_with(base, "libpython3") && !starts_with(base, "libpython3.so") &&
	       strstr(base, ".so");
}

static bool is_never_python(const char *base)
{
	/* Extension modules are many, and import _PyRuntime rather than define it. */
	if (strstr(base, ".cpython-3") || strstr(base, ".abi3.so"))
		return true;
	for (size_t i = 0; i < sizeof(never_python) / sizeof(never_python[0]); i++)
		if (starts_with(base, never_python[i]))
			return true;
	return false;
}

/* The kernel maps the executable below its libraries, position-independent or not. */
static const char *find_executable(const struct maps *maps)
{
	for (size_t i = 0; i < maps__count(maps); i++)
		if (maps__at(maps, i)->name[0] == '/')
			return maps__at(maps, i)->name;
	return "";
}

/* RANKS: not worth a look. */
static enum rank rank_of(const struct search *s, const struct map_entry *map)
{
	if (map->name[0] != '/')
		return RANKS;
	if (!strcmp(map->name, s->executable))
		return RANK_EXECUTABLE;
	if (is_libpython(base_name(map->name)))
		return RANK_LIBPYTHON;
	return map->perm & MAP_PERM_EXEC && !is_never_python(base_name(map->name)) ? RANK_OTHER
										   : RANKS;
}

/* _PyRuntime, also in a stripped file: it is exported, and 3.10+ give it a section of its own. */
static int find_symbol(const struct elf_file *elf, uint64_t *vaddr, uint64_t *size)
{
	struct elf_symbol sym;

	if (!elf__symbol(elf, "_PyRuntime", &sym) && sym.vaddr) {
		*vaddr = sym.vaddr;
		*size = sym.size;
		return 0;
	}
	return elf__section(elf, ".PyRuntime", vaddr, size);
}

static bool is_sane_version(uint64_t hex)
{
	return hex >> 24 == 3 && (hex >> 16 & 0xff) >= 8 && (hex >> 16 & 0xff) < 64;
}

/* Py_Version, an unsigned long, is there from 3.11 on. */
static uint32_t version_of_symbol(const struct elf_file *elf)
{
	struct elf_symbol sym;
	uint64_t hex;

	if (elf__symbol(elf, "Py_Version", &sym) || elf__read(elf, sym.vaddr, &hex, sizeof(hex)))
		return 0;
	return is_sane_version(hex) ? hex : 0;
}

/*
 * _Py_DebugOffsets (3.13+) begin _PyRuntime and are initialised in the file. Besides the version
 * they tell how large the runtime and an interpreter are; the main interpreter is the runtime's
 * last member.
 */
static uint32_t version_of_debug_offsets(const struct elf_file *elf, uint64_t vaddr,
					 struct py_runtime *rt, uint64_t *main_offset)
{
	uint8_t block[PY_DEBUG_INTERP_SIZE + 8];
	uint64_t hex, runtime_size, interp_size;

	if (elf__read(elf, vaddr, block, sizeof(block)) ||
	    memcmp(block, PY_DEBUG_COOKIE, PY_DEBUG_COOKIE_LEN))
		return 0;
	hex = raw__u64(block, PY_DEBUG_VERSION);
	if (!is_sane_version(hex))
		return 0;
	rt->free_threaded = raw__u64(block, PY_DEBUG_FREE_THREADED) != 0;
	runtime_size = raw__u64(block, PY_DEBUG_RUNTIME_SIZE);
	interp_size = raw__u64(block, PY_DEBUG_INTERP_SIZE);
	if (runtime_size == rt->size && interp_size < runtime_size)
		*main_offset = runtime_size - interp_size;
	return hex;
}

/* "python3.9", "libpython3.8.so.1.0", "python3.13t": the minor version is in the name. */
static uint32_t version_of_name(const char *base, struct py_runtime *rt)
{
	const char *at = strstr(base, "python3.");
	unsigned int minor;
	int end = 0;

	if (!at || sscanf(at, "python3.%2u%n", &minor, &end) != 1)
		return 0;
	rt->free_threaded = at[end] == 't';
	return 3u << 24 | minor << 16;
}

static void print_version(struct py_runtime *rt)
{
	uint32_t hex = rt->hexversion;
	unsigned int level = hex >> 4 & 0xf, serial = hex & 0xf;
	const char *name = level == LEVEL_ALPHA ? "a" : level == LEVEL_BETA ? "b" : "rc";
	char micro[8] = "", release[8] = "";

	if (level)
		snprintf(micro, sizeof(micro), ".%u", hex >> 8 & 0xff);
	if (level >= LEVEL_ALPHA && level <= LEVEL_RC)
		snprintf(release, sizeof(release), "%s%u", name, serial);
	snprintf(rt->version, sizeof(rt->version), "%u.%u%s%s%s", hex >> 24, hex >> 16 & 0xff,
		 micro, release, rt->free_threaded ? "t" : "");
}

/* All evidence there is must agree; two that differ are as good as none. */
static int find_version(const struct elf_file *elf, uint64_t vaddr, const char *base,
			struct py_runtime *rt, uint64_t *main_offset)
{
	uint32_t symbol = version_of_symbol(elf);
	uint32_t debug = version_of_debug_offsets(elf, vaddr, rt, main_offset);

	if (symbol && debug && symbol != debug)
		return -EINVAL;
	rt->hexversion = symbol ? symbol : debug;
	if (!rt->hexversion)
		rt->hexversion = py_version__of_code(elf);
	if (!rt->hexversion)
		rt->hexversion = version_of_name(base, rt);
	if (!rt->hexversion)
		return -EINVAL;
	print_version(rt);
	return 0;
}

static bool has_symbol(const struct elf_file *elf, const char *name)
{
	struct elf_symbol sym;

	return !elf__symbol(elf, name, &sym);
}

/* Exported by such builds only; checked against the headers and release binaries of 3.11 to 3.13.
 */
static void find_build(const struct elf_file *elf, struct py_runtime *rt)
{
	rt->debug_build = has_symbol(elf, "_Py_NegativeRefcount");
	/* 3.13 moved the list of objects out of them, so the layout stays. */
	rt->trace_refs = rt->hexversion < 0x030d0000 && has_symbol(elf, "_Py_ForgetReference");
}

/* Where the main interpreter is in a runtime of this size; 0: not known. */
static uint64_t known_main_offset(const struct py_runtime *rt)
{
	const struct py_table *table = py_table__find(rt->hexversion >> 16);
	const struct py_main_place *place =
		table ? py_table__place(table, rt->size, rt->large_mutexes) : NULL;

	if (!place || !place->main_interpreter)
		return 0;
	return place->main_interpreter + (rt->large_mutexes ? table->shift.main_interpreter : 0);
}

/* The pointer in the process if it is set and plausible, else what the file tells. */
static void find_main_interpreter(pid_t pid, uint64_t offset, struct py_runtime *rt)
{
	const struct py_table *table = py_table__find(rt->hexversion >> 16);
	struct mem_source mem = mem__of(pid);
	uint64_t pointer = 0;

	if (!offset)
		offset = known_main_offset(rt);
	if (offset)
		rt->main_interpreter = rt->runtime + offset;
	if (!table ||
	    mem__read_u64(&mem, rt->runtime + table->offsets.runtime_interpreters_main, &pointer))
		return;
	if (pointer > rt->runtime && pointer - rt->runtime < rt->size && !(pointer & 7))
		rt->main_interpreter = pointer;
}

/* The lowest mapping of the same file: the one whose segment is never in doubt. */
static const struct map_entry *first_mapping(const struct maps *maps, const struct map_entry *map)
{
	for (size_t i = 0; i < maps__count(maps); i++)
		if (!strcmp(maps__at(maps, i)->name, map->name))
			return maps__at(maps, i);
	return map;
}

/*
 * Where threads keep their states. Not found: the kernel side looks through the list of threads.
 * -ENOENT: the loader has mapped the file, but not prepared it; there is no Python yet.
 */
static int find_tls(const struct elf_file *elf, pid_t pid, struct py_runtime *rt)
{
	struct mem_source mem = mem__of(pid);
	int err = 0;

	if (rt->hexversion >= 0x030c0000)
		err = py_tls__find(elf, rt->bias, &mem, PY_TLS_ATTACHED, &rt->attached);
	if (err != -EAGAIN && rt->hexversion >= 0x030f0000)
		err = py_tls__find(elf, rt->bias, &mem, PY_TLS_BOUND, &rt->bound);
	return err == -EAGAIN ? -ENOENT : 0;
}

/* 0: this file holds the runtime; -ENOENT: it does not. */
/* Python 3 had no _PyRuntime before 3.7: found to be named, not to be read. */
static int try_ancient(const struct search *s, const struct map_entry *map,
		       const struct elf_file *elf)
{
	struct py_runtime rt = {.hexversion = py_version__of_code(elf)};

	if (!rt.hexversion || rt.hexversion >= 0x03070000)
		return -ENOENT;
	print_version(&rt);
	utf8__sanitize(rt.path, sizeof(rt.path), map->name, strlen(map->name));
	*s->rt = rt;
	return 0;
}

static int try_file(const struct search *s, const struct map_entry *map)
{
	struct py_runtime rt = {};
	struct elf_file *elf;
	uint64_t vaddr, main_offset = 0;
	int err;

	map = first_mapping(s->maps, map);
	err = elf_cache__mapped(s->elves, map->file, s->root, map->name, map->inode, &elf);
	if (err)
		return err == -EINVAL ? -ENOENT : err; /* not ELF: no Python there */
	if (find_symbol(elf, &vaddr, &rt.size))
		return try_ancient(s, map, elf);
	err = elf__bias(elf, map->start, map->offset, &rt.bias);
	if (err)
		return err;
	rt.runtime = vaddr + rt.bias;
	if (rt.runtime == s->known)
		return -ENOENT;
	err = find_version(elf, vaddr, base_name(map->name), &rt, &main_offset);
	if (err)
		return err;
	find_build(elf, &rt);
	err = find_tls(elf, s->pid, &rt);
	if (err)
		return err;
	err = libc__self_below(s->elves, s->root, s->maps, s->executable, &rt.self_below);
	if (err)
		return -ENOENT;
	rt.pthread_specific = libc__pthread_specific(s->elves, s->root, s->maps, s->executable);
	rt.large_mutexes = GLIBC_HAS_LARGE_MUTEXES && rt.pthread_specific;
	find_main_interpreter(s->pid, main_offset, &rt);
	utf8__sanitize(rt.path, sizeof(rt.path), map->name, strlen(map->name));
	*s->rt = rt;
	return 0;
}

/* Every file of one rank, each once. The first error that is more than "not here" is kept. */
static int try_rank(const struct search *s, enum rank rank)
{
	const char *last = "";
	unsigned int tried = 0;
	int err, first = -ENOENT;

	for (size_t i = 0; i < maps__count(s->maps) && tried < MAX_FILES; i++) {
		const struct map_entry *map = maps__at(s->maps, i);

		if (rank_of(s, map) != rank || !strcmp(map->name, last))
			continue;
		last = map->name;
		tried++;
		err = try_file(s, map);
		if (!err)
			return 0;
		if (first == -ENOENT)
			first = err;
	}
	return first;
}

int py_runtime__find_other(struct elf_cache *elves, int root, pid_t pid, const struct maps *maps,
			   uint64_t known, struct py_runtime *out)
{
	struct search s = {.elves = elves,
			   .pid = pid,
			   .root = root,
			   .maps = maps,
			   .executable = find_executable(maps),
			   .known = known,
			   .rt = out};
	int err, first = -ENOENT;

	for (enum rank rank = 0; rank < (known ? RANK_OTHER : RANKS); rank++) {
		err = try_rank(&s, rank);
		if (!err)
			return 0;
		/* Trouble with a file that need not concern Python is not worth reporting. */
		if (first == -ENOENT && rank != RANK_OTHER)
			first = err;
	}
	return first;
}

int py_runtime__find(struct elf_cache *elves, int root, pid_t pid, const struct maps *maps,
		     struct py_runtime *out)
{
	return py_runtime__find_other(elves, root, pid, maps, 0, out);
}
