/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the BPF programs and the daemon: the records that travel through the two
 * ring buffers. Fixed-width members only, explicit padding, sizes asserted on both sides. Times are
 * CLOCK_MONOTONIC nanoseconds; addresses are those of the traced process. Everything that was read
 * from a traced process (window, code, comm, frames) is untrusted.
 *
 * `copies` ring: CT_COPY and CT_FIXUP, in order for each thread. `meta` ring: everything else; it
 * is separate so that a flood of copies can not starve the few records that explain them.
 */
#ifndef COWTRACE_ABI_H
#define COWTRACE_ABI_H

#include <linux/types.h>

#define CT_COMM_LEN 16
#define CT_INSN_LEN 16
/*
 * Deepest Python stack that is walked; deeper ones end with CT_UNWIND_TOO_DEEP. The kernel side
 * keeps one for each thread, and the whole of what it keeps is to fit 8 KiB.
 */
#define CT_MAX_FRAMES 209
/* The 72 bytes from (addr & ~7) - CT_WINDOW_BEFORE: enough for the type pointer of the object whose
 * reference count (+8), `_gc_prev` (+16), `_gc_next` (+24) or managed dict (+32, +40) is at addr.
 */
#define CT_WINDOW_BEFORE 24
#define CT_WINDOW_WORDS	 9
/* Layout slots: 0 means "no Python known in this process". */
#define CT_MAX_LAYOUTS 256

enum ct_tag {
	CT_COPY = 1,
	CT_FIXUP,
	CT_STACK,
	CT_FORK,
	CT_EXEC,
	CT_EXIT,
	CT_MEMORY,
	CT_ADOPT,
};

/* What the page was before the copy. */
enum ct_origin {
	CT_ORIGIN_FORK,
	CT_ORIGIN_FILE,
	CT_ORIGIN_ZERO,
	CT_ORIGIN_KSM,
	CT_ORIGIN_MAX,
};

enum ct_copy_flags {
	CT_F_KERNEL = 1 << 0,	     /* the kernel wrote, inside syscall `syscall` */
	CT_F_WINDOW = 1 << 1,	     /* window[] was readable */
	CT_F_CODE = 1 << 2,	     /* code[] was readable */
	CT_F_SRC = 1 << 3,	     /* src holds the register src_reg at the fault */
	CT_F_GC_COLLECTING = 1 << 4, /* the main interpreter was inside a garbage collection */
	CT_F_DATASTACK = 1 << 5,     /* addr lies in this thread's Python data stack (3.11+) */
	CT_F_POOL = 1 << 6,	     /* addr lies in a pymalloc pool: pool_* are valid */
	CT_F_POOL_HEADER = 1 << 7,   /* ... and in its header */
	CT_F_THREADS = 1 << 8,	  /* other threads can make the same copy: it may be taken back */
	CT_F_UNSHARE = 1 << 9,	  /* no write: the kernel un-shared the page to pin it */
	CT_F_HUGETLB = 1 << 10,	  /* a page of hugetlb: in no count of anonymous memory */
	CT_F_UNCOUNTED = 1 << 11, /* the kernel's own count of copies leaves such ones out */
};

/* Largest page: 1 GiB of 4 KiB pages, 16 GiB of 64 KiB pages. */
#define CT_MAX_ORDER 18

/* One copied page. */
struct ct_copy {
	__u32 tag; /* CT_COPY */
	__u32 pid; /* process (tgid) */
	__u32 tid;
	__u32 layout; /* slot of the Python layout, 0: none */
	__u64 seq;    /* per-thread number of this copy; CT_FIXUP refers to it */
	__u64 time;
	__u64 addr; /* faulting address, byte exact */
	__u64 ip;   /* user instruction pointer */
	__u64 sp;
	__u64 thread_pointer; /* fsbase, tpidr_el0: see self_below in pylayout.h */
	__u64 src;	      /* see CT_F_SRC */
	__u64 stack;	      /* id of a CT_STACK record; 0: no Python stack */
	__u16 flags;	      /* enum ct_copy_flags */
	__s16 syscall;	      /* -1: not in a syscall */
	__u8 origin;	      /* enum ct_origin */
	__u8 src_reg;	      /* as encoded: x86 0..15, arm64 0..30 */
	__u8 unwind;	      /* enum ct_unwind: why the stack ends or is missing */
	__u8 pool_szidx;      /* pymalloc size class: blocks of 16 * (szidx + 1) bytes */
	__u64 pool_free;      /* address of the pool's first free block, 0: none */
	__u64 window[CT_WINDOW_WORDS];
	__u8 code[CT_INSN_LEN]; /* instruction bytes at ip */
	/*
	 * The bytecode that the innermost frame is executing: its address and the two bytes there;
	 * instr 0: not known. Left out where the window alone shows a reference count.
	 */
	__u64 instr;
	__u32 type_check; /* digest of the type that window[type_word] points to: ct_type_digest */
	__u8 type_word;	  /* 4..8: that word of the window points to a type; 0: none was found */
	__u8 opcode, oparg;
	__u8 order;    /* 2^order pages were copied in one piece */
	__u16 sharers; /* page tables that mapped the page, this one included; 0: not known */
	__u16 pad;
	__u32 victim; /* process whose memory it is, 0: pid; ~0: another one, not known which */
};
#define CT_VICTIM_UNKNOWN (~0u)

