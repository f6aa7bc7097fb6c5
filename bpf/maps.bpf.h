/* SPDX-License-Identifier: GPL-2.0-only */
/* All maps, and the state that is kept for each traced thread. */
#ifndef COWTRACE_BPF_MAPS_H
#define COWTRACE_BPF_MAPS_H

/* Room for the largest single read of a Python structure, and for a masked 8-byte access in it. */
#define SCRATCH_SIZE 512
/* So much of the Python data stack is read at once: about ten frames. */
#define SLAB_SIZE	   1160
#define KERNEL_STACK_DEPTH 24

enum pending {
	PENDING_NONE,
	PENDING_USER,	 /* a write fault in user mode, not yet known to be a copy */
	PENDING_KERNEL,	 /* the same in kernel mode, on behalf of a syscall */
	PENDING_FOREIGN, /* no fault: see foreign.bpf.h */
};

/* A write to a page that is not mapped: see cold.bpf.h. */
enum cold {
	COLD_NONE,
	COLD_FAULT, /* the fault is being handled */
	COLD_ALLOC, /* ... and a page has come that may become a copy */
	COLD_SENT,  /* ... and it has been sent as one */
};

/* Which function of the kernel runs: see huge.bpf.h. */
enum follow {
	FOLLOW_NONE,
	FOLLOW_FINISH,
	FOLLOW_HUGE,
	FOLLOW_HUGETLB,
};

/* A walk over the Python frames; kept in memory, where the verifier does not follow its values. */
struct pystack {
	u64 id;
	u64 frame; /* to be visited next */
	u64 leaf;  /* address of the innermost frame, 0: none */
	u32 nframes;
	u32 unwind;	  /* enum ct_unwind */
	u64 stack, limit; /* the chunk of memory that this thread's frames are pushed to */
	u64 slab;	  /* address of what t->slab holds */
	u32 slab_len;
	u32 interps;	       /* visited: see tstate__by_list */
	u64 interp;	       /* PyInterpreterState of the thread */
	u64 interp_key;	       /* see interp__key */
	u64 walks;	       /* so far */
	u64 instr;	       /* fr_instr of the innermost frame */
	struct ct_frame above; /* what `stack` had in the place of the frame before */
	u64 func;	       /* of the frame that is visited, see code__function_key */
	u64 count_key;	       /* interp_key of the last walk */
	u64 cookie;	       /* of the layout, when the id of `stack` was made */
	u64 sent;	       /* id of the last stack that the daemon has been sent, 0: none */
	u32 era;	       /* see code__begin */
	u32 count;	       /* code objects that the interpreter had made */
	u32 known;   /* frames of `stack` that have been checked since it made the last one */
	u32 changed; /* the last walk did not see all these frames */
};

/* A type that has been looked at and stays what it is: see type__memo. */
#define TYPE_MEMOS 8
struct type_memo {
	u64 type;
	u32 check;
	u32 execs; /* that of the thread when it was looked at */
};

/* A code object that has been checked: see code__begin, code__function_key, code__memo. */
#define CODE_MEMOS 64
/* Frames, from the leaf on, for which the version of their function is kept: see frame__again. */
#define CODE_VERSIONS 64
struct code_memo {
	u64 code;
	u64 key;
	u32 era;
	u32 check;
};

/* 2 MiB of the process's memory, in this run of a program: see thread__table. */
#define REGIONS 8
struct region {
	u64 number; /* of the address's 2 MiB */
	u64 table;
	u64 run; /* that one; a number that does not come again */
};

/* What is looked at of a code object, and of its line table: see ct_code_digest. */
struct code_look {
	u64 words[CT_CODE_WORDS], file, name, line_table;
	u64 table[1 + CT_TABLE_WORDS];
};

/* A str object: its hash, and if it has none, how many bytes of text there are, and the last ones.
 */
struct str_words {
	u64 hash, size, tail[CT_STR_WORDS];
};

/* The name of a file that this walk has seen: see file__digest. */
#define FILE_MEMOS 8
struct file_memo {
	u64 str;
	u32 walk;
	u32 digest;
};

