/* SPDX-License-Identifier: MIT */
/*
 * Everything known of one copy, as plain data: the contract between enrich (which asks the
 * process), cause (which judges), the trace store and the model. Strings are interned: equal means
 * same pointer.
 */
#ifndef COWTRACE_MODEL_FACTS_H
#define COWTRACE_MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "insn/decode.h"
#include "python/field.h"
#include "python/opcode.h"

/* What the address belongs to, from the maps of the process. */
enum region_kind {
	REGION_UNKNOWN,
	REGION_ANON,  /* anonymous mapping: pymalloc arenas, malloc's large blocks, thread stacks */
	REGION_HEAP,  /* [heap], the brk area */
	REGION_STACK, /* [stack] of the main thread, or the mapping that holds this thread's stack
		       */
	REGION_TLS,   /* thread-local data and struct pthread, around the thread pointer */
	REGION_DATA,  /* .data, .bss, GOT of the executable or a library */
	REGION_FILE,  /* private mapping of a file that is not a program */
	REGION_SHARED,
};

struct region_fact {
	uint8_t kind;	     /* enum region_kind */
	uint64_t start, end; /* of the mapping, 0 if unknown */
	const char *name;    /* base name of the file, or NULL */
};

struct type_fact {
	const char *name;
	bool has_gc;
	bool preheader;
	bool is_code; /* the type of code objects */
	bool is_type; /* a metatype: its instances are types */
};

/*
 * The window shows a valid type pointer for an object at addr + type_at_offset[i]: the five places
 * where an object can be if addr is its refcount, _gc_prev, _gc_next, or a managed pre-header word.
 */
enum object_place {
	OBJECT_AT_REFCOUNT, /* object at addr */
	OBJECT_AT_GC_PREV,  /* object at addr + 8 */
	OBJECT_AT_GC_NEXT,  /* object at addr + 16 */
	OBJECT_AT_PRE_24,   /* object at addr + 24 */
	OBJECT_AT_PRE_32,   /* object at addr + 32 */
	OBJECT_PLACES,
};

struct code_fact { /* the code object that addr lies in, if any */
	bool found;
	bool on_stack;	  /* it was being executed by this thread, in the leaf frame */
	bool in_bytecode; /* addr lies in its instructions and caches, else in its header */
	int64_t offset;	  /* addr - code object */
};

/* What the link held that is overwritten in the GC head of a tracked object. */
enum gc_link {
	GC_LINK_UNKNOWN,
	GC_LINK_LIST,	/* the head of a list: the object was the last one of it */
	GC_LINK_OBJECT, /* another object's head, or nothing */
};

enum block_allocator {
	BLOCK_NONE, /* not found */
	BLOCK_PYMALLOC,
	BLOCK_MIMALLOC,
	BLOCK_MALLOC,
	BLOCK_ALLOCATORS,
};

enum block_content {
	CONTENT_UNKNOWN, /* could not be read */
	CONTENT_OBJECT,
	CONTENT_KEYS,  /* the keys table of a dict */
	CONTENT_OTHER, /* neither: items of a list, a buffer, a structure of C */
};

struct block_fact {	   /* the piece of memory that addr lies in, as its allocator knows it */
	uint8_t allocator; /* enum block_allocator */
	uint8_t content;   /* enum block_content */
	bool header;	   /* addr lies in the allocator's own data */
	bool is_free;	   /* being handed out or given back */
	bool shared_keys;  /* CONTENT_KEYS: of the instances of a class */
	uint64_t start, size;
};

struct object_fact { /* the object that addr lies in or right in front of, found by its block or by
			the window (free-threaded) */
	const struct type_fact *type; /* NULL: none */
	uint64_t address;
	bool dead;	       /* its count is none: freed, or not made yet */
	struct py_field field; /* that holds addr */
};

struct frame_fact {
	const char *file;     /* NULL: could not be had, see missing */
	const char *function; /* NULL with file */
	uint32_t line;	      /* 0: unknown */
	uint8_t missing;      /* enum ct_missing */
};

/* Shared by all copies with this stack; leaf first. */
struct stack_fact {
	uint64_t id;
	uint16_t n;
	uint8_t unwind; /* enum ct_unwind: how it ends */
	struct frame_fact frames[];
};

struct fault_facts {
	uint64_t time; /* ns, CLOCK_MONOTONIC */
	uint32_t pid, tid;
	uint64_t addr, ip, sp, thread_pointer;
	uint8_t origin;	  /* enum ct_origin */
	bool kernel;	  /* written by the kernel, inside a syscall */
	bool unshare;	  /* not written at all: un-shared by the kernel, to pin it for reading */
	bool hugetlb;	  /* a page of hugetlb */
	bool uncounted;	  /* the kernel's own count of copies leaves such ones out */
	uint8_t order;	  /* 2^order pages were copied in one piece */
	uint16_t sharers; /* page tables that mapped the page, this one included; 0: not known */
	uint32_t victim;  /* process whose memory it is; 0: pid; CT_VICTIM_UNKNOWN */
	const char *syscall; /* its name, or NULL */
	bool gc_collecting;
	bool datastack;	    /* addr lies in the thread's Python data stack */
	bool python;	    /* a Python layout is known for the process */
	bool sweep;	    /* the same instruction came here from the page beside this one */
	bool no_python;	    /* ... and there is no Python in it, of any version */
	bool free_threaded; /* ... of a Py_GIL_DISABLED build */
	bool debug_build;   /* ... of a Py_DEBUG build: its objects lie 16 bytes into a block */
	uint32_t python_version; /* major << 8 | minor, 0: unknown */

	/* The bytecode that the innermost frame was executing, as the kernel side saw it. */
	bool has_opcode;
	uint8_t opcode, oparg;
	uint64_t instr; /* its address, 0 without has_opcode */

	struct region_fact region;
	struct insn insn;
	bool has_old, has_new;
	uint64_t old_value; /* the 8 bytes at addr & ~7 before the write */
	uint64_t new_value; /* what the instruction wrote, insn.width bytes */
	bool has_window;
	uint64_t window[9]; /* from (addr & ~7) - 24 */

	const struct type_fact *type_at[OBJECT_PLACES];
	struct code_fact code;
	struct block_fact block;
	struct object_fact object;
	uint8_t opcode_kind; /* enum py_opcode_kind */
	/* The 8 bytes at addr held, and get, a pointer to an object; to a type. */
	bool old_refers, new_refers, new_is_type;
	bool interpreter; /* addr lies in the state of an interpreter or a thread */
	bool doubtful;	  /* block and object are an ancestor's, which has other things there now */
	uint8_t old_link; /* enum gc_link, of the 8 bytes at addr */

	const struct stack_fact *stack; /* NULL: no Python stack */
	uint8_t unwind;			/* enum ct_unwind */
	const char *symbol;		/* leaf native function, or module+offset */
	const char *module;		/* base name of its file */
	bool symbol_is_function;
};

/*
 * When and where, as the model may know it: whole microseconds, as their last nanosecond (a copy is
 * never older than the fork before it), and pages. A file keeps no more, and a report from a file
 * is the same as the live one.
 */
static inline uint64_t facts__rounded(uint64_t time)
{
	return time / 1000 * 1000 + 999;
}

static inline uint64_t facts__time(const struct fault_facts *facts)
{
	return facts__rounded(facts->time);
}

/* Why a fact is missing. Rows of reasons.def. */
enum ct_missing {
#define CT_MISSING(id, name, help) CT_MISSING_##id,
#include <cowtrace/reasons.def>
	CT_MISSING_MAX,
};

#endif
