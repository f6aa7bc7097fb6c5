/* SPDX-License-Identifier: GPL-2.0-only */
/* x86-64: its registers and its instructions. arm64.bpf.h has the same functions. */
#ifndef COWTRACE_BPF_X86_H
#define COWTRACE_BPF_X86_H

static __always_inline u64 regs__ip(const struct pt_regs *regs)
{
	return PEEK(regs, ip);
}

/* The number of the syscall; -1 in an exception. */
static __always_inline s64 regs__syscall(const struct pt_regs *regs)
{
	return (s64)PEEK(regs, orig_ax);
}

/* Numbers of system calls. */
#define SYS_PTRACE	      101
#define SYS_PROCESS_VM_READV  310
#define SYS_PROCESS_VM_WRITEV 311

/* What a syscall was called with. */
static __always_inline u64 regs__first(const struct pt_regs *regs)
{
	return PEEK(regs, di);
}

static __always_inline u64 regs__second(const struct pt_regs *regs)
{
	return PEEK(regs, si);
}

/* What a function was called with, and what it returned, at its kprobes. */
static __always_inline u64 probe__first(const struct pt_regs *regs)
{
	return regs->di;
}

static __always_inline u64 probe__second(const struct pt_regs *regs)
{
	return regs->si;
}

static __always_inline u64 probe__third(const struct pt_regs *regs)
{
	return regs->dx;
}

static __always_inline u64 probe__fourth(const struct pt_regs *regs)
{
	return regs->cx;
}

static __always_inline u64 probe__result(const struct pt_regs *regs)
{
	return regs->ax;
}

static __always_inline u64 thread__pointer(const struct thread *t, struct task_struct *task)
{
	return PEEK(task, thread.fsbase);
}

static __always_inline void thread__learn_pointer(struct thread *parent, struct thread *child,
						  struct task_struct *task, bool own_memory)
{
}

/*
 * The ModRM byte of the instruction, with REX above it, and then the byte behind it: SIB or a
 * displacement. A guess (no VEX, no three-byte opcodes) that userspace checks against a full
 * decode.
 */
static __always_inline u32 modrm__find(const u8 *code)
{
	u8 rex = 0, op = 0;
	u32 i = 0;

	for (int n = 0; n < 4; n++) { /* legacy prefixes */
		op = code[i & 7];
		if (op != 0x66 && op != 0xf0 && op != 0xf2 && op != 0xf3 && op != 0x64)
			break;
		i++;
	}
	if ((op & 0xf0) == 0x40) {
		rex = op;
		op = code[++i & 7];
	}
	if (op == 0x0f)
		i++;
	return code[(i + 1) & 7] | rex << 8 | code[(i + 2) & 15] << 16;
}

static __always_inline u32 modrm__reg(u32 modrm)
{
	return (modrm >> 3 & 7) | (modrm >> 10 & 1) << 3; /* REX.R */
}

/*
 * rbp and r13 need a displacement, of 0; r12 a SIB byte without index (rsp, too, but there is no
 * object where it points to).
 */
static __always_inline bool modrm__is_plain(u32 modrm)
{
	u32 mode = modrm & 0xc7, next = modrm >> 16 & 0xff;

	if (mode == 0x45)
		return next == 0;
	if (mode == 0x04) /* base 12, index none */
		return next == 0x24 && (modrm >> 8 & 3) == 1;
	return mode < 0x40 && mode != 0x05;
}

/* The register operand: for a store, its source. */
static __always_inline u32 code__register(const u8 *code)
{
	return modrm__reg(modrm__find(code));
}

/* The memory operand is a register alone: no displacement, no index. */
static __always_inline bool code__is_plain(const u8 *code)
{
	return modrm__is_plain(modrm__find(code));
}

/* x86 register number 0..15, but for 4, which is rsp. */
static __always_inline bool regs__read(const struct pt_regs *regs, u32 reg, u64 *value)
{
	switch (reg) {
#define REG(number, name)                                                                          \
	case number:                                                                               \
		*value = PEEK(regs, name);                                                         \
		return true
		REG(0, ax);
		REG(1, cx);
		REG(2, dx);
		REG(3, bx);
		REG(5, bp);
		REG(6, si);
		REG(7, di);
		REG(8, r8);
		REG(9, r9);
		REG(10, r10);
		REG(11, r11);
		REG(12, r12);
		REG(13, r13);
		REG(14, r14);
		REG(15, r15);
#undef REG
	}
	return false;
}

#endif