struct thread {
	u64 copies; /* confirmed for this thread: the number of the next one */
	union {
		u64 pending_ip; /* where the fault was: user ip, or kernel ip with PENDING_KERNEL */
		u64 flushed;	/* cfg_flush: struct mm_struct in which the do_wp_page that is
				 * running has put its copy in place, 0: none yet */
	};
	u64 last_page;	  /* struct page allocated by the fault that is being handled, 0: none */
	u64 wp_fault;	  /* struct vm_fault of the do_wp_page that is running, 0: none */
	u64 vmemmap;	  /* struct page of frame 0, 0: not known yet */
	u64 run;	  /* of a program that reads its memory */
	u64 pgd;	  /* its table of pages, for this run of a program: see direct.bpf.h */
	u32 layout;	  /* slot of the Python layout, 0: not known yet */
	u32 wpcopy_base;  /* the kernel's own count when this thread began to be traced, and what it
			   * counted since that came to nothing: see attempts__forget */
	u32 wpcopy_fault; /* the kernel's own count when the fault began that is being handled */
	u32 copy_gfp;	  /* how the kernel asks for the page of a copy, 0: not known yet */
	u32 tss_key;	  /* thread-specific key of CPython + 1; 0: not read yet */
	u32 execs;    /* programs that this thread has executed: tells what is remembered of one */
	u32 adoption; /* with which it, or who it was forked from, came; 0: with none */
	u8 started;   /* the command has been executed: from here on copies count */
	u8 pending;   /* enum pending */
	u8 last_kind; /* enum pending of the fault that allocated last_page */
	u8 sent;      /* the last copy reached the ring */
	u8 cold;      /* enum cold */
	u8 cold_kind; /* enum pending: who wrote */
	u8 follow;    /* enum follow */
	u8 alone : 1; /* nobody else has its memory, see direct__begin */
	u8 joining : 1; /* wpcopy_base is to be taken at its first write fault: see thread__join */
	u8 counted : 1; /* the window alone shows a reference count: see refcount__plausible */
	u8 is_in : CT_CODES; /* functions of the kernel, see kstack__look */
	u64 tp;	       /* arm64: thread pointer at its last fork; 0: none. See thread__pointer */
	u64 tls_at[2]; /* where its two thread-local variables are; 0: not known yet */
	struct ct_copy event; /* evidence taken at the fault, sent when it is a copy */
	struct pystack py;
	struct ct_stack stack; /* of the last walk */
	struct type_memo types[TYPE_MEMOS];
	struct code_memo codes[CODE_MEMOS];
	u8 code_walks[CODE_MEMOS];	 /* which walk last asked for it: see code__walk */
	u32 versions[CODE_VERSIONS + 1]; /* 0: none; see frame__again */
	struct file_memo files[FILE_MEMOS];
	struct region regions[REGIONS];
	/* Of one step only; here, because the stack of the programs is small. */
	struct span span;
	struct code_look look;
	struct str_words str;
	u8 slab[SLAB_SIZE];
	u8 scratch[SCRATCH_SIZE]; /* of one step only; behind the slab, see frame__u64 */
};

/* Allocated for each traced thread: with the 72 bytes that the kernel puts before it (struct
 * bpf_local_storage_elem), it fits 8 KiB. */
_Static_assert(sizeof(struct thread) <= 8064, "struct thread is too large");

/* By thread id with CT_LEGACY: see task.bpf.h. */
struct {
#ifdef CT_LEGACY
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
#else
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
#endif
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* Zeroes: what a new element of `threads` is made of with CT_LEGACY. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct thread);
} new_thread SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct ct_proc);
} procs SEC(".maps");

/*
 * While processes that were there before are being adopted: the tree is followed, and what they
 * copy is not counted. That can be done again and again, so adoptions have numbers, from 1 on:
 * which one it is, and up to which one copies count. See adopt.bpf.h.
 */
volatile bool adopting;
volatile __u32 adoption;
volatile __u32 counting;
/* When the daemon was last woken to read copies, ns. */
volatile __u64 woken_at;
/* Left behind by parents that ended meanwhile. */
volatile __u32 orphans;

/* Processes to be adopted, with all below them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u8);
} wanted SEC(".maps");

/* Written by the daemon when it has found the Python of a process; inherited through threads. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u32);
} proc_layouts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CT_MAX_LAYOUTS);
	__type(key, u32);
	__type(value, struct ct_pylayout);
} layouts SEC(".maps");

/* Stacks whose record has been sent. LRU: a forgotten one is sent again. These are made at once, 80
 * bytes for each element: more of them only where there are many CPUs (user/capture/trial.c). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u32);
} stacks_seen SEC(".maps");

/* Code objects and types that have been sent: see code__publish, type__publish. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u32);
} codes_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} types_seen SEC(".maps");

/* Sizes are set by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} copies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	/* A program that begins to work shows hundreds of code objects at once, 2 KiB each. One
	 * that finds no room is sent with the next new stack that has it, or read later. */
	__uint(max_entries, 4 << 20);
} meta SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CT_COUNT_MAX);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CT_LOST_MAX);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

/* See percpu__offset. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64[2]);
} scratch_addresses SEC(".maps");

#endif
