/* SPDX-License-Identifier: MIT */
/* What each part of an address space is for, made from the maps and the program headers of the
 * files in them. Reference counted: forked processes share their parent's until they need their
 * own. */
#ifndef COWTRACE_ENRICH_REGIONS_H
#define COWTRACE_ENRICH_REGIONS_H

#include <stdint.h>
#include <sys/types.h>

struct elf_cache;
struct intern;
struct maps;
struct region_fact;
struct regions;

/* Reads the maps of a living process; root: where its files are. 0 or an error of maps__read. */
int regions__read(struct elf_cache *elves, struct intern *names, pid_t pid, int root,
		  struct regions **out);
struct regions *regions__ref(struct regions *regions);
void regions__unref(struct regions *regions);

const struct maps *regions__maps(const struct regions *regions);
/* The region that holds addr: 0, or -ENOENT (nothing was mapped there when the maps were read). */
int regions__find(const struct regions *regions, uint64_t addr, struct region_fact *out);

#endif
