/* SPDX-License-Identifier: MIT */
#include "pipeline_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/log.h"
#include "capture/session.h"
#include "enrich/enrich.h"
#include "enrich/source.h"
#include "event/decode.h"
#include "event/settle.h"
#include "ledger.h"
#include "model/aggregate.h"
#include "model/cause.h"
#include "model/facts.h"
#include "model/live.h"
#include "model/snapshot.h"
#include "proc/delayacct.h"
#include "proc/tree.h"
#include "store/writer.h"

/* --- the process tree --- */

void pipeline__facts(struct pipeline *p, const struct process *process, struct process_facts *out)
{
	*out = (struct process_facts){
		.pid = process->pid,
		.ppid = process->ppid,
		.command = intern__str(p->pool, process->command),
		.forked = process->forked_memory && process->parent,
		.exited = process->exited,
		.started = process->started,
	};
	out->python = enrich__python(p->enrich, process, &out->python_problem);
	ledger__fill(p->ledger, process, out);
}

void pipeline__publish(struct pipeline *p, const struct process *process)
{
	struct process_facts facts;
	uint32_t number;

	if (p->groups)
		return;
	pipeline__facts(p, process, &facts);
	number = aggregate__process(p->model, &facts);
	if (p->writer)
		writer__process(p->writer, number, &facts);
}

/* A file that is cut has the processes as they were last saved. */
static void save_process(struct pipeline *p, const struct process *process)
{
	if (p->writer)
		pipeline__publish(p, process);
}

void pipeline__end(struct pipeline *p, struct process *process, uint64_t time)
{
	process->exited = true;
	process->ended = time;
	p->living--;
	ledger__exited(p->ledger, p->session, process);
	pipeline__group_end(p, process);
}

static struct process *process__begin(struct pipeline *p, uint32_t pid, struct process *parent,
				      uint64_t time)
{
	struct process *process = tree__find(p->tree, pid);

	if (process && !process->exited) /* the record of its end was lost */
		pipeline__end(p, process, time);
	process = tree__add(p->tree, pid, parent, time);

	if (!process) {
		log_warn("out of memory: process %u is not in the report", pid);
		return NULL;
	}
	p->living++;
	p->stirred = clock__now_ns();
	pipeline__publish(p, process); /* from here on the pid means this process */
	return process;
}

/* The rest follows when all of them are known: see adopted__look. */
static void on_adopt(struct pipeline *p, const struct ct_adopt *rec)
{
	struct process *process = process__begin(p, rec->pid, NULL, rec->started);

	if (!process)
		return;
	p->adopted = p->adopted ?: process;
	process->ppid = rec->ppid;
	process->uid = rec->uid;
	process->adopted = true;
	process->start_stack = rec->start_stack;
	process->forked_memory = rec->forked;
	process__read_command(process, rec->comm);
}

static void on_fork(struct pipeline *p, const struct ct_fork *rec)
{
	struct process *parent = tree__find(p->tree, rec->ppid);
	struct process *process = process__begin(p, rec->pid, parent, rec->time);

	if (!process)
		return;
	process->uid = rec->uid;
	process->forked_memory = parent && !rec->vm_shared;
	process->anon_at_fork = rec->anon_pages;
	if (!process->command[0])
		process__read_command(process, rec->comm);
	enrich__forked(p->enrich, process);
	if (parent && parent->grouped)
		pipeline__group_begin(p, process);
	save_process(p, process);
}

static void on_exec(struct pipeline *p, const struct ct_exec *rec)
{
	struct process *process = tree__find(p->tree, rec->pid);

	if (!process)
		return;
	if (process == p->command && !p->started)
		p->started = rec->time;
	if (process == p->command)
		source__as(p->sources, process->pid, rec->uid);
	enrich__executed(p->enrich, process, rec->start_stack, rec->time);
	process->uid = rec->uid;
	process->exec_time = rec->time;
	p->stirred = clock__now_ns();
	process->forked_memory = false;
	process__read_command(process, rec->comm);
	pipeline__group_exec(p, process);
	save_process(p, process);
}

static void on_end(struct pipeline *p, const struct ct_exit *rec)
{
	struct process *process = tree__find(p->tree, rec->pid);

	if (!process || process->exited)
		return;
	process->anon_at_exit = rec->anon_pages;
	pipeline__end(p, process, rec->time);
	save_process(p, process);
}

static void on_stack(struct pipeline *p, const struct ct_stack *rec)
{
	struct process *process = tree__find(p->tree, rec->pid);

	if (process)
		enrich__stack(p->enrich, process, rec);
}

static void on_memory(struct pipeline *p, const struct ct_memory *rec)
{
	struct process *process = tree__find(p->tree, rec->pid);

	if (process)
		enrich__memory(p->enrich, process, rec);
}

