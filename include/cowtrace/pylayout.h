/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the BPF programs need to know of one CPython: filled by the daemon (user/python), one slot
 * per program image, read-only in the kernel. Offsets are bytes. The daemon checks every value
 * before it stores it; the BPF side bounds it again, because a wrong offset must not cost more than
 * a stack.
 */
#ifndef COWTRACE_PYLAYOUT_H
#define COWTRACE_PYLAYOUT_H

#include <linux/types.h>

enum ct_pylayout_flags {
	CT_PY_CFRAME = 1 << 0,	       /* 3.11, 3.12: tstate->cframe->current_frame */
	CT_PY_TSTATE_CURRENT = 1 << 1, /* up to 3.11: _PyRuntime.gilstate.tstate_current */
	CT_PY_TSS_GLIBC = 1 << 2,      /* auto TSS key in glibc's struct pthread */
};

/* The first CT_FRAME_READ bytes of a frame hold every member that the walk needs. */
#define CT_FRAME_READ 88

struct ct_pylayout {
	__u32 version;	     /* major << 8 | minor */
	__u32 flags;	     /* enum ct_pylayout_flags */
	__u64 cookie;	     /* differs for each program image: part of every stack id */
	__u64 runtime;	     /* address of _PyRuntime */
	__u64 gc_collecting; /* address of the main interpreter's gc.collecting (int), 0: unknown */
	__u32 pool_size;     /* of pymalloc, a power of two; 0: no pymalloc */

	/* offsets from runtime */
	__u32 rt_interpreters_main;
	__u32 rt_tstate_current; /* CT_PY_TSTATE_CURRENT */
	__u32 rt_tss_key;	 /* u32 key; the int before it: initialised */
	/* in PyInterpreterState */
	__u32 interp_threads_head;
	/* in struct pthread, x86-64: values of the keys below 32 (784 with glibc) */
	__u32 pthread_specific;
	/* in PyThreadState */
	__u32 ts_next;
	__u32 ts_interp;
	__u32 ts_thread_id;
	__u32 ts_frame;	      /* current_frame, or cframe with CT_PY_CFRAME */
	__u32 ts_datastack;   /* datastack_chunk, _top, _limit in a row */
	__u32 cframe_current; /* in _PyCFrame */
	/* in _PyInterpreterFrame */
	__u32 fr_code;
	__u32 fr_previous;
	__u32 fr_instr;
	__u32 fr_owner; /* byte; >= 3 (3.12+): a shim that is skipped */
	/* in PyCodeObject: co_filename, co_name, co_qualname, co_linetable in a row from here */
	__u32 code_names;
	__u32 code_size_max; /* frames whose instruction lies further out are marked */
};

#endif
