/* SPDX-License-Identifier: GPL-2.0-only */
/* Each Python stack is sent once, under its 64-bit hash; a copy carries only the hash. */
#ifndef COWTRACE_BPF_STACKS_H
#define COWTRACE_BPF_STACKS_H

/* True when the daemon has, or will find in the ring, the record of this stack. It forgets none. */
static __always_inline bool stack__publish(struct thread *t, const struct ct_pylayout *lay)
{
	struct ct_stack *record = &t->stack;
	u64 id = t->py.id; /* up to 6.1 a function that is checked once takes no key out of *t */
	u32 one = 1;

	if (id == t->py.sent)
		return true;
	if (bpf_map_lookup_elem(&stacks_seen, &id))
		goto sent;
	for (u32 i = 0; i < CT_MAX_FRAMES && i < t->py.nframes; i++)
		code__publish(t, lay, i);
	record->tag = CT_STACK;
	record->pid = t->event.pid;
	record->layout = t->event.layout;
	record->pad = 0;
	if (!emit__stack(record))
		return false;
	bpf_map_update_elem(&stacks_seen, &id, &one, BPF_ANY);
sent:
	t->py.sent = id;
	return true;
}

/* The bytecode that the innermost frame is executing, where the window alone does not say it all.
 */
static __always_inline void stack__bytecode(struct thread *t, const struct ct_pylayout *lay)
{
	const struct ct_frame *leaf = &t->stack.frames[0];
	u64 at = t->py.instr;
	u64 word;

	if (!t->py.nframes || t->counted)
		return;
	if (lay->flags & CT_PY_LASTI) {
		at = leaf->offset < lay->code_size_max
			     ? thread__u64(t, leaf->code + lay->code_bytes)
			     : 0;
		if (at)
			at += lay->bytes_data + leaf->offset;
	}
	/* An instruction is two bytes, and begins at an even address. */
	if (!at || !thread__read(t, at & ~7UL, &word))
		return;
	word >>= 8 * (at & 6);
	t->event.instr = at;
	t->event.opcode = word;
	t->event.oparg = word >> 8;
}

/* Once for a program, and not for each way to a copy: there are dozens, and a walk is long. */
CHECKED_ONCE(stack__walk, u32, max_frames)
{
	/* What is known to be a count needs no more evidence. */
	pystack__begin(t, lay, !t->counted);
	if (!t->py.leaf)
		return 0;
	frames__walk(t, lay, max_frames);
	stack__bytecode(t, lay);
	if (stack__publish(t, lay))
		t->event.stack = t->py.id;
	else
		t->py.unwind = CT_UNWIND_STACK_LOST;
	return 0;
}

/* Fills the stack of the event. */
static __always_inline void stack__take(struct thread *t)
{
	struct ct_copy *ev = &t->event;
	u32 slot = t->layout;
	struct ct_pylayout *lay = bpf_map_lookup_elem(&layouts, &slot);

	ev->stack = 0;
	ev->instr = 0;
	ev->opcode = ev->oparg = 0;
	ev->layout = slot;
	ev->unwind = CT_UNWIND_NO_PYTHON;
	if (!slot || !lay || !(cfg_pieces & CT_PIECE_STACK))
		return;
	direct__begin(t, task__current());
	stack__walk(t, lay, CT_MAX_FRAMES);
	ev->unwind = t->py.unwind;
}

#endif
