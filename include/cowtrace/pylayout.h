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
	CT_PY_TSS_GLIBC = 1 << 2,      /* auto TSS key (up to 3.14) in glibc's struct pthread */
	CT_PY_TLS = 1 << 3,	       /* 3.12+: thread-local variable of the attached one */
	CT_PY_LASTI = 1 << 4,	       /* up to 3.10: fr_instr is f_lasti, an int */
	CT_PY_LASTI_UNITS = 1 << 5,    /* 3.10: ... in units of 2 bytes */
	CT_PY_TAGGED = 1 << 6,	       /* 3.14+: the low two bits of fr_code are a tag */
	CT_PY_TLBC = 1 << 7,	       /* 3.14t+: bytecode per thread, see fr_tlbc */
	CT_PY_FREE_THREADED = 1 << 8,  /* object heads of Py_GIL_DISABLED */
	CT_PY_TLS2 = 1 << 9,	       /* 3.15: thread-local variable of the bound one */
};

/* A frame is read from its start up to fr_size, which is a multiple of 8 and at most this. */
#define CT_FRAME_READ_MAX 120
/* The same for code_size, the part of a code object that is read for its check. */
#define CT_CODE_READ_MAX 240
/* Words of a code object that never change and tell it from another one: see digest.h. */
#define CT_CODE_WORDS 6

struct ct_pylayout {
	__u32 version;		/* major << 8 | minor */
	__u32 flags;		/* enum ct_pylayout_flags */
	__u64 cookie;		/* differs for each program image: part of every stack id */
	__u64 runtime;		/* address of _PyRuntime */
	__u64 main_interpreter; /* 3.13+: its address, which no other one gets; 0: not known */
	__u64 gc_collecting;	/* 3.8: address of _PyRuntime.gc.collecting (int); else 0 */
	__u32 pool_size;	/* of pymalloc, a power of two; 0: no pymalloc */
	/*
	 * CT_PY_TLS: where a thread keeps the pointer to the thread state that is attached to it
	 * (3.12+: _Py_tss_tstate; NULL while the thread has released the GIL; the right one where a
	 * thread runs several interpreters). If that is NULL: CT_PY_TLS2, the one that is bound to
	 * the thread (3.15: _Py_tss_gilstate; before it is under the auto TSS key).
	 * module 0: at thread pointer + offset; else at offset in the block that the thread's DTV
	 * has for that module: *(*(thread pointer + 8) + 16 * module) + offset (arm64: without the
	 * 8); a block of -1 is not there yet. A state so found counts only if its ts_thread_id is
	 * pthread_self().
	 */
	__u32 tls_module;
	__u32 tls2_module;
	__s64 tls_offset;
	__s64 tls2_offset;

	/* offsets from runtime */
	__u32 rt_interpreters_head;
	__u32 rt_tstate_current; /* CT_PY_TSTATE_CURRENT */
	__u32 rt_tss_key;	 /* u32 key; the int before it: initialised */
	/* in PyInterpreterState */
	__u32 interp_next;
	__u32 interp_threads_head;
	__u32 interp_gc_collecting; /* int; 0: see gc_collecting */
	/*
	 * 3.13+: func_state.next_version, u32: one up for each code object that is made (3.12 has
	 * one count for all interpreters, a static variable that is not exported); 0: not known. No
	 * name is asked again while it stands still, so it may be set for builds only whose layout
	 * is proven: where _PyRuntime has a size that was seen.
	 */
	__u32 interp_code_count;
	__u32 interp_id; /* 3.13+: s64; the next interpreter at this address has another one */
	/*
	 * struct pthread, whose address is pthread_self(), begins so many bytes below the thread
	 * pointer: 0 on x86-64, its size on arm64.
	 */
	__u32 self_below;
	/* in struct pthread: values of the keys below 32 (784 with glibc on x86-64) */
	__u32 pthread_specific;
	/* in PyThreadState; all of them lie within its first ts_size bytes */
	__u32 ts_size;
	__u32 ts_next;
	__u32 ts_interp;
	__u32 ts_thread_id;
	__u32 ts_frame;	      /* current_frame, or cframe with CT_PY_CFRAME */
	__u32 ts_datastack;   /* datastack_chunk, _top, _limit in a row; 0 (up to 3.10): none */
	__u32 cframe_current; /* in _PyCFrame */
	/* in _PyInterpreterFrame, up to 3.10 PyFrameObject */
	__u32 fr_size;
	__u32 fr_func; /* with func_version: the function that the frame runs */
	__u32 fr_code;
	__u32 fr_previous;
	__u32 fr_instr;
	__u32 fr_owner; /* byte; >= 3 (3.12+): a shim that is skipped; 0: no such member */
	__u32 fr_tlbc;	/* CT_PY_TLBC: i32, which of the copies of the bytecode */
	/* in PyCodeObject */
	__u32 code_size; /* bytes that are read of it for the check */
	/* Words for the check, below code_size; 0: none. [4], 3.12+: co_version in its upper half
	 */
	__u32 code_words[CT_CODE_WORDS];
	__u32 code_file, code_name; /* co_filename; co_qualname, up to 3.10 co_name */
	__u32 code_table;	    /* co_linetable, up to 3.9 co_lnotab: a bytes object */
	__u32 code_bytes;	    /* up to 3.10: co_code, a bytes object; else 0 */
	__u32 code_adaptive;	    /* 3.11+: start of the bytecode */
	__u32 code_tlbc;	    /* CT_PY_TLBC: _PyCodeArray *; size, then entries */
	__u32 code_size_max;	    /* frames whose instruction lies further out are marked */
	/* in PyUnicodeObject and PyBytesObject */
	__u32 str_hash, str_length, str_state, str_kind_shift, str_ascii_data, str_compact_data;
	__u32 bytes_size, bytes_data;
	/* in PyFunctionObject. 3.11: func_version, u32: see code__function_key; 0: it proves
	 * nothing */
	__u32 func_version;
	/* in PyObject, PyTypeObject */
	__u32 object_type;
	__u32 type_name, type_basicsize, type_flags; /* in this order, all within 256 bytes */
};

#endif
