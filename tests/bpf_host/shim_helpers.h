/* SPDX-License-Identifier: MIT */
/* What the helpers do: a part of shim.h, to be included by it only. */
#ifndef COWTRACE_TESTS_SHIM_HELPERS_H
#define COWTRACE_TESTS_SHIM_HELPERS_H

#define SHIM_PAGES   1024
#define SHIM_READS   16384
#define SHIM_RECORDS 512
#define SHIM_CPUS    3

/* Not for a fuzzer to look into. */
#ifdef __clang__
#define SHIM_DULL __attribute__((no_sanitize("coverage")))
#else
#define SHIM_DULL
#endif

struct shim_page {
	uint64_t address;
	uint8_t *bytes;
};

struct shim_read {
	uint64_t from;
	uint32_t size;
	bool failed;
};

struct shim_element {
	struct shim_element *next;
	const void *map;
	uint64_t key;
	uint64_t value[];
};

struct shim_record {
	const void *ring;
	size_t size;
	bool submitted;
	union {
		uint32_t tag;
		struct ct_copy copy;
		struct ct_fixup fixup;
		struct ct_stack stack;
		struct ct_fork fork;
		struct ct_exec exec;
		struct ct_exit exit;
		struct ct_adopt adopt;
		struct ct_memory memory;
		uint8_t bytes[sizeof(struct ct_memory) + CT_MEMORY_LONG_CODE_BYTES];
	};
};

static struct shim {
	struct shim_record records[SHIM_RECORDS];
	/* user memory: pages that are present */
	struct shim_page pages[SHIM_PAGES];
	size_t n_pages, last_page;
	struct shim_read reads[SHIM_READS]; /* of user memory, in order */
	size_t n_reads;
	size_t helper_reads; /* of them, by bpf_probe_read_user */
	struct shim_element *elements;
	size_t n_records; /* in order */
	/* what the test decides */
	bool copies_full, meta_full, no_storage;
	uint64_t waiting; /* bytes in the ring */
	uint64_t wakeups;
	uint64_t now;
	const char *lacks; /* members that this kernel does not have */
	/* Fills a page that is not there yet; false: nor will it be. NULL: only what was written.
	 */
	bool (*bring)(uint64_t address, uint8_t page[4096]);
	struct task_struct *current;
	struct pt_regs *regs;
	uint64_t kernel_stack[KERNEL_STACK_DEPTH];
	size_t kernel_depth;
	/* The per-CPU areas: first the value of the map `counters`, then a part of rss_stat. */
	struct {
		uint64_t counters;
		int32_t part;
	} areas[SHIM_CPUS];
} shim;

/* They are large: only what was used of them. */
static SHIM_DULL inline void shim__forget_records(void)
{
	for (size_t i = 0; i < shim.n_records; i++)
		memset(&shim.records[i], 0, sizeof(shim.records[i]));
}

static SHIM_DULL inline void shim__reset(void)
{
	struct shim_element *next;

	for (size_t i = 0; i < shim.n_pages; i++)
		free(shim.pages[i].bytes);
	for (struct shim_element *e = shim.elements; e; e = next) {
		next = e->next;
		free(e);
	}
	shim__forget_records();
	memset((char *)&shim + offsetof(struct shim, pages), 0,
	       sizeof(shim) - offsetof(struct shim, pages));
	shim.lacks = "old->rss_stat.count old->flags renamed->compound_info"; /* Linux 6.12 */
	cfg_function = false;
	cfg_flush = false;
	cfg_cpus = SHIM_CPUS;
	counters.type = (void *)&shim.areas[0].counters; /* in the place of pptrs */
	cfg_fault_entry_start = cfg_fault_entry_end = 0;
	shim__direct_reset();
}

/* --- user memory --- */

