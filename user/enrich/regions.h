/* SPDX-License-Identifier: MIT */
/* What each part of an address space is for, made from the maps and the program headers of the
 * files in them. Reference counted: forked processes share their parent's until they need their
 * own. */
#ifndef COWTRACE_ENRICH_REGIONS_H
#define COWTRACE_ENRICH_REGIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct elf_cache;
struct intern;
struct maps;
struct region_fact;
struct process;
struct regions;

/*
 * Reads the maps of a living process; root: where its files are; before: an earlier reading of the
 * same memory, or NULL. 0 or an error of maps__read.
 */
int regions__read(struct elf_cache *elves, struct intern *names, pid_t pid, int root,
		  const struct regions *before, struct regions **out);
/* Of a process or, if it is gone or a zombie, of the nearest ancestor whose memory it began with.
 * Returns whose; 0: of none. */
pid_t regions__ask(struct elf_cache *elves, struct intern *names, const struct process *p, int root,
		   struct regions **out);
/* Is a program or library mapped that could not be opened? */
bool regions__unopened(const struct regions *regions);
struct regions *regions__ref(struct regions *regions);
void regions__unref(struct regions *regions);

const struct maps *regions__maps(const struct regions *regions);
/* Could code at addr run when the maps were read? */
bool regions__has_code(const struct regions *regions, uint64_t addr);
/* Have both the same file at the same place around addr? */
bool regions__share_module(const struct regions *a, const struct regions *b, uint64_t addr);
/* A digest of the programs and libraries, and of their places; one of the libpythons only. */
uint64_t regions__modules(const struct regions *regions);
uint64_t regions__libpythons(const struct regions *regions);
/* The region that holds addr: 0, or -ENOENT (nothing was mapped there when the maps were read). */
int regions__find(const struct regions *regions, uint64_t addr, struct region_fact *out);

#endif
