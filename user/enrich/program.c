/* SPDX-License-Identifier: MIT */
#include "enrich/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cowtrace/pylayout.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/log.h"
#include "elf/elf.h"
#include "enrich/image.h"
#include "enrich/regions.h"
#include "proc/memory.h"
#include "proc/root.h"
#include "proc/tree.h"

/* Copies of a process that has ended may still wait in the ring for this long. */
#define KEEP_NS 2000000000ull

static void image__drop(struct enrich *e, struct process *p)
{
	struct image *image = p->image;
	uint32_t slot = image ? image->slot : 0;

	p->image = NULL;
	if (image__unref(image) && slot)
		e->slots[slot] = false;
}

static void process__drop(struct enrich *e, struct process *p)
{
	image__drop(e, p);
	regions__unref(p->regions);
	p->regions = NULL;
}

static void past__drop(struct enrich *e, struct process *p)
{
	if (p->past)
		process__drop(e, p->past);
}

void program__drop(struct enrich *e, struct process *p)
{
	past__drop(e, p);
	process__drop(e, p);
}

static int image_root(const struct image *image)
{
	return image ? root__fd(image->root) : -1;
}

struct regions *program__regions(struct enrich *e, struct process *p, uint64_t since)
{
	struct regions *fresh;
	pid_t pid;

	if (p->regions && since <= p->regions_time)
		return p->regions;
	p->regions_time = clock__now_ns();
	pid = regions__ask(e->elves, e->pool, p, image_root(p->image), &fresh);
	if (!pid)
		return p->regions;
	if (p->image && !image__runs_in(p->image, pid)) {
		regions__unref(fresh);
		return p->regions;
	}
	if (p->image && p->regions && !p->exited)
		p->image = image__loaded(p->image, p->regions, fresh);
	regions__unref(p->regions);
	p->regions = fresh;
	return fresh;
}

/* A thread keeps the slot that it was first given: so does its process, whatever is forgotten. */
static uint32_t slot__take(struct enrich *e, const struct process *p)
{
	if (p->slot) {
		e->slots[p->slot] = true;
		return p->slot;
	}
	for (uint32_t i = 1; i < CT_MAX_LAYOUTS; i++) {
		if (e->slots[i] || e->slots_before[i])
			continue;
		e->slots[i] = true;
		return i;
	}
	log_warn("more than %d different Python programs run at once: the rest get native symbols "
		 "only",
		 CT_MAX_LAYOUTS - 1);
	return 0;
}

/* Another process of the image p has found its Python in: does it have it too? */
static bool process__lacks(struct enrich *e, struct process *q, const struct process *p,
			   uint64_t now)
{
	const struct regions *r = program__regions(e, q, now);

	return q != p && r && !regions__share_module(p->regions, r, p->image->python.runtime);
}

/* All that share the image, in case they were forked before its Python was found. Those that were
 * forked before it was loaded go on without it. */
static void image__announce(struct enrich *e, const struct process *finder, uint64_t now)
{
	struct image *image = finder->image, *other = NULL;

	for (struct process *p = tree__first(e->tree); p; p = p->next) {
		if (p->image != image || p->exited)
			continue;
		if (process__lacks(e, p, finder, now)) {
			if (!other)
				other = image__sibling(image, now);
			image__unref(image);
			p->image = image__ref(other);
		} else if (image->slot) {
			e->ops.use_layout(e->ops.ctx, p->pid, image->slot);
		}
	}
	image__unref(other);
}

void enrich__succeed(struct enrich *e, const struct enrich *before)
{
	for (struct process *p = tree__first(e->tree); p; p = p->next)
		p->slot = p->image ? p->image->slot : 0;
	memcpy(e->slots_before, before->slots, sizeof(e->slots));
	memcpy(e->layouts_before, before->layouts, sizeof(e->layouts));
}

void enrich__succeeded(struct enrich *e)
{
	for (struct process *p = tree__first(e->tree); p; p = p->next)
		p->slot = 0;
	memset(e->slots_before, 0, sizeof(e->slots_before));
	/* The same programs once more are not more programs. */
	memcpy(e->layouts, e->layouts_before, sizeof(e->layouts));
}

void enrich__layouts(const struct enrich *e, uint64_t *out)
{
	memcpy(out, e->layouts, sizeof(e->layouts));
}

/* A look has been in vain: for good? */
static void count_failure(struct enrich *e, const struct image *image)
{
	if (image->searched && image->error == -ENOTSUP)
		e->layouts[LAYOUT_UNSUPPORTED]++;
	else if (image->searched && image->error == -EPROTO)
		e->layouts[LAYOUT_INVALID]++;
	else if (image->problem[0] && (image->error == -EACCES || image->error == -EAGAIN) &&
		 (image->searched || image->next_look == UINT64_MAX))
		e->layouts[LAYOUT_FORBIDDEN]++;
	else if (image->searched)
		e->layouts[LAYOUT_UNREADABLE]++;
}

/* It has been found where the Python of this process is. */
static void program__found(struct enrich *e, struct process *p, const struct ct_pylayout *layout,
			   uint64_t since)
{
	e->layouts[LAYOUT_RESOLVED]++;
	log_debug("pid %u: CPython %s in %s", p->pid, p->image->python.version,
		  p->image->python.path);
	if (!p->image->slot)
		p->image->slot = slot__take(e, p);
	if (p->image->slot)
		e->ops.set_layout(e->ops.ctx, p->image->slot, layout);
	image__announce(e, p, since);
}

static void image__search(struct enrich *e, struct process *p, uint64_t since)
{
	struct ct_pylayout layout = {};
	struct regions *regions = program__regions(e, p, since);

	if (!regions)
		return;
	if (image__look(p->image, e->elves, p, regions, since, &layout))
		program__found(e, p, &layout, since);
	else
		count_failure(e, p->image);
}

