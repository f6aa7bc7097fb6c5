/* SPDX-License-Identifier: MIT */
#include "python/process.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "elf/elf.h"
#include "proc/maps.h"
#include "proc/root.h"
#include "python/runtime.h"

void py_process__sight(struct elf_cache *elves, int root, pid_t pid, struct maps *maps)
{
	for (size_t i = 0; i < maps__count(maps); i++) {
		const struct map_entry *e = maps__at(maps, i);
		const struct map_entry *last = i ? maps__at(maps, i - 1) : NULL;
		struct elf_mapping mapping = {
			.pid = pid,
			.start = e->start,
			.end = e->end,
			.inode = e->inode,
			.path = e->name,
		};

		if (last && map_entry__same_file(last, e))
			maps__set_file(maps, i, last->file);
		else if (e->inode && e->name[0] == '/')
			maps__set_file(maps, i, elf_cache__sight(elves, root, &mapping));
	}
}

/* python3.11, libpython3.11.so, or a module of the standard library: where Python is a part of
 * another program, it still loads such. */
static bool may_be_python(const struct maps *maps)
{
	for (size_t i = 0; i < maps__count(maps); i++)
		if (strstr(maps__at(maps, i)->name, "python"))
			return true;
	return false;
}

int py_process__look(struct elf_cache *elves, pid_t pid)
{
	struct py_runtime rt = {};
	struct root *root = NULL;
	struct maps *maps = NULL;
	int err = maps__read(pid, &maps);

	if (!err && !may_be_python(maps))
		err = -ENOENT;
	if (!err)
		err = root__of(pid, &root);
	if (!err) {
		py_process__sight(elves, root__fd(root), pid, maps);
		err = py_runtime__find(elves, root__fd(root), pid, maps, &rt);
		if (err == -EINVAL) /* there is one, whose version can not be told */
			err = 0;
	}
	root__unref(root);
	maps__unref(maps);
	return err;
}
