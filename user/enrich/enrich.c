/* SPDX-License-Identifier: MIT */
#include "enrich/enrich.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cowtrace/pylayout.h>

#include "base/intern.h"
#include "elf/elf.h"
#include "enrich/block.h"
#include "enrich/image.h"
#include "enrich/names.h"
#include "enrich/object.h"
#include "enrich/program.h"
#include "enrich/record.h"
#include "enrich/regions.h"
#include "enrich/stacks.h"
#include "enrich/sweep.h"
#include "insn/decode.h"
#include "model/facts.h"
#include "proc/syscalls.h"
#include "proc/tree.h"
#include "python/offsets.h"

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

/* Types are told apart by process: workers that come and go would fill any table. */
#define FEW_NAMES 4096

void enrich__limit(struct enrich *e)
{
	names__limit(e->names, FEW_NAMES);
}

void enrich__free(struct enrich *e)
{
	if (!e)
		return;
	for (struct process *p = tree__first(e->tree); p; p = p->next) {
		program__drop(e, p);
	}
	sweeps__free(e->sweeps);
	stacks__free(e->stacks);
	names__free(e->names);
	insn_decoder__free(e->insns);
	elf_cache__free(e->elves);
	free(e);
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

/*
 * Thread-local data lies below the thread pointer and struct pthread (glibc: 2368 bytes) above it;
 * on arm64 the other way around.
 */
#ifdef __aarch64__
#define TLS_BELOW 1856
#define TLS_ABOVE 2064
#else
#define TLS_BELOW 2048
#define TLS_ABOVE 2432
#endif

static bool is_tls(const struct fault_facts *f)
{
	return f->thread_pointer && f->addr + TLS_BELOW >= f->thread_pointer &&
	       f->addr < f->thread_pointer + TLS_ABOVE;
}

/* 128 bytes below the stack pointer belong to the running function too (the ABI's red zone), and a
 * call pushes below that. */
static bool is_stack(const struct fault_facts *f)
{
	return f->sp >= f->region.start && f->sp < f->region.end && f->addr + 256 >= f->sp;
}

static void fill_region(struct enrich *e, struct process *p, struct fault_facts *f)
{
	struct regions *r = program__regions(e, p, 0);

	if (r && regions__find(r, f->addr, &f->region)) {
		r = program__regions(e, p, f->time);
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
		r = program__regions(e, p, f->time);
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

void enrich__copy(struct enrich *e, struct process *p, struct process *owner,
		  const struct ct_copy *copy, struct fault_facts *f)
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
	record__kind(copy, f);
	if (f->kernel)
		f->syscall = intern__str(e->pool, syscall__name(copy->syscall));
	if (copy->flags & CT_F_CODE)
		insn_decoder__decode(e->insns, copy->code, CT_INSN_LEN, &f->insn);
	record__values(copy, f);
	fill_stack(e, p, copy, f);
	owner = copy->victim ? process__at(owner, copy->time) : p;
	if (owner)
		fill_region(e, owner, f);
	if (!p)
		return;
	fill_symbol(e, p, f);
	if (!p->exited)
		program__look(e, p, p->regions_time);
	image = p->image;
	f->no_python = image && !image->python.hexversion && !image->problem[0];
	if (!image || !image->offsets)
		return;
	f->python_version = image->offsets->version;
	f->free_threaded = image->python.free_threaded;
	f->debug_build = image->python.debug_build;
	if (!copy->victim)
		object__find(e->names, &e->blocks, p, image, copy, f);
}
