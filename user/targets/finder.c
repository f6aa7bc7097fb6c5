/* SPDX-License-Identifier: MIT */
#include "targets/finder.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Out of memory: the element is not added, and is looked for again in the next round. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "elf/elf.h"
#include "proc/stat.h"
#include "python/process.h"
#include "targets/group_name.h"

/* A Python may be loaded late, as a plug-in. Looks come in rounds 0, 1, 3, 7, 15 ... after the
 * program's start. */
#define MAX_LOOKS 8

struct seen { /* one process; another program in it is looked at anew */
	pid_t pid;
	struct proc_stat stat;
	bool python;  /* or chosen */
	bool own;     /* cowtrace, or what it was started by */
	bool closed;  /* may not be looked into */
	bool related; /* has forked, or was forked */
	unsigned int looks;
	uint64_t next_look; /* round */
	uint64_t round;	    /* when it was last there */
	UT_hash_handle hh;
};

struct finder {
	struct finder_choice choice;
	struct elf_cache *elves;
	struct seen *seen; /* hash */
	uint64_t round;
	struct finder_target *found;
};

int finder__new(const struct finder_choice *choice, struct finder **out)
{
	struct finder *f = calloc(1, sizeof(*f));
	int err = f ? elf_cache__new(&f->elves) : -ENOMEM;

	if (err) {
		free(f);
		return err;
	}
	if (choice)
		f->choice = *choice;
	*out = f;
	return 0;
}

void finder__free(struct finder *f)
{
	struct seen *s, *next;

	if (!f)
		return;
	HASH_ITER (hh, f->seen, s, next) {
		HASH_DEL(f->seen, s);
		free(s);
	}
	elf_cache__free(f->elves);
	free(f->found);
	free(f);
}

/* --- one process ------------------------------------------------------------- */

static struct seen *seen__find(const struct finder *f, pid_t pid)
{
	struct seen *s;

	HASH_FIND(hh, f->seen, &pid, sizeof(pid), s);
	return s;
}

static struct seen *seen__of(struct finder *f, pid_t pid)
{
	struct seen *s = seen__find(f, pid);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->pid = pid;
	HASH_ADD(hh, f->seen, pid, sizeof(s->pid), s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	return s;
}

/* Of all that were forked from one program since its exec, the stack began at the same place. */
static bool same_program(const struct proc_stat *a, const struct proc_stat *b)
{
	return a->stack == b->stack;
}

static bool has_choice(const struct finder *f)
{
	return f->choice.n_names || f->choice.n_cgroups;
}

static bool in_chosen_cgroup(const struct finder *f, pid_t pid)
{
	char text[4096];

	if (!f->choice.n_cgroups || !group_name__read(pid, text, sizeof(text)))
		return false;
	for (size_t i = 0; i < f->choice.n_cgroups; i++)
		if (group_name__in_cgroup(text, f->choice.cgroups[i]))
			return true;
	return false;
}

/* Names change: by exec, and by prctl while a service starts. What was chosen stays it. */
static bool has_chosen_name(const struct finder *f, const struct seen *s)
{
	for (size_t i = 0; i < f->choice.n_names; i++)
		if (strncmp(f->choice.names[i], s->stat.name, sizeof(s->stat.name) - 1) == 0)
			return true;
	return false;
}

static void seen__look(struct finder *f, struct seen *s)
{
	const struct seen *parent = s->stat.forked ? seen__find(f, s->stat.ppid) : NULL;

	if (s->own)
		return;
	if (has_choice(f)) {
		if (s->stat.ppid == getpid()) /* the HTTP process is in the cgroup of cowtrace */
			return;
		s->python = s->python || has_chosen_name(f, s) || in_chosen_cgroup(f, s->pid);
		return;
	}
	if (s->python || s->looks >= MAX_LOOKS || f->round < s->next_look)
		return;
	if (parent && parent->python && same_program(&parent->stat, &s->stat)) {
		s->python = true;
	} else {
		int err = py_process__look(f->elves, s->pid);

		s->python = !err;
		s->closed = err == -EACCES || err == -EPERM;
	}
	s->next_look = f->round + (1ull << s->looks);
	s->looks++;
}

static void meet(void *ctx, pid_t pid)
{
	struct finder *f = ctx;
	struct proc_stat stat;
	struct seen *s;

	if (proc_stat__read(pid, &stat) || stat.kernel || stat.state == 'Z' || stat.state == 'X')
		return;
	s = seen__of(f, pid);
	if (!s)
		return;
	if (s->stat.started != stat.started || !same_program(&s->stat, &stat)) {
		s->python = false;
		s->looks = 0;
		s->next_look = f->round;
	}
	s->stat = stat;
	s->related = false;
	s->round = f->round;
	seen__look(f, s);
}

/* --- all of them ------------------------------------------------------------- */

static void forget_gone(struct finder *f)
{
	struct seen *s, *next;

	HASH_ITER (hh, f->seen, s, next) {
		if (s->round == f->round)
			continue;
		HASH_DEL(f->seen, s);
		free(s);
	}
}

/* What cowtrace does would be watched by what it does. */
static void leave_out_own(struct finder *f)
{
	pid_t pid = getpid();
	struct seen *s;

	/* The chain may have changed while it was read: it ends all the same. */
	for (size_t i = 0; i <= HASH_COUNT(f->seen); i++) {
		s = seen__find(f, pid);
		if (!s)
			return;
		s->python = false;
		s->own = true;
		s->looks = MAX_LOOKS;
		pid = s->stat.ppid;
	}
}

/* A child that was forked makes its parent one that forks, unless that has gone on to another
 * program. */
static void relate(struct finder *f)
{
	for (struct seen *s = f->seen; s; s = s->hh.next) {
		struct seen *parent = s->stat.forked ? seen__find(f, s->stat.ppid) : NULL;

		s->related |= s->stat.forked;
		if (parent && same_program(&parent->stat, &s->stat))
			parent->related = true;
	}
}

static size_t choose(const struct finder *f)
{
	size_t n = 0, alone = 0;

	for (const struct seen *s = f->seen; s; s = s->hh.next) {
		if (!s->python || (!s->related && alone == FINDER_MAX_ALONE && !has_choice(f)))
			continue;
		alone += !s->related;
		f->found[n++] = (struct finder_target){.pid = s->pid, .alone = !s->related};
	}
	return n;
}

size_t finder__closed(const struct finder *f)
{
	size_t n = 0;

	for (const struct seen *s = f->seen; s; s = s->hh.next)
		n += s->closed;
	return n;
}

int finder__look(struct finder *f, const struct finder_target **out, size_t *n)
{
	int err;

	f->round++;
	err = proc__each(meet, f);
	if (err)
		return err;
	forget_gone(f);
	leave_out_own(f);
	relate(f);
	free(f->found);
	f->found = calloc(HASH_COUNT(f->seen) + 1, sizeof(*f->found));
	if (!f->found)
		return -ENOMEM;
	*n = choose(f);
	*out = f->found;
	return 0;
}
