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
 * The ModRM byte of the instruction, with the bit of REX that extends its register operand above
 * it. A guess (no VEX, no three-byte opcodes) that userspace checks against a full decode.
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
	return code[(i + 1) & 7] | (rex & 4) << 6;
}

static __always_inline u32 modrm__reg(u32 modrm)
{
	return (modrm >> 3 & 7) | (modrm >> 8 & 1) << 3;
}

static __always_inline bool modrm__is_plain(u32 modrm)
{
	return (modrm >> 6 & 3) == 0 && (modrm & 7) != 4 && (modrm & 7) != 5;
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

/* Position in struct pt_regs, in words, of x86 register number 0..15; 15: not there (rsp). */
#define REG_SLOTS 0x01236789ed4f5cbaUL

static __always_inline bool regs__read(const struct pt_regs *regs, u32 reg, u64 *value)
{
	u32 slot = (REG_SLOTS >> (reg * 4)) & 15;

	return slot != 15 && !bpf_probe_read_kernel(value, 8, (const void *)regs + slot * 8);
}

#endif