enum ct_fixup_kind {
	CT_FIXUP_RETRACT,     /* another thread won the race: this was no copy */
	CT_FIXUP_ORIGIN_FILE, /* the page came from a private file mapping */
};

/* Corrects the copy `seq` of thread `tid`. Always the next record of that thread in the ring. */
struct ct_fixup {
	__u32 tag; /* CT_FIXUP */
	__u32 pid;
	__u32 tid;
	__u32 kind; /* enum ct_fixup_kind */
	__u64 seq;
};

struct ct_frame {
	__u64 code; /* code object */
	/*
	 * The instruction. 3.11+: bytes from the start of the code object, also where the thread
	 * executes its own copy of the bytecode. Up to 3.10: bytes from the start of co_code.
	 */
	__u32 offset;
	__u32 check; /* ct_code_digest() of the code object */
};
#define CT_OFFSET_UNKNOWN     (~0u)	/* not inside the code object */
#define CT_OFFSET_NOT_STARTED (~0u - 1) /* up to 3.10: f_lasti is -1 */

/* A Python stack, leaf first, sent when it is first seen, without the frames beyond nframes. */
struct ct_stack {
	__u32 tag; /* CT_STACK */
	__u32 pid; /* the process that showed it first: the place to read names from */
	__u64 id;  /* 64-bit hash of layout slot, frames and unwind */
	__u32 layout;
	__u16 nframes;
	__u8 unwind;
	__u8 pad;
	struct ct_frame frames[CT_MAX_FRAMES];
};

/*
 * What the kernel side read of the process when it first met a code object or a type: such a thing
 * may be gone, with its process, before the daemon can ask. Pieces of memory, not parsed; any of
 * them may be missing (not resident) or cut. Those of a code object come before the first CT_STACK
 * that shows it, in the same ring.
 */
enum ct_memory_kind {
	CT_MEMORY_CODE,	     /* the code object, its file name, its name, its line table */
	CT_MEMORY_TYPE,	     /* the type, its name, tp_flags and type of its own type */
	CT_MEMORY_LONG_CODE, /* as CT_MEMORY_CODE, with room for a long line table */
	CT_MEMORY_KINDS,
};

struct ct_chunk {
	__u64 addr;
	__u32 at, len; /* data[at .. at + len); len 0: missing */
};

#define CT_MEMORY_CHUNKS 4
/* Room in data[]: constants, because the kernel reserves constant sizes only. */
#define CT_MEMORY_CODE_BYTES	  2048
#define CT_MEMORY_LONG_CODE_BYTES 32768
#define CT_MEMORY_TYPE_BYTES	  384

struct ct_memory {
	__u32 tag; /* CT_MEMORY */
	__u32 pid;
	__u64 addr; /* of the code object or type */
	__u32 layout;
	__u32 check; /* as in struct ct_frame, or ct_copy.type_check */
	__u32 kind;  /* enum ct_memory_kind; says how long data[] is */
	__u32 pad;
	struct ct_chunk chunks[CT_MEMORY_CHUNKS];
	__u8 data[];
};

/* A new process (not a thread) in the tree. */
struct ct_fork {
	__u32 tag; /* CT_FORK */
	__u32 pid;
	__u32 ppid; /* the process that forked it */
	__u32 uid;
	__u64 time;
	__u64 anon_pages; /* anonymous pages it began with, all of them shared with ppid */
	__u32 layout;
	__u32 vm_shared; /* vfork: it runs in its parent's memory until it execs */
	char comm[CT_COMM_LEN];
};

struct ct_exec {
	__u32 tag; /* CT_EXEC */
	__u32 pid;
	__u32 uid;
	__u32 pad;
	__u64 time;
	__u64 start_stack; /* of the new memory: tells it from that of the next exec */
	char comm[CT_COMM_LEN];
};

/* The last thread of a process ended. */
struct ct_exit {
	__u32 tag; /* CT_EXIT */
	__u32 pid;
	__u64 time;
	__u64 anon_pages; /* at the end; ~0: unknown on this kernel */
	__s32 status;	  /* as waitpid() has it */
	__u32 pad;
	char comm[CT_COMM_LEN];
};