static inline uint8_t *shim__bring(uint64_t address)
{
	uint8_t *page;

	assert_true(shim.n_pages < SHIM_PAGES);
	page = calloc(1, 4096);
	assert_non_null(page);
	if (!shim.bring(address, page)) {
		free(page);
		return NULL;
	}
	shim.pages[shim.n_pages++] = (struct shim_page){address, page};
	shim__direct_map(address, page);
	return page;
}

static SHIM_DULL inline uint8_t *user__page(uint64_t address)
{
	const struct shim_page *last = &shim.pages[shim.last_page];

	if (shim.last_page < shim.n_pages && last->address == (address & ~4095ull))
		return last->bytes;
	for (size_t i = 0; i < shim.n_pages; i++) {
		if (shim.pages[i].address != (address & ~4095ull))
			continue;
		shim.last_page = i;
		return shim.pages[i].bytes;
	}
	return shim.bring ? shim__bring(address & ~4095ull) : NULL;
}

/* Where address is in the test's memory; the page becomes present. */
static inline uint8_t *user__at(uint64_t address)
{
	uint8_t *page = user__page(address);

	if (!page) {
		assert_true(shim.n_pages < SHIM_PAGES);
		page = calloc(1, 4096);
		assert_non_null(page);
		shim.pages[shim.n_pages++] = (struct shim_page){address & ~4095ull, page};
		shim__direct_map(address, page);
	}
	return page + (address & 4095);
}

static inline void user__unmap(uint64_t address)
{
	for (size_t i = 0; i < shim.n_pages; i++) {
		if (shim.pages[i].address != (address & ~4095ull))
			continue;
		shim__direct_map(address, NULL);
		free(shim.pages[i].bytes);
		shim.pages[i] = shim.pages[--shim.n_pages];
		return;
	}
	fail_msg("no page at %lx", (unsigned long)address);
}

static inline void user__write(uint64_t address, const void *src, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*user__at(address + i) = ((const uint8_t *)src)[i];
}

static inline void user__set64(uint64_t address, uint64_t value)
{
	user__write(address, &value, sizeof(value));
}

static inline void user__set32(uint64_t address, uint32_t value)
{
	user__write(address, &value, sizeof(value));
}

static SHIM_DULL inline bool user__copy(uint8_t *dst, uint64_t from, uint32_t size)
{
	const uint8_t *page;

	for (uint32_t i = 0, n; i < size; i += n) {
		page = user__page(from + i);
		if (!page)
			return false;
		n = 4096 - ((from + i) & 4095);
		n = n < size - i ? n : size - i;
		memcpy(dst + i, page + ((from + i) & 4095), n);
	}
	return true;
}

/* All or nothing, and nothing means zeroes: as the kernel has it. */
static long bpf_probe_read_user(void *dst, uint32_t size, const void *src)
{
	bool good = user__copy(dst, (uintptr_t)src, size);

	assert_true(shim.n_reads < SHIM_READS);
	shim.helper_reads++;
	shim.reads[shim.n_reads++] = (struct shim_read){(uintptr_t)src, size, !good};
	if (good)
		return 0;
	memset(dst, 0, size);
	return -EFAULT;
}

/* Words of the kernel's map. The first load of a span counts as a read. */
static void *shim__direct_load(const void *obj)
{
	uint64_t frame = ((uintptr_t)obj - SHIM_DIRECT) / 4096;
	bool data = frame < shim_direct.n_frames && shim_direct.address[frame];

	if (shim_direct.meanwhile)
		shim_direct.meanwhile(shim_direct.loads + 1);
	shim_direct.loads++;
	assert_true(shim.n_reads < SHIM_READS);
	if (data && shim_direct.in_table)
		shim.reads[shim.n_reads++] = (struct shim_read){
			shim_direct.address[frame] + (uintptr_t)obj % 4096, 8, false};
	shim_direct.in_table = !data;
	return shim__direct_at((uintptr_t)obj);
}

