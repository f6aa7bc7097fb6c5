/* SPDX-License-Identifier: GPL-2.0-only */
/* Counting, and sending records. What can not be sent is counted where it is lost, by reason. */
#ifndef COWTRACE_BPF_EMIT_H
#define COWTRACE_BPF_EMIT_H

static __always_inline void count__add(void *map, u32 which, s64 n)
{
	u64 *value = bpf_map_lookup_elem(map, &which);

	if (value)
		*value += n; /* per CPU */
}

static __always_inline void proc__count_reuse(u32 pid)
{
	struct ct_proc *proc = bpf_map_lookup_elem(&procs, &pid);

	count__add(&counters, CT_COUNT_REUSES, 1);
	if (proc)
		__sync_fetch_and_add(&proc->reuses, 1);
}

static __always_inline void proc__count_lost(u32 pid, u32 reason, s64 n)
{
	struct ct_proc *proc = bpf_map_lookup_elem(&procs, &pid);

	count__add(&lost, reason, n);
	if (proc)
		__sync_fetch_and_add(&proc->lost, n);
}

/*
 * The daemon looks into the ring every few milliseconds by itself; waking it for each record would
 * cost more than the record. It is woken only when so much waits that it might fall behind, and
 * then it is left to it: an interrupt for each record of a ring that stays full cost a tenth of the
 * time of all. CPUs race for woken_at: at worst each of them wakes it.
 */
static __always_inline u64 emit__wakeup(u64 now)
{
	if (bpf_ringbuf_query(&copies, BPF_RB_AVAIL_DATA) <= cfg_wakeup_bytes ||
	    now - woken_at < WAKEUP_NS)
		return BPF_RB_NO_WAKEUP;
	woken_at = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline bool emit__copy(const struct ct_copy *copy)
{
	if (!(cfg_pieces & CT_PIECE_RECORD))
		return true;
	return bpf_ringbuf_output(&copies, (void *)copy, sizeof(*copy), emit__wakeup(copy->time)) ==
	       0;
}

static __always_inline bool emit__fixup(u32 pid, u32 tid, u64 seq, u32 kind)
{
	struct ct_fixup fixup = {
		.tag = CT_FIXUP,
		.pid = pid,
		.tid = tid,
		.kind = kind,
		.seq = seq,
	};

	if (!(cfg_pieces & CT_PIECE_RECORD))
		return true;
	return bpf_ringbuf_output(&copies, &fixup, sizeof(fixup),
				  emit__wakeup(bpf_ktime_get_ns())) == 0;
}

static __always_inline bool emit__stack(struct ct_stack *stack)
{
	u64 size = offsetof(struct ct_stack, frames) + stack->nframes * sizeof(stack->frames[0]);

	if (!bpf_ringbuf_output(&meta, stack, bound(size, sizeof(*stack)), 0))
		return true;
	count__add(&counters, CT_COUNT_META_LOST, 1);
	return false;
}

/* Room for a record about processes or memory; size must be a constant. */
static __always_inline void *meta__reserve(const u64 size)
{
	void *record = bpf_ringbuf_reserve(&meta, size, 0);

	if (!record)
		count__add(&counters, CT_COUNT_META_LOST, 1);
	return record;
}

#endif