static void on_meta(void *ctx, const void *data, size_t size)
{
	struct pipeline *p = ctx;
	const union event *e;

	if (event__decode(data, size, &e)) {
		p->bad_records++;
		return;
	}
	switch (e->tag) {
	case CT_ADOPT:
		on_adopt(p, &e->adopt);
		break;
	case CT_FORK:
		on_fork(p, &e->fork);
		break;
	case CT_EXEC:
		on_exec(p, &e->exec);
		break;
	case CT_EXIT:
		on_end(p, &e->exit);
		break;
	case CT_STACK:
		on_stack(p, &e->stack);
		break;
	case CT_MEMORY:
		on_memory(p, &e->memory);
		break;
	}
}

/* --- copies --- */

/* What is known of a copy that is not explained for certain, for those who want to explain it. */
static void log_copy(const struct fault_facts *f, const struct verdict *v)
{
	const struct insn *i = &f->insn;

	if (v->certainty == CERTAINTY_PROVEN || !log__enabled(LOG_DEBUG))
		return;
	log_debug("pid %u, %lu ms ago: %s: %#lx %s%s, %s %#lx, insn %u width %u %+ld, old %#lx new "
		  "%#lx%s, "
		  "block %u of %lu at %#lx, content %u, opcode %d %u",
		  f->pid, (unsigned long)((clock__now_ns() - f->time) / 1000000),
		  cause__name(v->cause), f->addr, v->detail, f->gc_collecting ? " in gc" : "",
		  f->symbol ?: "?", f->ip, i->kind, i->width, i->disp, f->old_value, f->new_value,
		  f->has_new ? "" : "?", f->block.allocator, f->block.size, f->block.start,
		  f->block.content, f->has_opcode ? f->opcode : -1, f->oparg);
	for (int w = 0; w < CT_WINDOW_WORDS; w++)
		log_debug("    %+3d  %016lx", 8 * w - CT_WINDOW_BEFORE, f->window[w]);
}

static void on_settled(void *ctx, const struct ct_copy *copy)
{
	struct pipeline *p = ctx;
	struct process *process = tree__find_at(p->tree, copy->pid, copy->time), *owner = process;
	struct fault_facts facts;
	struct verdict verdict;
	uint32_t number;

	aggregate__expect(p->model, copy->addr);
	if (copy->victim)
		owner = tree__find_at(p->tree, copy->victim, copy->time);
	enrich__copy(p->enrich, process, owner, copy, &facts);
	cause__judge(&facts, &verdict);
	log_copy(&facts, &verdict);
	pipeline__group_copy(p, process, &facts, &verdict);
	number = aggregate__add(p->model, &facts, &verdict);
	if (p->live)
		live__add(p->live, number, &facts, &verdict);
	if (p->writer)
		writer__copy(p->writer, &facts, &verdict, number);
	if (!owner || facts.hugetlb) /* not in the sums that these are compared with */
		return;
	if (facts.origin == CT_ORIGIN_FORK)
		owner->copies += 1ull << facts.order;
	else
		owner->copies_new += 1ull << facts.order;
}

/* What explains a copy has been sent before it, through the other ring: whose pid it is by now,
 * what program, which stack. All that had been sent at its time is taken first; what it needs may
 * have been sent a moment later. */
static void catch_up(struct pipeline *p, const struct ct_copy *copy)
{
	struct process *process = tree__find_at(p->tree, copy->pid, copy->time);

	if (copy->time < p->caught_up && process && enrich__knows(p->enrich, process, copy))
		return;
	p->caught_up = clock__now_ns();
	session__consume_meta(p->session);
}

static void on_copy(void *ctx, const void *data, size_t size)
{
	struct pipeline *p = ctx;
	const union event *e;

	if (event__decode(data, size, &e)) {
		p->bad_records++;
		return;
	}
	if (e->tag == CT_COPY) {
		catch_up(p, &e->copy);
		settle__copy(p->settle, &e->copy);
	} else if (e->tag == CT_FIXUP) {
		settle__fixup(p->settle, &e->fixup);
	}
}

/* --- layouts --- */

static void set_layout(void *ctx, uint32_t slot, const struct ct_pylayout *layout)
{
	struct pipeline *p = ctx;
	int err = session__set_layout(p->session, slot, layout);

	if (err)
		log_warn("a Python layout can not be stored in the kernel: %s", strerror(-err));
}

static void use_layout(void *ctx, uint32_t pid, uint32_t slot)
{
	struct pipeline *p = ctx;
	int err = session__use_layout(p->session, pid, slot);

	if (err)
		log_warn("process %u gets no Python stacks: %s", pid, strerror(-err));
}

/* --- life cycle --- */

int pipeline__new_enrich(struct pipeline *p, struct intern *pool, struct enrich **out)
{
	struct enrich_ops ops = {.ctx = p, .set_layout = set_layout, .use_layout = use_layout};

	return enrich__new(pool, p->tree, &ops, out);
}

