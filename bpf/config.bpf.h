/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that is set between open and load. The defaults work. */
#ifndef COWTRACE_BPF_CONFIG_H
#define COWTRACE_BPF_CONFIG_H

/* Return addresses inside [start, end) are those of the kernel's page fault entry. 0: not known. */
const volatile __u64 cfg_fault_entry_start = 0;
const volatile __u64 cfg_fault_entry_end = 0;
/* Where functions of the kernel are, to know them in its stack. */
const volatile struct ct_range cfg_code[CT_CODES];
/* They are all known: first writes to pages that are not mapped can be judged. */
const volatile bool cfg_cold = false;
/* Arguments of hugetlb_wp: 1, 2, or 6 and more; see huge__entry. */
const volatile __u32 cfg_hugetlb_args = 0;
/* Number of possible CPUs, for sums over per-CPU counters of the kernel. */
const volatile __u32 cfg_cpus = 1;
/* Wake the daemon when this many bytes wait in the ring; below, it looks by itself. */
const volatile __u64 cfg_wakeup_bytes = 1 << 20;
/* The witness is a function of the kernel; tracepoints only support it. */
const volatile bool cfg_function = false;

/* The kernel's map of all memory begins there: see direct.bpf.h. Page tables have five levels. */
const volatile __u64 cfg_direct = 0;
const volatile bool cfg_five_levels = false;

/* enum ct_piece: to measure them one by one. */
const volatile __u32 cfg_pieces = CT_PIECES_ALL;

/* Frames and shims that one walk visits; a bound that the verifier of 5.10 to 7.3 can unroll. */
#define MAX_WALK (CT_MAX_FRAMES + 33)
/* Of these so many at once: a call costs as much as a frame. */
#define WALK_STEP 11
/* Thread states, and interpreters, visited when no variable of the thread names its state. */
#define MAX_THREADS	 64
#define MAX_INTERPRETERS 8
/* How far up a process looks for one that is traced: its parent, mostly. */
#define MAX_ANCESTORS 64
/* Children that a process can leave behind if it ends while they are being adopted. */
#define MAX_ORPHANS 1024
/* The daemon is not woken more often. */
#define WAKEUP_NS 1000000
/* CPUs whose part of a counter is summed. */
#define MAX_CPUS 512

#endif
