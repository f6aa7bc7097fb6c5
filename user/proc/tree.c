/* SPDX-License-Identifier: MIT */
#include "proc/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "proc/mem.h"
#include "proc/mem_cache.h"

struct entry { /* the current holder of a pid */
	uint32_t pid;
	struct process *process;
	UT_hash_handle hh;
};

#define LAST 16 /* a power of two */

struct tree {
	struct entry *by_pid;
	struct entry *last[LAST]; /* that were found, by the low bits of their pid */
	struct process *first, **tail;
	struct process *present;
	struct mem_cache *mems;
};

int tree__new(struct tree **out)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	int err = tree ? mem_cache__new(&tree->mems) : -ENOMEM;

	if (err) {
		free(tree);
		return err;
	}
	tree->tail = &tree->first;
	*out = tree;
	return 0;
}

void tree__free(struct tree *tree)
{
	struct entry *e, *next;

	if (!tree)
		return;
	HASH_ITER (hh, tree->by_pid, e, next) {
		HASH_DEL(tree->by_pid, e);
		free(e);
	}
	while (tree->first) {
		struct process *p = tree->first;

		tree->first = p->next;
		free(p->past);
		free(p);
	}
	mem_cache__free(tree->mems);
	free(tree);
}

static struct entry *entry__find(struct tree *tree, uint32_t pid)
{
	struct entry *e = tree->last[pid % LAST];

	if (e && e->pid == pid)
		return e;
	HASH_FIND(hh, tree->by_pid, &pid, sizeof(pid), e);
	if (e)
		tree->last[pid % LAST] = e;
	return e;
}

struct process *tree__find(struct tree *tree, uint32_t pid)
{
	struct entry *e = entry__find(tree, pid);

	return e ? e->process : NULL;
}

struct process *tree__find_at(struct tree *tree, uint32_t pid, uint64_t time)
{
	struct process *p = tree__find(tree, pid);

	while (p && p->former && time < p->started)
		p = p->former;
	return p;
}

struct process *tree__first(const struct tree *tree)
{
	return tree->first;
}

struct process *tree__present(const struct tree *tree)
{
	return tree->present;
}

void tree__leave(struct tree *tree, struct process *p)
{
	if (p->present)
		DL_DELETE2(tree->present, p, earlier, later);
	p->present = false;
}

static struct entry *entry__make(struct tree *tree, uint32_t pid)
{
	struct entry *e = entry__find(tree, pid);

	if (e) {
		e->process->exited = true;
		return e;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->pid = pid;
	HASH_ADD(hh, tree->by_pid, pid, sizeof(e->pid), e);
	return e;
}

struct process *tree__add(struct tree *tree, uint32_t pid, struct process *parent, uint64_t started)
{
	struct process *p = calloc(1, sizeof(*p));
	struct entry *e = p ? entry__make(tree, pid) : NULL;

