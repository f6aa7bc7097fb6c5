/* SPDX-License-Identifier: MIT */
#include "enrich/image.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enrich/regions.h"
#include "proc/caps.h"
#include "proc/maps.h"
#include "proc/mem.h"
#include "proc/memory.h"
#include "proc/root.h"
#include "proc/tree.h"
#include "python/activity.h"
#include "python/offsets.h"

/* First look after 2 ms, then at growing intervals for about 10 s. A Python that is loaded later (a
 * plug-in) is found when the maps are next read, at a fork or for a copy by code that is new: the
 * process then gets a sibling of its image. */
#define FIRST_INTERVAL_NS 2000000ull
#define MAX_INTERVAL_NS	  1000000000ull
#define MAX_LOOKS	  20

static uint64_t new_id(void)
{
	static uint64_t last_id;

	return ++last_id * 0x9e3779b97f4a7c15ull;
}

struct image *image__new(struct root *root, uint64_t start_stack, uint64_t now)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image) {
		root__unref(root);
		return NULL;
	}
	image->root = root;
	image->refs = 1;
	image->id = new_id();
	image->start_stack = start_stack;
	image->next_look = now;
	return image;
}

struct image *image__ref(struct image *image)
{
	if (image)
		image->refs++;
	return image;
}

bool image__unref(struct image *image)
{
	if (!image || --image->refs)
		return false;
	root__unref(image->root);
	free(image);
	return true;
}

struct image *image__sibling(const struct image *image, uint64_t now)
{
	return image__new(root__ref(image->root), image->start_stack, now);
}

static void image__doubt(struct image *image)
{
	if (!image->offsets || image->refs > 1)
		return;
	image->searched = false;
	image->looks = 0;
	image->next_look = 0;
}

struct image *image__loaded(struct image *image, const struct regions *before,
			    const struct regions *now)
{
	struct image *own;

	if (regions__modules(before) == regions__modules(now))
		return image;
	if (image->searched || image->offsets) {
		if (regions__libpythons(before) != regions__libpythons(now))
			image__doubt(image);
		return image;
	}
	own = image__sibling(image, 0);
	if (!own)
		return image;
	image__unref(image);
	return own;
}

void image__hurry(struct image *image)
{
	if (image->next_look != UINT64_MAX)
		image->next_look = 0;
}

bool image__runs_in(const struct image *image, pid_t pid)
{
	uint64_t start_stack;
	int err = memory__start_stack(pid, &start_stack);

	/* What may not be looked into shows nothing of another program either. */
	return !image->start_stack || err == -EACCES || (!err && start_stack == image->start_stack);
}

static void image__wait(struct image *image, uint64_t now)
{
	uint64_t interval = FIRST_INTERVAL_NS << (image->looks < 10 ? image->looks : 10);

	image->next_look = now + (interval < MAX_INTERVAL_NS ? interval : MAX_INTERVAL_NS);
	if (image->looks < MAX_LOOKS)
		image->looks++;
	else
		image->next_look = UINT64_MAX;
	if (image->offsets && image->looks == MAX_LOOKS) /* the doubts are over */
		image->searched = true;
}

#define WITHOUT "copies are counted, without lines and types; run cowtrace as root, or with "

void image__shut_out(struct image *image)
{
	bool ptrace = caps__has(CAP_SYS_PTRACE), dac = caps__has(CAP_DAC_READ_SEARCH);

	if (image->problem[0])
		return;
	snprintf(image->problem, sizeof(image->problem),
		 "its memory may not be read: " WITHOUT "%s",
		 ptrace && dac ? "less security (another user namespace, or a security module)"
		 : dac	       ? "CAP_SYS_PTRACE"
		 : ptrace      ? "CAP_DAC_READ_SEARCH"
			       : "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
}

static void image__not_found(struct image *image, const struct regions *regions)
{
	if (regions__unopened(regions) && !caps__has(CAP_CHECKPOINT_RESTORE))
		snprintf(image->problem, sizeof(image->problem),
			 "a program or library that it runs is not to be found by its path "
			 "(deleted, replaced, in a container): " WITHOUT "CAP_CHECKPOINT_RESTORE");
}

static void image__not_told(struct image *image, int err)
{
	if (err == -EACCES)
		snprintf(image->problem, sizeof(image->problem),
			 "its program, or a library of it, may not be opened: " WITHOUT
			 "CAP_DAC_READ_SEARCH");
	else
		snprintf(image->problem, sizeof(image->problem),
			 "there is a Python, but its version can not be told (%s)", strerror(-err));
}

/* 0: a supported Python; -EAGAIN: none yet; other errors are final, with the problem filled. */
static int image__identify(struct image *image, struct elf_cache *elves,
			   const struct mem_source *mem, const struct regions *regions)
{
	const struct maps *maps = regions__maps(regions);
	int err;

	if (maps__count(maps) && mem__forbidden(mem, maps__at(maps, 0)->start)) {
		image__shut_out(image);
		return -EAGAIN;
	}
	err = py_runtime__find(elves, root__fd(image->root), mem->pids[0], maps, &image->python);

	image->problem[0] = '\0';
	if (err == -ENOENT)
		image__not_found(image, regions);
	else if (err)
		image__not_told(image, err);
	if (err)
		return err == -ENOENT ? -EAGAIN : err;
	err = py_offsets__choose(mem, &image->python, &image->own_offsets, image->problem,
				 sizeof(image->problem));
	if (!err)
		image->offsets = &image->own_offsets;
	/* The memory may not be mapped yet: look again. A verdict on the version is final. */
	return err && err != -ENOTSUP && err != -EPROTO ? -EAGAIN : err;
}

static void image__forget(struct image *image)
{
	image->python = (struct py_runtime){};
	image->offsets = NULL;
	image->problem[0] = '\0';
}

/* Two Pythons, of which the other one runs and ours does not. */
static bool image__change(struct image *image, struct elf_cache *elves,
			  const struct mem_source *mem, const struct regions *regions)
{
	struct py_runtime other;
	struct py_offsets offsets;
	char why[sizeof(image->problem)];

	if (py_runtime__find_other(elves, root__fd(image->root), mem->pids[0],
				   regions__maps(regions), image->python.runtime, &other) ||
	    py_offsets__choose(mem, &other, &offsets, why, sizeof(why)) ||
	    py_activity__runs(mem, &image->own_offsets, image->python.runtime) ||
	    !py_activity__runs(mem, &offsets, other.runtime))
		return false;
	snprintf(image->problem, sizeof(image->problem),
		 "a CPython %s is in the same process: what it does is not explained",
		 image->python.version);
	image->python = other;
	image->own_offsets = offsets;
	image->id = new_id();
	return true;
}

bool image__look(struct image *image, struct elf_cache *elves, const struct process *process,
		 const struct regions *regions, uint64_t now, struct ct_pylayout *layout)
{
	struct mem_source mem;
	int err;

	if (image->searched || now < image->next_look)
		return false;
	process__sources(process, &mem);
	if (!mem.n)
		return false;
	err = image->offsets ? -EAGAIN : image__identify(image, elves, &mem, regions);
	if (image->offsets && image__change(image, elves, &mem, regions))
		err = 0;
	if (!image__runs_in(image, mem.pids[0])) { /* what was found belongs to its next program */
		image__forget(image);
		err = -EAGAIN;
	}
	image->error = err;
	image->searched = err != -EAGAIN;
	if (err == -EAGAIN)
		image__wait(image, now);
	if (err)
		return false;
	py_offsets__layout(image->offsets, &image->python, layout);
	layout->cookie = image->id;
	return true;
}
