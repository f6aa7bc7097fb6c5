/* SPDX-License-Identifier: GPL-2.0-only */
/* Each Python stack is sent once, under its 64-bit hash; a copy carries only the hash. */
#ifndef COWTRACE_BPF_STACKS_H
#define COWTRACE_BPF_STACKS_H

/* True when the daemon has, or will find in the ring, the record of this stack. */
static __always_inline bool stack__publish(struct thread *t, const struct ct_pylayout *lay)
{
	struct ct_stack *record;
	u32 one = 1;

	if (bpf_map_lookup_elem(&stacks_seen, &t->py.id))
		return true;
	record = meta__reserve(sizeof(*record));
	if (!record)
		return false;
	record->tag = CT_STACK;
	record->pid = t->event.pid;
	record->layout = t->event.layout;
	frames__walk(t, lay, record);
	record->id = t->py.id;
	record->nframes = t->py.nframes;
	record->unwind = t->py.unwind;
	record->pad = 0;
	bpf_ringbuf_submit(record, 0);
	bpf_map_update_elem(&stacks_seen, &t->py.id, &one, BPF_ANY);
	return true;
}

/* Fills the stack of the event. */
static __always_inline void stack__take(struct thread *t)
{
	struct ct_copy *ev = &t->event;
	u32 slot = t->layout;
	struct ct_pylayout *lay = bpf_map_lookup_elem(&layouts, &slot);

	ev->stack = 0;
	ev->layout = slot;
	ev->unwind = CT_UNWIND_NO_PYTHON;
	if (!slot || !lay)
		return;
	pystack__begin(t, lay);
	if (t->py.leaf) {
		frames__walk(t, lay, NULL);
		if (stack__publish(t, lay))
			ev->stack = t->py.id;
		else
			t->py.unwind = CT_UNWIND_STACK_LOST;
	}
	ev->unwind = t->py.unwind;
}

#endif