void *bpf_rdonly_cast(const void *obj, u32 type)
{
	bool words = type == bpf_core_type_id_kernel(struct pt_regs);

	return words ? shim__direct_load(obj) : (void *)obj;
}

static long bpf_probe_read_kernel(void *dst, uint32_t size, const void *src)
{
	if ((uintptr_t)src >= 4096) {
		memcpy(dst, src, size);
		return 0;
	}
	memset(dst, 0, size);
	return -EFAULT;
}

/* Up to the end of the string or of the room, which is always terminated; its size with the 0. */
static long bpf_probe_read_user_str(void *dst, uint32_t size, const void *src)
{
	uint8_t *to = dst;

	assert_true(size > 0);
	for (uint32_t i = 0; i < size; i++) {
		if (!user__copy(&to[i], (uintptr_t)src + i, 1)) {
			memset(dst, 0, size);
			return -EFAULT;
		}
		if (!to[i])
			return i + 1;
	}
	to[size - 1] = 0;
	return size;
}

/* --- maps --- */

struct shim_map {
	size_t key, value;
	uint64_t entries;
	bool array;
};

static inline struct shim_map shim__map(const void *map)
{
#define SHIM_TYPE(name) (sizeof(*(name).type) / sizeof(int))
#define SHIM_MAP(name)                                                                             \
	if (map == &(name))                                                                        \
		return (struct shim_map){                                                          \
			.key = sizeof(*(name).key),                                                \
			.value = sizeof(*(name).value),                                            \
			.entries = sizeof(*(name).max_entries) / sizeof(int),                      \
			.array = SHIM_TYPE(name) == BPF_MAP_TYPE_ARRAY ||                          \
				 SHIM_TYPE(name) == BPF_MAP_TYPE_PERCPU_ARRAY,                     \
		};
	SHIM_MAP(procs)
	SHIM_MAP(new_thread)
#ifdef CT_LEGACY
	SHIM_MAP(threads)
#endif
	SHIM_MAP(wanted)
	SHIM_MAP(proc_layouts)
	SHIM_MAP(layouts)
	SHIM_MAP(stacks_seen)
	SHIM_MAP(codes_seen)
	SHIM_MAP(types_seen)
	SHIM_MAP(counters)
	SHIM_MAP(lost)
	SHIM_MAP(scratch_addresses)
	fail_msg("not a map");
	return (struct shim_map){};
}

static SHIM_DULL inline struct shim_element *shim__element(const void *map, uint64_t key)
{
	for (struct shim_element *e = shim.elements; e; e = e->next)
		if (e->map == map && e->key == key)
			return e;
	return NULL;
}

static inline struct shim_element *shim__add(const void *map, uint64_t key, size_t size)
{
	struct shim_element *e = calloc(1, sizeof(*e) + (size + 7) / 8 * 8);

	assert_non_null(e);
	e->map = map;
	e->key = key;
	e->next = shim.elements;
	shim.elements = e;
	return e;
}

/* Arrays (one CPU) are full of zeroes from the start. */
static void *bpf_map_lookup_elem(void *map, const void *key)
{
	struct shim_map m = shim__map(map);
	struct shim_element *e;
	uint64_t number = 0;

	memcpy(&number, key, m.key);
	e = shim__element(map, number);
	if (!e && m.array && number < m.entries)
		e = shim__add(map, number, m.value);
	return e ? e->value : NULL;
}

static long bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags)
{
	struct shim_map m = shim__map(map);
	struct shim_element *e;
	uint64_t number = 0;

	assert_true(flags == BPF_ANY || flags == BPF_NOEXIST);
	memcpy(&number, key, m.key);
	e = shim__element(map, number);
	if (e && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!e && map == &threads && shim.no_storage)
		return -E2BIG;
	if (!e)
		e = shim__add(map, number, m.value);
	memcpy(e->value, value, m.value);
	return 0;
}

