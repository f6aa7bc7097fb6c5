/* SPDX-License-Identifier: GPL-2.0-only */
/* arm64: its registers and its instructions. x86.bpf.h has the same functions. */
#ifndef COWTRACE_BPF_ARM64_H
#define COWTRACE_BPF_ARM64_H

static __always_inline u64 regs__ip(const struct pt_regs *regs)
{
	return PEEK(regs, pc);
}

/* The number of the syscall; -1 in an exception. */
static __always_inline s64 regs__syscall(const struct pt_regs *regs)
{
	return PEEK(regs, syscallno);
}

/* Numbers of system calls. */
#define SYS_PTRACE	      117
#define SYS_PROCESS_VM_READV  270
#define SYS_PROCESS_VM_WRITEV 271

/* What a syscall was called with. */
static __always_inline u64 regs__first(const struct pt_regs *regs)
{
	return PEEK(regs, regs[0]);
}

static __always_inline u64 regs__second(const struct pt_regs *regs)
{
	return PEEK(regs, regs[1]);
}

/* What a function was called with, and what it returned, at its kprobes. */
static __always_inline u64 probe__first(const struct pt_regs *regs)
{
	return regs->regs[0];
}

static __always_inline u64 probe__second(const struct pt_regs *regs)
{
	return regs->regs[1];
}

static __always_inline u64 probe__third(const struct pt_regs *regs)
{
	return regs->regs[2];
}

static __always_inline u64 probe__fourth(const struct pt_regs *regs)
{
	return regs->regs[3];
}

static __always_inline u64 probe__result(const struct pt_regs *regs)
{
	return regs->regs[0];
}

/*
 * The program sets the register tpidr_el0 by itself; the kernel keeps what it had when the thread
 * was switched out last: after an exec, perhaps not yet. A fork reads the register.
 */
static __always_inline u64 thread__pointer(const struct thread *t, struct task_struct *task)
{
	return t->tp ?: PEEK(task, thread.uw.tp_value);
}

/* A new process has that of the thread that forked it, a new thread has its own from the start. */
static __always_inline void thread__learn_pointer(struct thread *parent, struct thread *child,
						  struct task_struct *task, bool own_memory)
{
	child->tp = PEEK(task, thread.uw.tp_value);
	if (own_memory)
		parent->tp = child->tp;
}

static __always_inline u32 code__word(const u8 *code)
{
	return *(const u32 *)code;
}

/* Arm ARM, C4.1.94 (Loads and Stores), "Atomic memory operations": LDADD, SWP and such, [Xn]. */
static __always_inline bool word__is_atomic(u32 word)
{
	return (word & 0x3f200c00) == 0x38200000;
}

/* The register operand that is stored: Rs or Rt. 31 is the zero register. */
static __always_inline u32 code__register(const u8 *code)
{
	u32 word = code__word(code);

	return (word__is_atomic(word) ? word >> 16 : word) & 31;
}

/* The memory operand is a register alone, and not the stack pointer. */
static __always_inline bool code__is_plain(const u8 *code)
{
	u32 word = code__word(code);
	bool offset_0 = (word & 0x3ffffc00) == 0x39000000; /* STR, immediate */
	bool ordered = (word & 0x3f400000) == 0x08000000;  /* STXR, STLR */
	bool cas = (word & 0x3fa00000) == 0x08a00000;

	return (offset_0 || ordered || cas || word__is_atomic(word)) && (word >> 5 & 31) != 31;
}

static __always_inline bool regs__read(const struct pt_regs *regs, u32 reg, u64 *value)
{
	return reg < 31 && !bpf_probe_read_kernel(value, 8, (const void *)regs->regs + reg * 8);
}

#endif