/* Asked for each copy: nearly always there is nothing to do. */
void program__look(struct enrich *e, struct process *p, uint64_t since)
{
	if (p->image && !p->image->searched && since >= p->image->next_look)
		image__search(e, p, since);
}

void enrich__executed(struct enrich *e, struct process *p, uint64_t start_stack, uint64_t now)
{
	struct image *before = p->image;
	struct root *root = before ? root__ref(before->root) : NULL, *fresh;

	/* If it has already ended: most programs are executed from the same root as the one before.
	 */
	if (!root__of(p->pid, &fresh)) {
		root__unref(root);
		root = fresh;
	}
	past__drop(e, p);
	if (process__keep_past(p))
		process__drop(e, p);
	p->regions = NULL;
	p->image = image__new(root, start_stack, now);
	program__look(e, p, now);
}

/* The next one up whose program is known: it may have ended before anybody could ask. */
static struct process *process__known(struct process *p)
{
	while (p && !p->image && p->forked_memory)
		p = p->parent;
	return p && p->image ? p : NULL;
}

/* The maps of a process; those of one that it was forked from, if it has ended unasked. */
static struct regions *process__maps(struct enrich *e, struct process *p, uint64_t since)
{
	struct regions *regions = program__regions(e, p, since);

	for (const struct process *q = p->parent; !regions && q && q->image == p->image;
	     q = q->parent)
		regions = q->regions;
	return regions;
}

void enrich__forked(struct enrich *e, struct process *p)
{
	struct process *parent = process__known(p->parent);
	struct regions *regions;

	if (!parent)
		return;
	/* A child that lives for milliseconds can not be asked later; what it has, its parent has
	 * now. */
	regions = process__maps(e, parent, p->started);
	p->regions = regions ? regions__ref(regions) : NULL;
	p->regions_time = parent->regions_time;
	p->image = image__ref(parent->image);
	/* Whoever forks has loaded what it needs; the child may be executing another program by
	 * now. */
	image__hurry(p->image);
	program__look(e, parent, parent->regions_time);
	/* ... and then the kernel side would walk that one's memory with the layout of its parent.
	 */
	if (p->image->slot && image__runs_in(p->image, p->pid))
		e->ops.use_layout(e->ops.ctx, p->pid, p->image->slot);
}

/* Of all that were forked from one program since its exec, its stack began at the same place. */
static bool process__runs(const struct process *p, uint64_t start_stack)
{
	uint64_t own = p->image ? p->image->start_stack : 0;

	return start_stack && (own || !memory__start_stack(p->pid, &own)) && own == start_stack;
}

/* root: NULL: not known */
static struct process *process__like(struct enrich *e, const struct root *root,
				     uint64_t start_stack)
{
	for (struct process *p = tree__first(e->tree); p; p = p->next)
		if (p->image && p->regions && !p->exited && process__runs(p, start_stack) &&
		    (!root || root__same(p->image->root, root)))
			return p;
	return NULL;
}

/* Runs what another one runs, which has been looked at already. */
static void program__share(struct enrich *e, struct process *p, const struct process *like,
			   uint64_t now)
{
	struct image *image = like->image;

	p->image = image__ref(image);
	p->regions = regions__ref(like->regions); /* until its own are read: has the same files */
	p->regions_time = 0;
	if (p->exited)
		return;
	if (image->python.hexversion && process__lacks(e, p, like, now)) {
		image__drop(e, p);
		p->image = image__sibling(image, now);
		program__look(e, p, now);
	} else if (image->slot) {
		e->ops.use_layout(e->ops.ctx, p->pid, image->slot);
	}
}

void enrich__adopted(struct enrich *e, struct process *p, uint64_t now)
{
	uint64_t start_stack = p->start_stack;
	struct root *root = NULL;
	struct process *like;
	bool closed = false;

	if (!p->exited) /* it may have executed another program since it was adopted */
		memory__start_stack(p->pid, &start_stack);
	if (!p->exited)
		closed = root__of(p->pid, &root) == -EACCES;
	if (p->parent && !process__runs(p->parent, start_stack))
		p->forked_memory = false;
	like = process__like(e, root, start_stack);
	if (like) {
		root__unref(root);
		program__share(e, p, like, now);
	} else if (root || closed) { /* closed: what it lacks is to be said of it */
		p->image = image__new(root, start_stack, now);
		program__look(e, p, now);
	}
}

/* What an ended process leaves for the report; its slot becomes free. */
static void process__retire(struct enrich *e, struct process *p)
{
	p->python = enrich__python(e, p, &p->python_problem);
	program__drop(e, p);
}

bool enrich__tick(struct enrich *e, uint64_t now)
{
	struct process *p, *later;
	bool young = false;

	for (p = tree__present(e->tree); p; p = later) {
		later = p->later;
		if (p->exited && now > p->ended + KEEP_NS) {
			if (p->image)
				process__retire(e, p);
			tree__leave(e->tree, p);
		}
		if (!p->image || p->image->searched || p->exited)
			continue;
		program__look(e, p, now);
		young |= !p->image->searched && p->image->looks < 6;
	}
	return young;
}

const char *enrich__python(struct enrich *e, const struct process *p, const char **problem)
{
	const struct image *image = p->image;

	*problem = p->python_problem;
	if (!image)
		return p->python;
	if (image->problem[0])
		*problem = intern__str(e->pool, image->problem);
	/* With offsets, it is explained, and the problem is but a note. */
	if (!image->python.hexversion || (image->problem[0] && !image->offsets))
		return NULL;
	return intern__str(e->pool, image->python.version);
}
