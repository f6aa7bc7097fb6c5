/* SPDX-License-Identifier: MIT */
#include "enrich/enrich.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cowtrace/pylayout.h>

#include "base/intern.h"
#include "base/log.h"
#include "elf/elf.h"
#include "enrich/block.h"
#include "enrich/image.h"
#include "enrich/names.h"
#include "enrich/object.h"
#include "enrich/regions.h"
#include "enrich/stacks.h"
#include "enrich/values.h"
#include "enrich/sweep.h"
#include "insn/decode.h"
#include "model/facts.h"
#include "proc/root.h"
#include "proc/syscalls.h"
#include "proc/tree.h"
#include "python/offsets.h"

/* Copies of a process that has ended may still wait in the ring for this long. */
#define KEEP_NS 2000000000ull

struct enrich {
	struct intern *pool;
	struct tree *tree;
	struct enrich_ops ops;
	struct elf_cache *elves;
	struct insn_decoder *insns;
	struct names *names;
	struct stacks *stacks;
	struct sweeps *sweeps;
	struct block_cache blocks;
	bool slots[CT_MAX_LAYOUTS];
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int enrich__new(struct intern *pool, struct tree *tree, const struct enrich_ops *ops,
		struct enrich **out)
{
	struct enrich *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->pool = pool;
	e->tree = tree;
	e->ops = *ops;
	e->slots[0] = true; /* means: none */
	err = elf_cache__new(&e->elves);
	if (!err)
		err = insn_decoder__new(INSN_NATIVE, &e->insns);
	if (!err)
		err = names__new(pool, e->elves, &e->names);
	if (!err)
		err = stacks__new(&e->stacks) ?: sweeps__new(&e->sweeps);
	if (err) {
		enrich__free(e);
		return err;
	}
	*out = e;
	return 0;
}

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

void enrich__free(struct enrich *e)
{
	if (!e)
		return;
	for (struct process *p = tree__first(e->tree); p; p = p->next) {
		past__drop(e, p);
		process__drop(e, p);
	}
	sweeps__free(e->sweeps);
	stacks__free(e->stacks);
	names__free(e->names);
	insn_decoder__free(e->insns);
	elf_cache__free(e->elves);
	free(e);
}

static int image_root(const struct image *image)
{
	return image ? root__fd(image->root) : -1;
}

/*
 * The maps of a process, read now if they are older than `since` (ns). One batch of copies
 * refreshes them at most once, as all of it was made before the first refresh. May give the process
 * an image of its own.
 */
static struct regions *process__regions(struct enrich *e, struct process *p, uint64_t since)
{
	struct regions *fresh;
	pid_t pid;

