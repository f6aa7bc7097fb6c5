/* SPDX-License-Identifier: MIT */
/* The Pythons that run on this machine, as the tracing would find them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/intern.h"
#include "elf/elf.h"
#include "model/machine.h"
#include "proc/kernel_file.h"
#include "proc/maps.h"
#include "proc/mem.h"
#include "proc/root.h"
#include "proc/stat.h"
#include "proc/tree.h"
#include "python/offsets.h"
#include "python/process.h"
#include "python/runtime.h"
#include "python/tables.h"
#include "survey/internal.h"

/* Versions from here on tell their own offsets. */
#define TELLS_OFFSETS 0x030d0000

/* More than anyone reads; what is beyond is counted only. */
#define MAX_GROUPS 64

struct pythons {
	struct machine_python groups[MAX_GROUPS];
};

struct finder {
	struct intern *pool;
	struct machine *m;
	struct pythons *found;
	struct elf_cache *elves;
};

/* --- one process ------------------------------------------------------------- */

/* Is a program or library mapped that could not be opened? */
static bool unopened(const struct maps *maps)
{
	for (size_t i = 0; i < maps__count(maps); i++) {
		const struct map_entry *e = maps__at(maps, i);

		if (e->perm & MAP_PERM_EXEC && e->inode && e->name[0] == '/' && !e->file)
			return true;
	}
	return false;
}

static const char *layout_words(struct intern *pool, const struct py_runtime *rt)
{
	char words[96];

	if (rt->hexversion >= TELLS_OFFSETS)
		return "by its own offsets (_Py_DebugOffsets), which passed the checks";
	snprintf(words, sizeof(words), "by the table of CPython %u.%u%s", rt->hexversion >> 24,
		 rt->hexversion >> 16 & 0xff, rt->debug_build ? ", debug build" : "");
	return intern__str(pool, words);
}

static const char *text_or_null(struct intern *pool, const char *s)
{
	return s[0] ? intern__str(pool, s) : NULL;
}

/* 0: out is filled in; -ENOENT: no Python, or too young to tell; -EACCES. */
static int identify(struct finder *f, pid_t pid, int root, const struct maps *maps,
		    struct machine_python *out)
{
	struct mem_source mem = mem__of(pid);
	struct py_offsets offsets;
	struct py_runtime rt = {};
	char why[256] = "";
	int err;

	if (mem__forbidden(&mem, maps__at(maps, 0)->start))
		return -EACCES;
	err = py_runtime__find(f->elves, root, pid, maps, &rt);
	if (err == -EINVAL) {
		*out = (struct machine_python){
			.problem = "there is a Python, but its version can not be told",
		};
		return 0;
	}
	if (err == -ENOENT && unopened(maps))
		return -EACCES;
	if (err)
		return err == -EPERM ? -EACCES : err;
	err = py_offsets__choose(&mem, &rt, &offsets, why, sizeof(why));
	if (err && err != -ENOTSUP && err != -EPROTO)
		return err == -EPERM ? -EACCES : -ENOENT;
	*out = (struct machine_python){
		.version = intern__str(f->pool, rt.version),
		.file = intern__str(f->pool, rt.path),
		.layout = err ? NULL : layout_words(f->pool, &rt),
		.problem = text_or_null(f->pool, why),
		.newer = rt.hexversion >> 16 > py_table__newest(),
	};
	return 0;
}

/* --- all of them ------------------------------------------------------------- */

static void add(struct finder *f, const struct machine_python *python, pid_t pid)
{
	struct machine_python *group = f->found->groups;
	struct process process = {.pid = (uint32_t)pid};
	size_t i;

	/* Strings of one pool: equal ones are the same. */
	for (i = 0; i < f->m->n_pythons; i++, group++)
		if (group->version == python->version && group->file == python->file &&
		    group->problem == python->problem && group->layout == python->layout)
			break;
	if (i == MAX_GROUPS)
		return;
	if (i == f->m->n_pythons) {
		*group = *python;
		f->m->n_pythons++;
	}
	if (group->processes < MACHINE_EXAMPLES) {
		process__read_command(&process, "?");
		group->examples[group->processes] = (struct machine_process){
			.pid = (uint32_t)pid,
			.command = intern__str(f->pool, process.command),
		};
	}
	group->processes++;
}

static void look(void *ctx, pid_t pid)
{
	struct finder *f = ctx;
	struct machine_python python;
	struct root *root = NULL;
	struct maps *maps = NULL;
	int err;

	if (pid == getpid())
		return;
	err = maps__read(pid, &maps);
	if (!err && !maps__count(maps)) /* a thread of the kernel, or a zombie */
		goto out;
	if (!err)
		err = root__of(pid, &root);
	if (!err) {
		py_process__sight(f->elves, root__fd(root), pid, maps);
		err = identify(f, pid, root__fd(root), maps, &python);
	}
	if (!err)
		add(f, &python, pid);
	f->m->processes += err != -ESRCH;
	f->m->closed += err == -EACCES || err == -EPERM;
out:
	root__unref(root);
	maps__unref(maps);
}

static int by_processes(const void *a, const void *b)
{
	const struct machine_python *x = a, *y = b;

	return x->processes < y->processes ? 1 : x->processes > y->processes ? -1 : 0;
}

int pythons__find(struct intern *pool, struct machine *m, struct pythons **out)
{
	struct finder f = {.pool = pool, .m = m};
	int err;

	f.found = calloc(1, sizeof(*f.found));
	err = f.found ? elf_cache__new(&f.elves) : -ENOMEM;
	if (!err)
		err = proc__each(look, &f);
	elf_cache__free(f.elves);
	if (err) {
		free(f.found);
		return err;
	}
	qsort(f.found->groups, m->n_pythons, sizeof(*f.found->groups), by_processes);
	m->pythons = f.found->groups;
	*out = f.found;
	return 0;
}

void pythons__free(struct pythons *pythons)
{
	free(pythons);
}
