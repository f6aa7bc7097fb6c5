/* SPDX-License-Identifier: MIT */
/*
 * The BPF modules as user code: a fake address space for the traced process, maps and ring buffers
 * as lists, the kernel's structures in the test's own memory. One program includes it once.
 */
#ifndef COWTRACE_TESTS_SHIM_H
#define COWTRACE_TESTS_SHIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wsign-compare"

/* The registers as the kernel has them: CO-RE finds the members, here they must lie right. */
#ifndef __TARGET_ARCH_arm64
#define __TARGET_ARCH_x86
#endif
#define pt_regs pt_regs_members
#include "kernel.h"
#undef pt_regs
#ifdef __TARGET_ARCH_arm64
struct pt_regs {
	unsigned long regs[31], sp, pc, pstate, orig_x0;
	int syscallno;
};
#else
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#endif

#include <cowtrace/abi.h>
#include <cowtrace/digest.h>
#include <cowtrace/pylayout.h>
/* A test sets them while the program runs. */
#define const
#include "config.bpf.h"
#undef const
#include "direct.bpf.h"
#include "maps.bpf.h"
#include "task.bpf.h"
#include "machine.bpf.h"
#include "read.bpf.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "memory.bpf.h"
#include "pytype.bpf.h"
#include "evidence.bpf.h"
#include "pystate.bpf.h"
#include "pycode.bpf.h"
#include "pyunwind.bpf.h"
#include "stacks.bpf.h"
#include "thread.bpf.h"
#include "page.bpf.h"
#include "copy.bpf.h"
#include "cold.bpf.h"
#include "foreign.bpf.h"
#include "adopt.bpf.h"
#include "witness.bpf.h"
#include "huge.bpf.h"

#pragma GCC diagnostic pop

#include "shim_direct.h"
#include "shim_helpers.h"

/* --- what the programs have counted --- */

static inline uint64_t counter(uint32_t which)
{
	return *(uint64_t *)bpf_map_lookup_elem(&counters, &which);
}

static inline uint64_t lost_for(uint32_t which)
{
	return *(uint64_t *)bpf_map_lookup_elem(&lost, &which);
}

#endif
