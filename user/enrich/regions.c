/* SPDX-License-Identifier: MIT */
#include "enrich/regions.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "elf/elf.h"
#include "enrich/image.h"
#include "model/facts.h"
#include "proc/maps.h"
#include "proc/mem.h"
#include "proc/tree.h"

struct regions {
	int refs;
	struct maps *maps;
	uint64_t modules, libpythons; /* digests */
	size_t n;
	struct region_fact *at; /* sorted by start, disjoint */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Is the file of this mapping also mapped executable: a program or library? */
static bool is_module(const struct maps *maps, const struct map_entry *e)
{
	for (size_t i = 0; i < maps__count(maps); i++) {
		const struct map_entry *o = maps__at(maps, i);

		if (o->inode == e->inode && o->dev_major == e->dev_major &&
		    o->dev_minor == e->dev_minor && o->perm & MAP_PERM_EXEC)
			return true;
	}
	return false;
}

static enum region_kind kind_of(const struct maps *maps, const struct map_entry *e)
{
	if (e->perm & MAP_PERM_SHARED)
		return REGION_SHARED;
	if (strcmp(e->name, "[heap]") == 0)
		return REGION_HEAP;
	if (strcmp(e->name, "[stack]") == 0)
		return REGION_STACK;
	if (e->inode)
		return is_module(maps, e) ? REGION_DATA : REGION_FILE;
	return REGION_ANON;
}

/* End of the .bss that follows a mapping of a module: the end of its last writable segment. */
static uint64_t bss_end(struct elf_cache *elves, int root, const struct map_entry *e)
{
	const struct elf_segment *segments;
	struct elf_file *elf;
	uint64_t bias, end = 0;
	size_t n;

	if (elf_cache__mapped(elves, e->file, root, e->name, e->inode, &elf) ||
	    elf__bias(elf, e->start, e->offset, &bias))
		return 0;
	n = elf__segments(elf, &segments);
	for (size_t i = 0; i < n; i++)
		if (segments[i].writable && bias + segments[i].vaddr + segments[i].memsz > end)
			end = bias + segments[i].vaddr + segments[i].memsz;
	return end;
}

static void regions__add(struct regions *r, uint64_t start, uint64_t end, enum region_kind kind,
			 const char *name)
{
	r->at[r->n++] = (struct region_fact){
		.kind = kind,
		.start = start,
		.end = end,
		.name = name,
	};
}

/* The kernel shows .bss as an anonymous mapping right behind the file's; it may have grown together
 * with an unrelated one, hence the split. */
static void regions__fill(struct regions *r, struct elf_cache *elves, struct intern *names,
			  int root)
{
	const struct region_fact *before = NULL;
	uint64_t bss = 0;

	for (size_t i = 0; i < maps__count(r->maps); i++) {
		const struct map_entry *e = maps__at(r->maps, i);
		enum region_kind kind = kind_of(r->maps, e);
		uint64_t start = e->start;

		before = r->n ? &r->at[r->n - 1] : NULL;
		if (kind == REGION_ANON && before && before->kind == REGION_DATA &&
		    before->end == start && bss > start) {
			uint64_t end = bss < e->end ? (bss + 4095) & ~4095ul : e->end;

			regions__add(r, start, end < e->end ? end : e->end, REGION_DATA,
				     before->name);
			start = end;
		}
		if (start < e->end)
			regions__add(r, start, e->end, kind,
				     e->inode ? intern__str(names, base_name(e->name)) : NULL);
		if (kind == REGION_DATA && e->perm & MAP_PERM_WRITE)
			bss = bss_end(elves, root, e);
	}
}

/* The number that an earlier reading of the same memory has for this file. */
static uint64_t known_file(const struct regions *before, const struct map_entry *e)
{
	const struct map_entry *old = before ? maps__find(before->maps, e->start) : NULL;

	return old && old->start == e->start && old->offset == e->offset &&
			       map_entry__same_file(old, e)
		       ? old->file
		       : 0;
}

/*
 * Opens programs and libraries at first sight: the process may end, and its files be replaced,
 * before anybody asks for a symbol. The segments of a file lie side by side; any that do not are
 * looked at again.
 */
static void regions__sight(struct regions *r, struct elf_cache *elves, pid_t pid, int root,
			   const struct regions *before)
{
	const struct map_entry *e;

	for (size_t i = 0; (e = maps__at(r->maps, i)); i++) {
		const struct map_entry *last = i ? maps__at(r->maps, i - 1) : NULL;
		struct elf_mapping mapping = {.pid = pid,
					      .start = e->start,
					      .end = e->end,
					      .inode = e->inode,
					      .path = e->name};
		uint64_t file = known_file(before, e);

		if (!file && last && map_entry__same_file(last, e))
			file = last->file;
		if (!file && e->name[0] == '/' && kind_of(r->maps, e) == REGION_DATA)
			file = elf_cache__sight(elves, root, &mapping);
		maps__set_file(r->maps, i, file);
	}
}

/* FNV-1a, by words: of the files that are mapped executable and whose base names begin so. */
static uint64_t modules_digest(const struct maps *maps, const char *prefix)
{
	uint64_t digest = 14695981039346656037ull;

	for (size_t i = 0; i < maps__count(maps); i++) {
		const struct map_entry *e = maps__at(maps, i);

		if (e->inode && e->perm & MAP_PERM_EXEC &&
		    !strncmp(base_name(e->name), prefix, strlen(prefix)))
			digest = ((digest ^ e->start) * 1099511628211ull ^ e->inode) *
				 1099511628211ull;
	}
	return digest;
}

int regions__read(struct elf_cache *elves, struct intern *names, pid_t pid, int root,
		  const struct regions *before, struct regions **out)
{
	struct regions *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->refs = 1;
	err = maps__read(pid, &r->maps);
	if (!err) {
		r->at = calloc(2 * maps__count(r->maps) + 1, sizeof(*r->at));
		err = r->at ? 0 : -ENOMEM;
	}
	if (err) {
		regions__unref(r);
		return err;
	}
	regions__sight(r, elves, pid, root, before);
	regions__fill(r, elves, names, root);
	r->modules = modules_digest(r->maps, "");
	r->libpythons = modules_digest(r->maps, "libpython");
	*out = r;
	return 0;
}

pid_t regions__ask(struct elf_cache *elves, struct intern *names, const struct process *p, int root,
		   struct regions **out)
{
	struct mem_source all;
	int err = 0;

