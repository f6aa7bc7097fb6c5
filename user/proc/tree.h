/* SPDX-License-Identifier: MIT */
/*
 * The traced processes and who forked whom. Fed by fork, exec and exit records, in order. A process
 * stays in the tree after its end, for the report; pids are reused, so a process is (pid, start).
 */
#ifndef COWTRACE_PROC_TREE_H
#define COWTRACE_PROC_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct image;
struct mem_cache;
struct mem_source;
struct regions;
struct tree;

struct process {
	uint32_t pid, ppid, uid;
	uint32_t children;	/* of the tree, whose parent it is */
	struct process *former; /* that had this pid before */
	struct process *parent; /* that forked it, in the tree; NULL for the command itself */
	uint64_t started;	/* ns */
	uint64_t start_stack;	/* adopted: of its memory then */
	uint64_t exec_time;	/* of its last exec, 0: none since it was forked */
	bool adopted;		/* it ran when cowtrace attached */
	bool exited;
	uint32_t slot;	    /* of the enrich unit: of the layout that its threads have */
	bool grouped;	    /* group is known */
	unsigned int group; /* of the pipeline: see model/groups.h */
	bool reported;	    /* of the pipeline: those who watch know that it has ended */
	uint64_t ended;	    /* ns, if exited */
	bool forked_memory; /* began with its parent's pages, and has not executed another program
			     */
	uint64_t anon_at_fork;	 /* pages, all of them shared; adopted: those that still were */
	uint64_t private_before; /* pages that were its own when adopted; UINT64_MAX: unknown */
	uint64_t anon_at_exit;	 /* pages; UINT64_MAX: unknown */
	uint64_t copies;	 /* of pages that it shared (origin fork) */
	uint64_t copies_new;	 /* copies that added memory: origin zero or file */
	uint64_t reuses, lost;	 /* as the kernel side has counted them */
	uint64_t shared_at_end;	 /* bytes; UINT64_MAX: not known */
	char command[256];	 /* valid UTF-8 */
	struct mem_cache *mems;	 /* of the tree; NULL: none */
	struct image
		*image; /* of the enrich unit: what program runs in it; shared with its children */
	struct regions *regions;	     /* of the enrich unit */
	uint64_t regions_time;		     /* ns: when they were read */
	const char *python, *python_problem; /* kept when the image is dropped; interned */
	struct process *past;		     /* what it was before its last exec; read only */
	struct process *next;		     /* in order of appearance */
	struct process *later, *earlier;     /* the same, of those that tree__present has */
	bool present;
};

/* 0 or -ENOMEM. */
int tree__new(struct tree **out);
void tree__free(struct tree *tree);

/* The living (or last) process with this pid, or NULL. */
struct process *tree__find(struct tree *tree, uint32_t pid);
/* The one that had it at that time (ns), as far as it is still here. */
struct process *tree__find_at(struct tree *tree, uint32_t pid, uint64_t time);
/* A new process; parent may be NULL. An older one with the same pid counts as ended. NULL: no
 * memory. */
struct process *tree__add(struct tree *tree, uint32_t pid, struct process *parent,
			  uint64_t started);
/*
 * An exec: what the process was becomes its past (its memory is gone, that of its parent may be
 * read instead), because copies made before may still be on their way. -ENOMEM: no past is kept.
 */
int process__keep_past(struct process *p);
/* The process as it was at \`time\` (ns). */
struct process *process__at(struct process *p, uint64_t time);
/*
 * Lets go of processes that ended before that time (ns), have no image any more and no children in
 * the tree; of those that have, if they ended before `handed`: their children then count as forked
 * by their parent.
 */
void tree__forget(struct tree *tree, uint64_t ended, uint64_t handed);
/* Finds the parents of adopted processes: they may appear in any order. */
void tree__find_parents(struct tree *tree);
/* All of them, in order of appearance. */
struct process *tree__first(const struct tree *tree);
/* Those that nobody has let go of, by `later`; with thousands that have ended they are few. The
 * last call for a process that has. */
struct process *tree__present(const struct tree *tree);
void tree__leave(struct tree *tree, struct process *p);

/*
 * Where the memory of a process can be read: itself, then the living ancestors it shares its
 * program image with.
 */
void process__sources(const struct process *p, struct mem_source *out);

/* Reads the command line of the process from /proc, falls back to comm. */
void process__read_command(struct process *p, const char *comm);

#endif