/* A process that was there before cowtrace: the first of its threads has been adopted. */
struct ct_adopt {
	__u32 tag; /* CT_ADOPT */
	__u32 pid;
	__u32 ppid; /* its parent now */
	__u32 uid;
	__u64 started; /* when it was forked */
	__u64 start_stack;
	__u32 forked; /* it has not executed a program since it was forked */
	__u32 pad;
	char comm[CT_COMM_LEN];
};

/* What became of a thread that one pass over all threads of the machine has met. */
struct ct_adopted {
	__u32 tid;
	__u32 failed; /* the kernel had no memory for it just now: another pass is needed */
};

/* Per process, kept by the kernel side, read by the daemon. */
struct ct_proc {
	__u64 reuses;
	__u64 lost; /* copies of this process that did not reach the daemon */
	/* wpcopy_count of its ended threads since the start of the trace (for a thread that was
	 * adopted: since its first write fault), without what the kernel began, gave up before it
	 * had a page, and counted again */
	__u64 kernel_copies;
	__u64 kernel_unknown; /* ended threads for which the kernel kept no count */
	__u32 adoption;	      /* with which it came; 0: it was forked, or run */
	__u32 pad;
};

/* What the task iterator tells of each traced thread that still runs. */
struct ct_live {
	__u32 pid;
	__u32 tid;
	__u32 known;	     /* the kernel keeps a count for it */
	__u32 reuses;	     /* 1: its last fault was a reuse that is not counted yet */
	__u64 kernel_copies; /* since the start of the trace */
};

/* Why a copy was lost. Rows of `reasons.def`; index of the per-CPU counters. */
enum ct_lost {
#define CT_LOST(id, name, help) CT_LOST_##id,
#include <cowtrace/reasons.def>
	CT_LOST_MAX,
};

/* Why a Python stack ends where it ends. */
enum ct_unwind {
#define CT_UNWIND(id, name, help) CT_UNWIND_##id,
#include <cowtrace/reasons.def>
	CT_UNWIND_MAX,
};

/*
 * What the programs do for a copy, each switched on with those before it, to measure what it costs
 * (tests/bench). Without all of them nothing that comes out is meant to be true.
 */
enum ct_piece {
	CT_PIECE_WITNESS = 1 << 0,  /* else: attached, and back at once from the traced thread */
	CT_PIECE_RECORD = 1 << 1,   /* a copy is sent, not only counted */
	CT_PIECE_EVIDENCE = 1 << 2, /* the instruction, the memory around the address, the type */
	CT_PIECE_STACK = 1 << 3,    /* the Python stack */
	CT_PIECES_ALL = (1 << 4) - 1,
};

/* Functions of the kernel that are looked for in its stack. */
enum ct_code {
	CT_CODE_FAULT,	 /* handle_mm_fault */
	CT_CODE_WP_PAGE, /* do_wp_page */
	CT_CODE_SWAP,	 /* do_swap_page */
	CT_CODE_FILE,	 /* __do_fault: asks the file for its page */
	CT_CODE_WP_COPY, /* wp_page_copy, where the compiler left it (up to 6.1) */
	CT_CODE_MIGRATE, /* migrate_misplaced_folio or, up to 6.11, migrate_misplaced_page */
	CT_CODES,
};

struct ct_range {
	__u64 start, end;
};

/* Global counters of the kernel side (per CPU). */
enum ct_counter {
	CT_COUNT_COPIES,   /* confirmed copies, sent or lost, retracted ones included */
	CT_COUNT_RETRACTS, /* of these, taken back */
	CT_COUNT_REUSES,
	CT_COUNT_FIXUPS_LOST, /* corrections that did not reach the daemon: copies are too high */
	CT_COUNT_META_LOST, /* records of processes and stacks that found no room: names are missing
			     */
	CT_COUNT_MAX,
};

_Static_assert(sizeof(struct ct_copy) == 208, "ct_copy layout");
_Static_assert(sizeof(struct ct_fixup) == 24, "ct_fixup layout");
_Static_assert(sizeof(struct ct_frame) == 16, "ct_frame layout");
_Static_assert(sizeof(struct ct_stack) == 24 + 16 * CT_MAX_FRAMES, "ct_stack layout");
_Static_assert(sizeof(struct ct_memory) == 96, "ct_memory layout");
_Static_assert(sizeof(struct ct_fork) == 56, "ct_fork layout");
_Static_assert(sizeof(struct ct_exec) == 48, "ct_exec layout");
_Static_assert(sizeof(struct ct_exit) == 48, "ct_exit layout");
_Static_assert(sizeof(struct ct_adopt) == 56, "ct_adopt layout");
_Static_assert(sizeof(struct ct_proc) == 40, "ct_proc layout");

#endif
