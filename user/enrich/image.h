/* SPDX-License-Identifier: MIT */
/*
 * A program image: what one exec has put into a process, shared by all that it forks. Says which
 * Python runs in it, at which addresses, and owns the slot of its layout in the kernel.
 */
#ifndef COWTRACE_ENRICH_IMAGE_H
#define COWTRACE_ENRICH_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <cowtrace/pylayout.h>

#include "python/offsets.h"
#include "python/runtime.h"

struct elf_cache;
struct process;
struct regions;
struct root;

struct image {
	int refs;
	struct root *root;    /* where its files are; NULL: not known */
	uint64_t id;	      /* unique, part of every stack id */
	uint64_t start_stack; /* of the memory that the exec made, 0: not known */
	uint64_t next_look;   /* ns: when to look for a Python again; UINT64_MAX: no more */
	unsigned int looks;
	int error;     /* of the last look, 0: found */
	bool searched; /* no more looking: found, or certain that there is none to support */
	uint32_t slot; /* of the layout, 0: none */
	struct py_runtime python;	  /* .hexversion 0: none found */
	const struct py_offsets *offsets; /* NULL: none, or not supported */
	struct py_offsets own_offsets;
	/* Why a Python is not explained; with offsets: what must be said of them; "". */
	char problem[256];
};

/* Takes over root. NULL: no memory. */
struct image *image__new(struct root *root, uint64_t start_stack, uint64_t now);
struct image *image__ref(struct image *image);
/* Returns true if that was the last reference: its slot is free again. */
bool image__unref(struct image *image);

/*
 * The same program without a Python, for a process that has loaded something that the others of the
 * image have not, or lacks what they have: a worker may load a Python after the fork. NULL: no
 * memory.
 */
struct image *image__sibling(const struct image *image, uint64_t now);

/*
 * The maps of a process have been read again: has it loaded something? Returns the image that it
 * has from now on, and drops the reference to the one before if that is another. Without a Python:
 * one of its own, to look for it again, and there. With one, and another libpython now: looks again
 * for a while which of the two runs, if the image is not shared, as all that share it have one
 * Python.
 */
struct image *image__loaded(struct image *image, const struct regions *before,
			    const struct regions *now);

/* The next look is due now, unless all looks were in vain. */
void image__hurry(struct image *image);

/* The process may not be looked into: says so, until a look at it succeeds. */
void image__shut_out(struct image *image);

/* Is this still the program that runs in a process? Its next exec may be on its way to us. */
bool image__runs_in(const struct image *image, pid_t pid);

/*
 * Looks for a Python in a living process of this image, unless it is known or too early to look
 * again (the loader may still be mapping libpython). Returns true when a supported Python has been
 * found just now, or another than before: *layout is filled and wants a slot, or the one it had.
 */
bool image__look(struct image *image, struct elf_cache *elves, const struct process *process,
		 const struct regions *regions, uint64_t now, struct ct_pylayout *layout);

#endif