	if (p->regions && since <= p->regions_time)
		return p->regions;
	p->regions_time = now_ns();
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

static uint32_t slot__take(struct enrich *e)
{
	for (uint32_t i = 1; i < CT_MAX_LAYOUTS; i++) {
		if (e->slots[i])
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
	const struct regions *r = process__regions(e, q, now);

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

/* since: how old the maps may be, at most */
static void process__look(struct enrich *e, struct process *p, uint64_t since)
{
	struct ct_pylayout layout = {};
	struct regions *regions;

	if (!p->image || p->image->searched || since < p->image->next_look)
		return;
	regions = process__regions(e, p, since);
	if (!regions || !image__look(p->image, e->elves, p, regions, since, &layout))
		return;
	log_debug("pid %u: CPython %s in %s", p->pid, p->image->python.version,
		  p->image->python.path);
	if (!p->image->slot)
		p->image->slot = slot__take(e);
	if (p->image->slot)
		e->ops.set_layout(e->ops.ctx, p->image->slot, &layout);
	image__announce(e, p, since);
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
	process__look(e, p, now);
}

void enrich__forked(struct enrich *e, struct process *p)
{
	struct process *parent = p->parent;
	struct image *image = parent ? parent->image : NULL;
	struct regions *regions;

	if (!image)
		return;
	/* A child that lives for milliseconds can not be asked later; what it has, its parent has
	 * now. */
	regions = process__regions(e, parent, p->started);
	p->regions = regions ? regions__ref(regions) : NULL;
	p->regions_time = parent->regions_time;
	p->image = image__ref(parent->image);
	/* Whoever forks has loaded what it needs; the child may be executing another program by
	 * now. */
	image__hurry(p->image);
	process__look(e, parent, parent->regions_time);
	/* ... and then the kernel side would walk that one's memory with the layout of its parent.
	 */
	if (p->image->slot && image__runs_in(p->image, p->pid))
		e->ops.use_layout(e->ops.ctx, p->pid, p->image->slot);
}

/* The process as it was with the layout in that slot, NULL if it is long past. */
static struct process *process__with_slot(struct process *p, uint32_t slot)
{
	struct process *past = p->past;

	if (p->image && p->image->slot == slot)
		return p;
	return past && past->image && past->image->slot == slot ? past : NULL;
}

void enrich__stack(struct enrich *e, struct process *p, const struct ct_stack *record)
{
	p = process__with_slot(p, record->layout);
	if (p)
		stacks__add(e->stacks, e->names, p, p->image, record);
}

void enrich__memory(struct enrich *e, struct process *p, const struct ct_memory *record)
{
	p = process__with_slot(p, record->layout);
	if (p)
		names__memory(e->names, p, p->image, record);
}

/* What an ended process leaves for the report; its slot becomes free. */
static void process__retire(struct enrich *e, struct process *p)
{
	p->python = enrich__python(e, p, &p->python_problem);
	past__drop(e, p);
	process__drop(e, p);
}

bool enrich__knows(struct enrich *e, struct process *p, const struct ct_copy *copy)
{
	uint64_t type;

	if (copy->stack && !stacks__knows(e->stacks, copy->stack))
		return false;
	p = process__at(p, copy->time);
	if (!p || !p->image || !copy->type_word)
		return true;
	type = copy->window[copy->type_word];
	return names__knows_type(e->names, p, p->image, type, copy->type_check);
}

bool enrich__tick(struct enrich *e, uint64_t now)
{
	bool young = false;

	for (struct process *p = tree__first(e->tree); p; p = p->next) {
		if (p->image && p->exited && now > p->ended + KEEP_NS)
			process__retire(e, p);
		if (!p->image || p->image->searched || p->exited)
			continue;
		process__look(e, p, now);
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

/* Thread-local data lies below the thread pointer, struct pthread (glibc: 2368 bytes) above it. */
static bool is_tls(const struct fault_facts *f)
{
	return f->thread_pointer && f->addr + 2048 >= f->thread_pointer &&
	       f->addr < f->thread_pointer + 2432;
}

/* 128 bytes below the stack pointer belong to the running function too (the ABI's red zone), and a
 * call pushes below that. */
static bool is_stack(const struct fault_facts *f)
{
	return f->sp >= f->region.start && f->sp < f->region.end && f->addr + 256 >= f->sp;
}

static void fill_region(struct enrich *e, struct process *p, struct fault_facts *f)
{
	struct regions *r = process__regions(e, p, 0);

	if (r && regions__find(r, f->addr, &f->region)) {
		r = process__regions(e, p, f->time);
		regions__find(r, f->addr, &f->region);
	}
	if (f->region.kind != REGION_ANON && f->region.kind != REGION_HEAP)
		return;
	if (is_tls(f))
		f->region.kind = REGION_TLS;
	else if (is_stack(f))
		f->region.kind = REGION_STACK;
}

static void fill_symbol(struct enrich *e, struct process *p, struct fault_facts *f)
{
	const struct symbol_fact *symbol;
	struct regions *r = p->regions;

	if (r && !regions__has_code(r, f->ip))
		r = process__regions(e, p, f->time);
	symbol = p->image ? names__symbol(e->names, p->image, r, f->ip) : NULL;
	if (!symbol)
		return;
	f->symbol = symbol->name;
	f->module = symbol->module;
	f->symbol_is_function = symbol->is_function;
}

static void fill_stack(struct enrich *e, const struct process *p, const struct ct_copy *copy,
		       struct fault_facts *f)
{
	const struct image *image = p ? p->image : NULL;
	const struct stack_entry *entry = NULL;

	if (copy->stack)
		entry = stacks__find(e->stacks, e->names, p, image, copy->stack);
	f->unwind = copy->unwind;
	if (!entry) {
		if (copy->stack)
			f->unwind = CT_UNWIND_STACK_LOST;
		return;
	}
	f->stack = entry->fact;
	for (unsigned int i = 0; i < entry->n_codes && !f->code.found; i++) {
		const struct stack_code *c = &entry->codes[i];

		if (f->addr < c->address || f->addr >= c->end)
			continue;
		f->code.found = true;
		f->code.on_stack = i == 0;
		f->code.in_bytecode = f->addr >= c->bytecode && f->addr < c->bytecode_end;
		f->code.offset = f->addr - c->address;
	}
}

void enrich__copy(struct enrich *e, struct process *p, const struct ct_copy *copy,
		  struct fault_facts *f)
{
	const struct image *image;

	p = process__at(p, copy->time);
	*f = (struct fault_facts){
		.time = copy->time,
		.pid = copy->pid,
		.tid = copy->tid,
		.addr = copy->addr,
		.ip = copy->ip,
		.sp = copy->sp,
		.thread_pointer = copy->thread_pointer,
		.origin = copy->origin,
		.kernel = copy->flags & CT_F_KERNEL,
		.gc_collecting = copy->flags & CT_F_GC_COLLECTING,
		.datastack = copy->flags & CT_F_DATASTACK,
		.python = copy->layout != 0,
		.unwind = copy->unwind,
		.has_opcode = copy->instr != 0,
		.opcode = copy->opcode,
		.oparg = copy->oparg,
		.instr = copy->instr,
		.sweep = sweeps__add(e->sweeps, copy),
	};
	if (f->kernel)
		f->syscall = intern__str(e->pool, syscall__name(copy->syscall));
	if (copy->flags & CT_F_CODE)
		insn_decoder__decode(e->insns, copy->code, CT_INSN_LEN, &f->insn);
	values__fill(f, copy);
	fill_stack(e, p, copy, f);
	if (!p)
		return;
	fill_region(e, p, f);
	fill_symbol(e, p, f);
	if (!p->exited)
		process__look(e, p, p->regions_time);
	image = p->image;
	f->no_python = image && !image->python.hexversion && !image->problem[0];
	if (!image || !image->offsets)
		return;
	f->python_version = image->offsets->version;
	f->free_threaded = image->python.free_threaded;
	f->debug_build = image->python.debug_build;
	object__find(e->names, &e->blocks, p, image, copy, f);
}
