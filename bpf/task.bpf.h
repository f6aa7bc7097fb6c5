/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The current task, and what is kept for it. CT_LEGACY is a second build of the same programs, for
 * kernels before 5.15 (bpf_task_pt_regs, dd6e10fbd9fb; task local storage for tracing since 5.12,
 * a10787e6d58c; bpf_get_current_task_btf since 5.11, 3ca1032ab7ab): there the current task is a
 * number, and a map by thread id holds the state of the threads.
 */
#ifndef COWTRACE_BPF_TASK_H
#define COWTRACE_BPF_TASK_H

#ifdef CT_LEGACY

/* A member of what a pointer of the kernel points to, whether its type is known or not. */
#define PEEK(from, member)                                                                         \
	({                                                                                         \
		__auto_type peek_from = (from);                                                    \
		BPF_CORE_READ(peek_from, member);                                                  \
	})

/* arch/x86/include/asm/page_64_types.h, without KASAN; no gap at its end before FRED, 6.9. The same
 * on arm64: arch/arm64/include/asm/memory.h. */
#define KERNEL_STACK_SIZE 16384

static __always_inline struct task_struct *task__current(void)
{
	return (void *)bpf_get_current_task();
}

static __always_inline struct task_struct *task__plain(struct task_struct *task)
{
	return task;
}

static __always_inline struct thread *thread__by_id(u32 tid)
{
	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct thread *thread__of(struct task_struct *task)
{
	return thread__by_id(PEEK(task, pid));
}

static __always_inline struct thread *thread__create(struct task_struct *task)
{
	struct thread *t = thread__of(task);
	u32 tid = PEEK(task, pid), zero = 0;

	if (t)
		return t;
	t = bpf_map_lookup_elem(&new_thread, &zero);
	if (t)
		bpf_map_update_elem(&threads, &tid, t, BPF_NOEXIST);
	return thread__by_id(tid);
}

static __always_inline bool task__may_be_traced(void)
{
	return true;
}

/* It has ended. Another one may get its id. */
static __always_inline void thread__forget(struct task_struct *task)
{
	u32 tid = PEEK(task, pid);

	bpf_map_delete_elem(&threads, &tid);
}

/* The user's registers at the entry into the kernel. */
static __always_inline struct pt_regs *task__regs(struct task_struct *task)
{
	return (void *)PEEK(task, stack) + KERNEL_STACK_SIZE - bpf_core_type_size(struct pt_regs);
}

/*
 * A function of a thread's state, its layout and one number, that the verifier checks once and not
 * for each caller: one that is not static. Since 5.12 it may take pointers (e5069b9c23b3); before,
 * what they point to is looked up again. The state is that of the current thread, always.
 */
#define CHECKED_ONCE(name, type, arg)                                                              \
	static __always_inline int name##__body(struct thread *t, const struct ct_pylayout *lay,   \
						type arg);                                         \
	__noinline int name##__once(u32 slot, type arg)                                            \
	{                                                                                          \
		struct ct_pylayout *lay = bpf_map_lookup_elem(&layouts, &slot);                    \
		struct thread *t = thread__by_id(bpf_get_current_pid_tgid());                      \
                                                                                                   \
		return t && lay ? name##__body(t, lay, arg) : 0;                                   \
	}                                                                                          \
	static __always_inline int name(struct thread *t, const struct ct_pylayout *lay, type arg) \
	{                                                                                          \
		return name##__once(t->layout, arg);                                               \
	}                                                                                          \
	static __always_inline int name##__body(struct thread *t, const struct ct_pylayout *lay,   \
						type arg)

#else

#define PEEK(from, member) ((from)->member)

static __always_inline struct task_struct *task__current(void)
{
	return bpf_get_current_task_btf();
}

/*
 * The same task, for a look at those of its members that are pointers. Where one is loaded through
 * a pointer that the verifier trusts, it looks through the names of all types of the kernel, up to
 * four times, for each way that leads there (btf_nested_type_is_trusted, 6.18): an eighth of the
 * time that the programs took to load. What is cast is not trusted; a load then is ten
 * instructions.
 */
static __always_inline struct task_struct *task__plain(struct task_struct *task)
{
#if defined(CT_DIRECT) && defined(__TARGET_ARCH_x86)
	return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
#else
	return task;
#endif
}

static __always_inline struct thread *thread__of(struct task_struct *task)
{
	return bpf_task_storage_get(&threads, task, 0, 0);
}

/*
 * Of the current task. Most tasks have no storage of anybody, which one load shows; the helper that
 * looks for ours takes as long as all the rest of a program that ends at once. Everybody pays for
 * it: so it is not task__plain.
 */
static __always_inline bool task__may_be_traced(void)
{
	return task__current()->bpf_storage;
}

/*
 * Of two that create it at once, on different CPUs, the second one fails (-EAGAIN inside
 * bpf_local_storage_update, 450af8d0f6be): by then it is there.
 */
static __always_inline struct thread *thread__create(struct task_struct *task)
{
	struct thread *t;

	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return t ?: bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

static __always_inline void thread__forget(struct task_struct *task)
{
	(void)task; /* its storage goes with it */
}

static __always_inline struct pt_regs *task__regs(struct task_struct *task)
{
	return (struct pt_regs *)bpf_task_pt_regs(task);
}

#define CHECKED_ONCE(name, type, arg)                                                              \
	static __always_inline int name##__body(struct thread *t, const struct ct_pylayout *lay,   \
						type arg);                                         \
	__noinline int name(struct thread *t, const struct ct_pylayout *lay, type arg)             \
	{                                                                                          \
		return t && lay ? name##__body(t, lay, arg) : 0;                                   \
	}                                                                                          \
	static __always_inline int name##__body(struct thread *t, const struct ct_pylayout *lay,   \
						type arg)

#endif

#endif
