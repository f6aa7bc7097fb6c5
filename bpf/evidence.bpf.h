/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known at the fault: the address, the instruction and the register it stores, the memory
 * around the address as it was before the write, the pymalloc pool it lies in, and the type of the
 * object there. All of it is read with helpers that never fault a page in.
 */
#ifndef COWTRACE_BPF_EVIDENCE_H
#define COWTRACE_BPF_EVIDENCE_H

/*
 * Reads size bytes, or, if some of it is not there, the part that lies on the page of `must`; the
 * rest is zero. dst has room for size bytes and 64 more, so that the verifier believes the bounds.
 */
static __always_inline bool read_part(void *dst, u32 size, u64 from, u64 must)
{
	u64 page = must & ~(PAGE_SIZE - 1);
	u64 skip, len;

	skip = from < page ? page - from : 0;
	len = from + size > page + PAGE_SIZE ? page + PAGE_SIZE - from : size;
	if (skip >= len)
		return false;
	len -= skip;
	skip &= 31;
	if (len > size)
		return false;
	__builtin_memset(dst, 0, size);
	return bpf_probe_read_user(dst + skip, len, (void *)(from + skip)) == 0;
}

/*
 * By way of the stack: a kernel that checks what user memory is copied to
 * (CONFIG_HARDENED_USERCOPY) looks for the slab of other memory, which costs a third of the read.
 */
static __always_inline bool read_around(void *dst, const u32 size, u64 from, u64 must)
{
	u64 whole[CT_WINDOW_WORDS];

	if (bpf_probe_read_user(whole, size, (void *)from))
		return read_part(dst, size, from, must);
	__builtin_memcpy(dst, whole, size);
	return true;
}

static __always_inline bool evidence__code(struct thread *t, struct ct_copy *ev)
{
	_Static_assert(__builtin_offsetof(struct ct_copy, code) % 8 == 0,
		       "words of the instruction");
	return span__read(t, ev->code, CT_INSN_LEN, ev->ip) ||
	       read_around(ev->code, CT_INSN_LEN, ev->ip, ev->ip);
}

/*
 * Never by way of the kernel's map of memory: this read marks the page as accessed, here, before
 * the kernel looks at its entry in the page table. Else a later read (of a frame or thread state
 * that lies on that page) would do so when the page has been allocated that it is copied to, and
 * the kernel would throw that away: the entry is not what it was (pte_same). It would count two.
 */
static __always_inline bool evidence__window(struct ct_copy *ev)
{
	u64 from = (ev->addr & ~7UL) - CT_WINDOW_BEFORE;

	return read_around(ev->window, sizeof(ev->window), from, ev->addr);
}

static __always_inline void evidence__source(struct ct_copy *ev, const struct pt_regs *regs)
{
	u32 reg = code__register(ev->code);

	if (!regs__read(regs, reg, &ev->src))
		return;
	ev->src_reg = reg;
	ev->flags |= CT_F_SRC;
}

/*
 * Is addr in a pymalloc pool? The header says so in a way that never failed on real heaps
 * (cpython-layout.md 6.6), and a wrong answer only costs certainty.
 */
static __always_inline void evidence__pool(struct thread *t, const struct ct_pylayout *lay)
{
	struct pool_header {
		u32 count, pad;
		u64 freeblock, nextpool, prevpool;
		u32 arenaindex, szidx, nextoffset, maxnextoffset;
	} *h = (void *)t->scratch;
	struct ct_copy *ev = &t->event;
	u32 size = lay->pool_size;
	u64 pool = ev->addr & ~((u64)size - 1);
	u32 block;

	if (!size || (!span__read(t, t->scratch, sizeof(*h), pool) &&
		      bpf_probe_read_user(h, sizeof(*h), (void *)pool)))
		return;
	block = 16 * (h->szidx + 1);
	if (h->szidx >= 32 || h->maxnextoffset != size - block || h->nextoffset > size ||
	    !h->count || h->count > (size - sizeof(*h)) / block)
		return;
	ev->flags |= CT_F_POOL;
	ev->pool_szidx = h->szidx;
	ev->pool_free = h->freeblock;
	if (ev->addr - pool < sizeof(*h))
		ev->flags |= CT_F_POOL_HEADER;
}

/*
 * The common case needs no more evidence than the window holds: a store right at a pointer, to a
 * small count with a pointer behind it, and not where a pool would have its header.
 */
static __always_inline bool refcount__plausible(const struct ct_copy *ev,
						const struct ct_pylayout *lay)
{
	const u64 *word = &ev->window[CT_WINDOW_BEFORE / 8];

	/* Free-threaded counts lie elsewhere, and the pool evidence that this saves is not there.
	 */
	if (lay->flags & CT_PY_FREE_THREADED)
		return false;
	return ev->flags & CT_F_WINDOW && ev->flags & CT_F_CODE && ev->addr % 16 == 0 &&
	       code__is_plain(ev->code) && word[0] - 1 < 1u << 30 && word[1] % 16 == 0 &&
	       word[1] - 0x10000 < USER_END && lay->pool_size &&
	       (ev->addr & (lay->pool_size - 1)) != 0;
}

static __always_inline void evidence__python(struct thread *t)
{
	u32 slot = t->layout;
	struct ct_pylayout *lay = bpf_map_lookup_elem(&layouts, &slot);

	t->event.type_word = 0;
	t->event.type_check = 0;
	if (!slot || !lay)
		return;
	t->counted = refcount__plausible(&t->event, lay);
	if (!t->counted)
		evidence__pool(t, lay);
	type__find(t, lay);
}

/* regs: of user mode. Fills t->event but for what is only known when the copy is confirmed. */
static __always_inline void evidence__take(struct thread *t, struct task_struct *task, u64 addr,
					   struct pt_regs *regs, bool kernel)
{
	struct ct_copy *ev = &t->event;

	ev->tag = CT_COPY;
	ev->pid = PEEK(task, tgid);
	ev->tid = PEEK(task, pid);
	ev->addr = addr;
	ev->ip = regs__ip(regs);
	ev->sp = PEEK(regs, sp);
	ev->thread_pointer = thread__pointer(t, task);
	ev->flags = 0;
	ev->order = 0;
	ev->pad = 0;
	ev->victim = 0;
	ev->syscall = -1;
	if (!(cfg_pieces & CT_PIECE_EVIDENCE))
		return;
	direct__begin(t, task);
	if (kernel) {
		ev->flags = CT_F_KERNEL;
		ev->syscall = (s16)regs__syscall(regs);
	} else if (evidence__code(t, ev)) {
		ev->flags = CT_F_CODE;
		evidence__source(ev, regs);
	}
	if (!cfg_function && PEEK(PEEK(task__plain(task), signal), live.counter) > 1)
		ev->flags |= CT_F_THREADS;
	if (evidence__window(ev))
		ev->flags |= CT_F_WINDOW;
	evidence__python(t);
}

/*
 * The same of the current task, where it is rare, and many ways lead there: verified once. kernel:
 * the write is the kernel's.
 */
#ifdef CT_LEGACY
static __always_inline int evidence__take_rare(struct thread *t, u64 addr, u32 kernel)
#else
__noinline int evidence__take_rare(struct thread *t, u64 addr, u32 kernel)
#endif
{
	struct task_struct *task = task__current();

	if (t)
		evidence__take(t, task, addr, task__regs(task), kernel);
	return 0;
}

#endif