static long bpf_map_delete_elem(void *map, const void *key)
{
	struct shim_map m = shim__map(map);
	struct shim_element *e;
	uint64_t number = 0;

	memcpy(&number, key, m.key);
	for (struct shim_element **p = &shim.elements; (e = *p); p = &e->next) {
		if (e->map != map || e->key != number)
			continue;
		*p = e->next;
		free(e);
		return 0;
	}
	return -ENOENT;
}

static void *bpf_map_lookup_percpu_elem(void *map, const void *key, uint32_t cpu)
{
	assert_ptr_equal(map, &counters);
	assert_int_equal(*(const uint32_t *)key, 0);
	return cpu < SHIM_CPUS ? &shim.areas[cpu].counters : NULL;
}

static void *bpf_task_storage_get(void *map, void *task, void *value, uint64_t flags)
{
	struct shim_element *e = shim__element(map, (uintptr_t)task);

	if (!e && flags & BPF_LOCAL_STORAGE_GET_F_CREATE && !shim.no_storage)
		e = shim__add(map, (uintptr_t)task, sizeof(struct thread));
	if (e)
		((struct task_struct *)task)->bpf_storage = (void *)e;
	return e ? e->value : NULL;
}

/* --- ring buffers --- */

static void *bpf_ringbuf_reserve(void *ring, uint64_t size, uint64_t flags)
{
	struct shim_record *r = &shim.records[shim.n_records];

	if (ring == &meta ? shim.meta_full : shim.copies_full)
		return NULL;
	assert_true(shim.n_records < SHIM_RECORDS);
	assert_true(size <= sizeof(*r) - offsetof(struct shim_record, tag));
	memset(&r->tag, 0xa5, size); /* what a ring has before it is written: anything */
	r->ring = ring;
	r->size = size;
	shim.n_records++;
	return &r->tag;
}

static void bpf_ringbuf_submit(void *data, uint64_t flags)
{
	struct shim_record *r = (void *)((char *)data - offsetof(struct shim_record, tag));

	assert_false(r->submitted);
	r->submitted = true;
}

static long bpf_ringbuf_output(void *ring, void *data, uint64_t size, uint64_t flags)
{
	void *to = bpf_ringbuf_reserve(ring, size, 0);

	if (!to)
		return -EAGAIN;
	memcpy(to, data, size);
	bpf_ringbuf_submit(to, 0);
	shim.wakeups += flags == BPF_RB_FORCE_WAKEUP;
	return 0;
}

static uint64_t bpf_ringbuf_query(void *ring, uint64_t flags)
{
	assert_int_equal(flags, BPF_RB_AVAIL_DATA);
	return shim.waiting;
}

/* --- the rest --- */

static uint64_t bpf_ktime_get_ns(void)
{
	return ++shim.now;
}

static void *bpf_get_current_task_btf(void)
{
	return shim.current;
}

static uint64_t bpf_get_current_task(void)
{
	return (uintptr_t)shim.current;
}

static uint64_t bpf_get_current_pid_tgid(void)
{
	return (uint64_t)shim.current->tgid << 32 | (uint32_t)shim.current->pid;
}

static long bpf_task_pt_regs(void *task)
{
	assert_ptr_equal(task, shim.current);
	return (long)shim.regs;
}

static long bpf_get_stack(void *ctx, void *buf, uint32_t size, uint64_t flags)
{
	size_t n = shim.kernel_depth * 8 < size ? shim.kernel_depth * 8 : size;

	memcpy(buf, shim.kernel_stack, n);
	return (long)n;
}

static inline long bpf_loop(uint32_t n, void *turn, void *ctx, uint64_t flags)
{
	long (*call)(uint32_t i, void *ctx) = (long (*)(uint32_t, void *))turn;
	uint32_t i = 0;

	assert_int_equal(flags, 0);
	while (i < n && !call(i, ctx))
		i++;
	return i;
}

static bool shim__has_field(const char *member)
{
	return !strstr(shim.lacks, member);
}

#endif