	process__sources(p, &all);
	for (unsigned int i = 0; i < all.n; i++) {
		err = regions__read(elves, names, all.pids[i], root, p->regions, out);
		if (!err)
			return all.pids[i];
	}
	if (err == -EACCES && p->image)
		image__shut_out(p->image);
	return 0;
}

bool regions__unopened(const struct regions *regions)
{
	for (size_t i = 0; i < maps__count(regions->maps); i++) {
		const struct map_entry *e = maps__at(regions->maps, i);

		if (e->perm & MAP_PERM_EXEC && e->inode && e->name[0] == '/' && !e->file)
			return true;
	}
	return false;
}

struct regions *regions__ref(struct regions *regions)
{
	regions->refs++;
	return regions;
}

void regions__unref(struct regions *regions)
{
	if (!regions || --regions->refs)
		return;
	maps__unref(regions->maps);
	free(regions->at);
	free(regions);
}

bool regions__has_code(const struct regions *regions, uint64_t addr)
{
	const struct map_entry *e = maps__find(regions->maps, addr);

	return e && e->perm & MAP_PERM_EXEC;
}

/* The file whose mappings, or the .bss behind them, hold addr. */
static const struct map_entry *module_at(const struct maps *maps, uint64_t addr)
{
	const struct map_entry *e = maps__find(maps, addr);

	return e && !e->inode ? maps__find(maps, e->start - 1) : e;
}

bool regions__share_module(const struct regions *a, const struct regions *b, uint64_t addr)
{
	const struct map_entry *x = module_at(a->maps, addr), *y = module_at(b->maps, addr);

	return x && y && x->start == y->start && x->offset == y->offset &&
	       map_entry__same_file(x, y);
}

uint64_t regions__modules(const struct regions *regions)
{
	return regions->modules;
}

uint64_t regions__libpythons(const struct regions *regions)
{
	return regions->libpythons;
}

const struct maps *regions__maps(const struct regions *regions)
{
	return regions->maps;
}

int regions__find(const struct regions *regions, uint64_t addr, struct region_fact *out)
{
	size_t lo = 0, hi = regions->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (regions->at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == regions->n || addr < regions->at[lo].start)
		return -ENOENT;
	*out = regions->at[lo];
	return 0;
}
