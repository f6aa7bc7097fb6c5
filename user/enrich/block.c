/* SPDX-License-Identifier: MIT */
#include "enrich/block.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <cowtrace/abi.h>

#include "enrich/image.h"
#include "enrich/view.h"
#include "model/facts.h"
#include "proc/chunk.h"
#include "proc/slot.h"
#include "python/mimalloc.h"
#include "python/offsets.h"
#include "python/raw.h"

/* struct pool_header, 3.8 to 3.15: ref.count, freeblock, szidx, nextoffset, maxnextoffset. */
#define POOL_HEADER	48
#define POOL_COUNT	0
#define POOL_FREE	8
#define POOL_SIZE_INDEX 36
#define POOL_NEXT	40
#define POOL_MAX_NEXT	44
#define POOL_SIZES	32
/* After that many failed searches in a MiB of addresses, only every 64th goes far; and after so
 * many of them in a row, wherever, only the first in each. */
#define MISSES	   3
#define MISS_SHIFT 20
#define MAX_FAILED 32
/* A mapping in which so many searches in a row found nothing is none of malloc's, but a program's
 * own. The more have failed there, the fewer pages are searched: one in 16, and in the end one in
 * 1024; all of them again once something is found. */
#define BARREN	   256
#define BARREN_MIN 16
#define BARREN_MAX 1024
/* After so many in a row it is only now and then that one goes far. */
#define BARREN_FAR 16
/* Thread states of one interpreter that are looked at. */
#define MAX_THREADS 32

/*
 * A block that has just been taken from the free list still holds the link to the next free one,
 * which is the head of the list by now; one that is at its head is being given back; one that holds
 * 0 is the last of the list, or has never been used.
 */
static bool is_handed_out(const struct view *v, uint64_t start, uint64_t first_free)
{
	uint64_t word;

	if (start == first_free)
		return true;
	if (!view__in_window(v, start) || !view__word(v, start, &word))
		return false;
	return first_free && word == first_free;
}

static void set_pool(struct view *v, unsigned int size_index, uint64_t first_free)
{
	struct fault_facts *f = v->facts;
	struct block_fact *b = &f->block;
	uint64_t pool = f->addr & ~((uint64_t)v->off->pymalloc_pool_size - 1);

	b->allocator = BLOCK_PYMALLOC;
	b->header = f->addr - pool < POOL_HEADER;
	b->size = 16 * (size_index + 1u);
	b->start = pool;
	if (b->header)
		return;
	b->start = pool + POOL_HEADER + (f->addr - pool - POOL_HEADER) / b->size * b->size;
	b->is_free = is_handed_out(v, b->start, first_free);
}

void block__of_pool(struct view *v)
{
	const struct ct_copy *copy = v->copy;

	if (copy->flags & CT_F_POOL && v->off->pymalloc_pool_size != PY_NO_OFFSET)
		set_pool(v, copy->pool_szidx, copy->pool_free);
}

/* The kernel side takes what looks like a reference count for one, and leaves the pool out. The
 * test is the same as its own. */
static void of_pymalloc(struct view *v)
{
	uint32_t size = v->off->pymalloc_pool_size, block, index, count;
	uint64_t pool = v->facts->addr & ~((uint64_t)size - 1);
	uint8_t h[POOL_HEADER];

	if (size == PY_NO_OFFSET || mem__read(&v->mem, pool, h, sizeof(h)))
		return;
	index = raw__u32(h, POOL_SIZE_INDEX);
	count = raw__u32(h, POOL_COUNT);
	block = 16 * (index + 1);
	if (index < POOL_SIZES && raw__u32(h, POOL_MAX_NEXT) == size - block &&
	    raw__u32(h, POOL_NEXT) <= size && count && count <= (size - POOL_HEADER) / block)
		set_pool(v, index, raw__u64(h, POOL_FREE));
}

static void of_mimalloc(struct view *v)
{
	struct block_fact *b = &v->facts->block;
	struct mi_block block;

	if (mimalloc__find(&v->mem, v->off, v->facts->addr, &block))
		return;
	b->allocator = BLOCK_MIMALLOC;
	b->header = block.metadata;
	b->start = block.start;
	b->size = block.size;
	b->is_free = !b->header && is_handed_out(v, block.start, block.first_free);
}

/* The state of an interpreter or of one of its threads, in memory of malloc (up to 3.10; later the
 * first of each lie in _PyRuntime). */
static bool is_interpreter(const struct view *v, uint64_t start)
{
	uint64_t interp, thread;

	if (!view__word(v, v->image->python.runtime + v->off->runtime_interpreters_head, &interp) ||
	    interp == start)
		return interp == start;
	if (!view__word(v, interp + v->off->interp_threads_head, &thread))
		return false;
	for (unsigned int i = 0; i < MAX_THREADS && thread; i++) {
		if (thread == start)
			return true;
		if (!view__word(v, thread + v->off->tstate_next, &thread))
			return false;
	}
	return false;
}

/* Workers have what their parent had: what was found in one is looked up for all of its image. */
static bool cache__find(const struct view *v, struct chunk *out)
{
	const struct block_cache *cache = v->blocks;
	uint64_t addr = v->facts->addr, word;

	for (size_t i = 0; i < BLOCK_SLOTS; i++) {
		const struct block_slot *s = &cache->slots[i];

		if (s->image != v->image->id || addr - s->chunk.start >= s->chunk.size ||
		    mem__read_u64(&v->mem, s->chunk.start - 8, &word) || word != s->head)
			continue;
		*out = s->chunk;
		return true;
	}
	return false;
}