	if (!e) {
		free(p);
		return NULL;
	}
	mem_cache__drop(tree->mems, pid);
	p->mems = tree->mems;
	p->pid = pid;
	p->parent = parent;
	p->ppid = parent ? parent->pid : 0;
	if (parent)
		parent->children++;
	p->started = started;
	p->anon_at_exit = p->shared_at_end = p->private_before = UINT64_MAX;
	if (parent)
		memcpy(p->command, parent->command, sizeof(p->command));
	p->former = e->process;
	e->process = p;
	*tree->tail = p;
	tree->tail = &p->next;
	DL_APPEND2(tree->present, p, earlier, later);
	p->present = true;
	return p;
}

/* Those below p were forked with its memory, which was forked with that of its parent. */
static void hand_over(struct tree *tree, struct process *p)
{
	for (struct process *q = tree->first; q; q = q->next) {
		if (q->parent != p)
			continue;
		q->parent = p->parent;
		p->children--;
		if (p->parent)
			p->parent->children++;
	}
}

static void process__free(struct tree *tree, struct process *p)
{
	struct entry *e;

	HASH_FIND(hh, tree->by_pid, &p->pid, sizeof(p->pid), e);
	for (struct process *q = e ? e->process : NULL; q; q = q->former)
		if (q->former == p)
			q->former = p->former;
	if (e && e->process == p) {
		HASH_DEL(tree->by_pid, e);
		tree->last[p->pid % LAST] = NULL;
		free(e);
		mem_cache__drop(tree->mems, p->pid);
	}
	if (p->parent)
		p->parent->children--;
	tree__leave(tree, p);
	free(p->past);
	free(p);
}

void tree__forget(struct tree *tree, uint64_t ended, uint64_t handed)
{
	struct process **at = &tree->first, *p;

	while ((p = *at)) {
		bool gone = p->exited && !p->image && p->ended < ended;

		/* A program that it has executed itself is where the memory of its children comes
		 * from: it stays as long as they do. */
		if (gone && p->children && p->forked_memory && p->ended < handed)
			hand_over(tree, p);
		if (gone && !p->children) {
			*at = p->next;
			process__free(tree, p);
		} else {
			at = &p->next;
		}
	}
	tree->tail = at;
}

static void process__adopt(struct process *p, struct process *parent)
{
	p->parent = parent;
	parent->children++;
}

void tree__find_parents(struct tree *tree)
{
	for (struct process *p = tree->first; p; p = p->next) {
		struct process *parent = p->parent || !p->ppid ? NULL : tree__find(tree, p->ppid);

		/* Younger than its child: another process, which has the number now. */
		if (parent && parent->started <= p->started)
			process__adopt(p, parent);
	}
}

int process__keep_past(struct process *p)
{
	struct process *past = malloc(sizeof(*past));

	mem_cache__drop(p->mems, p->pid);
	if (!past)
		return -ENOMEM;
	free(p->past); /* one is enough: nobody's copies wait for two execs */
	*past = *p;
	past->past = past->next = past->former = past->later = past->earlier = NULL;
	past->present = false;
	past->exited = true;
	p->past = past;
	return 0;
}

struct process *process__at(struct process *p, uint64_t time)
{
	return p && p->past && time < p->exec_time ? p->past : p;
}

void process__sources(const struct process *p, struct mem_source *out)
{
	*out = (struct mem_source){.cache = p ? p->mems : NULL};
	for (; p && out->n < MEM_MAX_PIDS; p = p->parent) {
		if (!p->exited)
			out->pids[out->n++] = p->pid;
		if (!p->forked_memory)
			break;
	}
}

/* Arguments are separated by NUL; what a process writes there is its own choice. */
static size_t cmdline__read(uint32_t pid, char *buf, size_t size)
{
	_close_ int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, size);
	while (n > 0 && buf[n - 1] == '\0')
		n--;
	return n > 0 ? n : 0;
}

static bool is_python(const char *word, size_t len)
{
	return len >= 6 && memcmp(word, "python", 6) == 0;
}

/* "/usr/bin/python3 /usr/bin/gunicorn -w 3" is known as "gunicorn -w 3": without the directories,
 * and without the interpreter in front of its script. */
static size_t cmdline__shorten(char *buf, size_t len)
{
	size_t start = 0;

	for (int words = 0; words < 2; words++) {
		size_t end = start + strnlen(buf + start, len - start);
		char *slash = memrchr(buf + start, '/', end - start);
		size_t base = slash ? (size_t)(slash + 1 - buf) : start;

		if (base == end)
			break;
		start = base;
		if (words || end >= len || buf[end + 1] == '-' ||
		    !is_python(buf + base, end - base))
			break;
		start = end + 1;
	}
	memmove(buf, buf + start, len - start);
	return len - start;
}

void process__read_command(struct process *p, const char *comm)
{
	char buf[1024];
	size_t n = cmdline__read(p->pid, buf, sizeof(buf));

	n = cmdline__shorten(buf, n);
	for (size_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	if (n)
		utf8__sanitize(p->command, sizeof(p->command), buf, n);
	else
		utf8__sanitize(p->command, sizeof(p->command), comm, strnlen(comm, 16));
}