static int pipeline__build(struct pipeline *p)
{
	int err = intern__new(&p->pool);

	if (!err)
		err = tree__new(&p->tree);
	if (!err)
		err = pipeline__new_enrich(p, p->pool, &p->enrich);
	if (!err)
		err = settle__new(on_settled, p, &p->settle);
	if (!err)
		err = aggregate__new(p->pool, &p->model);
	if (!err)
		err = ledger__new(&p->ledger);
	if (!err)
		err = source__new(&p->sources);
	return err;
}

int pipeline__new(const struct session_options *opt, struct pipeline **out, char *why,
		  size_t why_size)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	struct session_handler handler = {.ctx = p, .meta = on_meta, .copy = on_copy};
	int err = p ? pipeline__build(p) : -ENOMEM;

	if (err)
		snprintf(why, why_size, "out of memory");
	else
		err = session__open(opt, &handler, &p->session, why, why_size);
	if (err) {
		pipeline__free(p);
		return err;
	}
	*out = p;
	return 0;
}

void pipeline__free(struct pipeline *p)
{
	if (!p)
		return;
	writer__free(p->writer);
	live__free(p->live);
	pipeline__groups_free(p);
	session__free(p->session);
	source__free(p->sources);
	ledger__free(p->ledger);
	aggregate__free(p->model);
	settle__free(p->settle);
	enrich__free(p->enrich);
	tree__free(p->tree);
	intern__free(p->pool);
	free(p);
}

int pipeline__trace_from_exec(struct pipeline *p, pid_t pid)
{
	p->command = process__begin(p, pid, NULL, clock__now_ns());
	if (!p->command)
		return -ENOMEM;
	enrich__executed(p->enrich, p->command, 0,
			 p->command->started); /* for its root directory */
	return session__trace_from_exec(p->session, pid);
}

/* Who belongs to whom, which programs and Pythons they run, what they share. Of those that came
 * with the last adoption, and all since. */
static void adopted__look(struct pipeline *p)
{
	tree__find_parents(p->tree);
	for (struct process *q = p->adopted; q; q = q->next) {
		if (q->exited || q->image) /* forked, or has executed a program, meanwhile */
			continue;
		enrich__adopted(p->enrich, q, clock__now_ns());
		if (q->adopted)
			ledger__adopted(q);
	}
	/* Who has ended lives on in what it forked: that runs what the others run. */
	for (struct process *q = p->adopted; q; q = q->next) {
		if (!q->image && q->adopted)
			enrich__adopted(p->enrich, q, clock__now_ns());
		else if (!q->image)
			enrich__forked(p->enrich, q);
		pipeline__group_begin(p, q);
		pipeline__publish(p, q);
	}
	p->adopted = NULL;
}

void pipeline__begin(struct pipeline *p)
{
	p->started = clock__now_ns();
}

int pipeline__adopt(struct pipeline *p, const pid_t *pids, size_t n)
{
	int err = session__adopt(p->session, pids, n);

	if (err)
		return err;
	session__consume_meta(p->session);
	adopted__look(p);
	session__start(p->session);
	return 0;
}

int pipeline__attach(struct pipeline *p, const pid_t *pids, size_t n)
{
	int err = session__adopt(p->session, pids, n);

	if (err)
		return err;
	session__consume_meta(p->session);
	for (size_t i = 0; i < n && !p->command; i++)
		p->command = tree__find(p->tree, pids[i]);
	if (!p->living)
		return -ESRCH;
	adopted__look(p);
	if (p->command)
		source__as(p->sources, p->command->pid, p->command->uid);
	pipeline__begin(p);
	session__start(p->session);
	return 0;
}

bool pipeline__traces(const struct pipeline *p, pid_t pid)
{
	const struct process *process = tree__find(p->tree, (uint32_t)pid);

	return process && !process->exited;
}

void pipeline__fds(const struct pipeline *p, int fds[PIPELINE_FDS])
{
	fds[0] = session__meta_fd(p->session);
	fds[1] = session__copies_fd(p->session);
}

unsigned int pipeline__living(const struct pipeline *p)
{
	return p->living;
}

void pipeline__finish(struct pipeline *p)
{
	session__detach(p->session);
	p->ended = clock__now_ns();
	session__consume(p->session);
	ledger__living(p->ledger, p->session, p->tree);
	settle__flush(p->settle, UINT64_MAX);
	session__counters(p->session, &p->counters);
	log_debug("the kernel side has counted %lu copies, %lu taken back, %lu reuses; %lu arrived",
		  (unsigned long)p->counters.copies, (unsigned long)p->counters.retracts,
		  (unsigned long)p->counters.reuses, (unsigned long)aggregate__copies(p->model));
	if (p->counters.meta_lost)
		log_warn("%lu records of processes and stacks were lost: some names are missing",
			 (unsigned long)p->counters.meta_lost);
	if (p->counters.fixups_lost)
		log_warn("%lu corrections were lost: up to as many copies are counted too much",
			 (unsigned long)p->counters.fixups_lost);
}