static void cache__add(const struct view *v, const struct chunk *chunk)
{
	struct block_cache *cache = v->blocks;
	struct block_slot *s = &cache->slots[cache->next++ % BLOCK_SLOTS];
	uint64_t word;

	if (mem__read_u64(&v->mem, chunk->start - 8, &word) == 0)
		*s = (struct block_slot){.image = v->image->id, .head = word, .chunk = *chunk};
}

static struct block_miss *cache__miss(const struct view *v)
{
	uint64_t place = v->facts->addr >> MISS_SHIFT;
	struct block_miss *m = &v->blocks->misses[(place ^ v->image->id) % BLOCK_MISSES];

	if (m->image != v->image->id || m->place != place)
		*m = (struct block_miss){.image = v->image->id, .place = place};
	return m;
}

static struct block_barren *cache__barren(const struct view *v)
{
	uint64_t start = v->facts->region.start;
	size_t at = (start >> 12 ^ start >> 20 ^ v->image->id) % BLOCK_BARREN;
	struct block_barren *b = &v->blocks->barren[at];

	if (b->image != v->image->id || b->start != start)
		*b = (struct block_barren){.image = v->image->id, .start = start};
	return b;
}

static bool is_barren(const struct block_barren *b)
{
	return b->failed >= BARREN;
}

/* One in how many pages of such a mapping is searched. */
static uint32_t barren__step(const struct block_barren *b)
{
	uint32_t step = b->failed / BARREN_MIN;

	return step < BARREN_MAX ? step : BARREN_MAX;
}

static bool is_power_of_two(uint32_t n)
{
	return !(n & (n - 1));
}

/* A far search costs a millisecond: not again where several have failed, nor too often at all. */
static bool may_go_far(struct block_cache *cache, const struct block_miss *miss)
{
	return miss->times % 64 == 0 || (miss->times < MISSES && cache->failed < MAX_FAILED);
}

/* The C library may be musl where it is not known to be glibc. */
static int ask_malloc(const struct view *v, const struct chunk_space *space, bool far,
		      struct chunk *out)
{
	struct chunk_scratch *scratch = &v->blocks->scratch;
	uint64_t addr = v->facts->addr;
	int err = chunk__find(&v->mem, addr, space, far, scratch, out);

	if (err != -ENOENT || v->image->python.pthread_specific)
		return err;
	return slot__find(&v->mem, addr, space, far, scratch, out);
}

static bool find_chunk(struct view *v, struct chunk *out)
{
	const struct fault_facts *f = v->facts;
	struct chunk_space space = {.low = f->region.start,
				    .high = f->region.end,
				    .brk = f->region.kind == REGION_HEAP};
	struct block_miss *miss;
	struct block_barren *barren;
	bool far;
	int err;

	if (cache__find(v, out))
		return true;
	miss = cache__miss(v);
	barren = cache__barren(v);
	if (is_barren(barren) && barren->asked++ % barren__step(barren))
		return false;
	far = barren->failed < BARREN_FAR ? may_go_far(v->blocks, miss)
					  : is_power_of_two(barren->failed);
	err = ask_malloc(v, &space, far, out);
	if (err == -ENOENT) {
		miss->times++;
		barren->failed++;
		v->blocks->failed += far;
	}
	if (err)
		return false;
	barren->failed = 0;
	if (f->addr - out->start < 4096)
		return true; /* found soon enough the next time */
	v->blocks->failed = 0;
	cache__add(v, out);
	return true;
}

static void of_malloc(struct view *v)
{
	struct fault_facts *f = v->facts;
	struct block_fact *b = &f->block;
	struct chunk chunk;

	if (!find_chunk(v, &chunk))
		return;
	b->allocator = BLOCK_MALLOC;
	b->start = chunk.start;
	b->size = chunk.size;
	f->interpreter = is_interpreter(v, chunk.start);
}

/*
 * The debug hooks' own header, if the window shows it: two words before the block, its size in
 * big-endian and a byte 'o', 'm' or 'r' with seven 0xfd (Objects/obmalloc.c, 3.8 to 3.15). What
 * lies around it may have been given back to malloc by the time that the process is asked.
 */
static void of_debug_hooks(struct view *v)
{
	struct fault_facts *f = v->facts;
	uint64_t at = f->addr & ~7ull, word, size;

	for (uint64_t pad = at - 8; view__in_window(v, pad - 8); pad -= 8) {
		if (!view__word(v, pad, &word) || word >> 8 != DEBUG_PAD >> 8 ||
		    !view__word(v, pad - 8, &size))
			continue;
		f->block.allocator = BLOCK_MALLOC;
		f->block.start = pad + 8;
		f->block.size = be64toh(size);
		return;
	}
}

void block__of_process(struct view *v)
{
	const struct fault_facts *f = v->facts;

	if (f->block.allocator || (f->region.kind != REGION_ANON && f->region.kind != REGION_HEAP))
		return;
	if (f->free_threaded && f->region.kind == REGION_ANON)
		of_mimalloc(v);
	else
		of_pymalloc(v);
	if (!f->block.allocator)
		of_malloc(v);
	if (!f->block.allocator)
		of_debug_hooks(v);
}
