/* SPDX-License-Identifier: MIT */
/* Which word around the address points to a type, and what is sent of it. */
#include "python_stack.h"

#define ADDR	0x7f4000000100ul /* of an object: a multiple of 16 */
#define TYPES	0x7f4100000000ul
#define META	0x7f4200000000ul
#define STRINGS 0x7f4300000000ul

static uint64_t type_at(unsigned int n)
{
	return TYPES + 2048 * (uint64_t)n;
}

static void meta__make(uint64_t flags)
{
	user__set64(META + lay.type_flags, flags);
}

static void type__make(unsigned int n, uint64_t flags)
{
	char text[32];

	for (unsigned int i = 0; i < lay.type_flags + 8; i += 8)
		user__set64(type_at(n) + i, 0x1000 * n + i);
	user__set64(type_at(n) + lay.object_type, META);
	user__set64(type_at(n) + lay.type_name, STRINGS + 64 * n);
	user__set64(type_at(n) + lay.type_basicsize, 32 + 8 * n);
	user__set64(type_at(n) + lay.type_flags, flags);
	snprintf(text, sizeof(text), "module.Type%u", n);
	user__write(STRINGS + 64 * n, text, strlen(text) + 1);
}

static uint32_t digest_of(unsigned int n)
{
	uint64_t name = user__get64(type_at(n) + lay.type_name);
	uint64_t flags = user__get64(type_at(n) + lay.type_flags);
	__u64 text[CT_TYPE_NAME_WORDS] = {};

	for (size_t i = 0; flags & CT_TYPE_HEAP && i < sizeof(text) - 1 && *user__at(name + i); i++)
		memcpy((char *)text + i, user__at(name + i), 1);
	return ct_type_digest(name, user__get64(type_at(n) + lay.type_basicsize), flags, text);
}

/* A process with three types: 0 static, 1 and 2 on the heap. */
static void types__begin(uint32_t version)
{
	python__begin(version, true);
	meta__make(TYPE_READY | TYPE_SUBCLASS);
	type__make(0, TYPE_READY);
	type__make(1, TYPE_READY | CT_TYPE_HEAP);
	type__make(2, TYPE_READY | CT_TYPE_HEAP);
}

/* Looks at a window that has these words behind the address, from word 3 on. */
static int find(uint64_t addr, const uint64_t words[6])
{
	struct ct_copy *ev = &thread.event;

	ev->addr = addr;
	ev->flags |= CT_F_WINDOW;
	memset(ev->window, 0, sizeof(ev->window));
	memcpy(&ev->window[3], words, 6 * sizeof(words[0]));
	ev->type_word = 0;
	ev->type_check = 0;
	type__find(&thread, &lay);
	return ev->type_word;
}

#define FIND(addr, ...) find(addr, (const uint64_t[6]){__VA_ARGS__})

static const struct ct_memory *last_type(void)
{
	const struct shim_record *r = &shim.records[shim.n_records - 1];

	assert_true(shim.n_records > 0);
	assert_ptr_equal(r->ring, &meta);
	assert_true(r->submitted);
	assert_int_equal(r->size, sizeof(struct ct_memory) + CT_MEMORY_TYPE_BYTES);
	return &r->memory;
}

static void every_place_is_found(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		for (unsigned int word = 4; word < CT_WINDOW_WORDS; word++) {
			for (uint64_t addr = ADDR; addr < ADDR + 16; addr++) {
				uint64_t words[6] = {1, 2, 3, 4, 5, 6};

				types__begin(*v);
				words[word - 3] = type_at(1);
				assert_int_equal(find(addr, words), word);
				assert_int_equal(thread.event.type_check, digest_of(1));
			}
		}
	}
}

/* An object's type is an odd number of words behind a multiple of 16. */
static void aligned_objects_come_first(void **state)
{
	const uint64_t a = type_at(1), b = type_at(2);

	(void)state;
	types__begin(0x030d);
	assert_int_equal(FIND(ADDR, 1, a, b), 4);
	assert_int_equal(FIND(ADDR, 1, 0, b, a), 6);
	assert_int_equal(FIND(ADDR, 1, 0, b, 0, 0, a), 8);
	assert_int_equal(FIND(ADDR + 8, 1, a, b), 5);
	assert_int_equal(FIND(ADDR + 8, 1, a, 0, 0, b), 7);
	assert_int_equal(FIND(ADDR + 12, 1, a, b), 5); /* free-threaded: ob_ref_local */
	/* a pool has no others */
	thread.event.flags = CT_F_POOL;
	assert_int_equal(FIND(ADDR + 8, 1, a), 0);
	assert_int_equal(FIND(ADDR + 8, 1, 0, 0, 0, 0, a), 0);
	assert_int_equal(FIND(ADDR, 1, 0, a), 0);
	assert_int_equal(FIND(ADDR, 1, 0, 0, a), 6);
	thread.event.flags = 0;
	types__begin(0x030d);
	memset(thread.event.window, 0, sizeof(thread.event.window));
	thread.event.addr = ADDR; /* the window could not be read */
	thread.event.window[4] = a;
	type__find(&thread, &lay);
	assert_int_equal(thread.event.type_word, 0);
	assert_int_equal(shim.n_reads, 0);
}

static void a_type_is_sent_once_per_process(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		const struct ct_memory *rec;
		size_t len = strlen("module.Type1") + 1;

		types__begin(*v);
		FIND(ADDR, 1, type_at(1));
		rec = last_type();
		assert_int_equal(rec->tag, CT_MEMORY);
		assert_int_equal(rec->pid, 100);
		assert_int_equal(rec->addr, type_at(1));
		assert_int_equal(rec->layout, SLOT);
		assert_int_equal(rec->check, digest_of(1));
		assert_int_equal(rec->kind, CT_MEMORY_TYPE);
		assert_int_equal(rec->pad, 0);
		assert_int_equal(rec->chunks[0].addr, type_at(1));
		assert_int_equal(rec->chunks[0].len, lay.type_flags + 8);
		for (unsigned int i = 0; i < lay.type_flags + 8; i += 8)
			assert_int_equal(*(uint64_t *)(rec->data + rec->chunks[0].at + i),
					 user__get64(type_at(1) + i));
		assert_int_equal(rec->chunks[1].addr, STRINGS + 64);
		assert_int_equal(rec->chunks[1].len, len);
		assert_string_equal((char *)rec->data + rec->chunks[1].at, "module.Type1");
		assert_int_equal(rec->chunks[2].addr, META + lay.type_flags);
		assert_int_equal(rec->chunks[2].len, 8);
		assert_int_equal(*(uint64_t *)(rec->data + rec->chunks[2].at),
				 TYPE_READY | TYPE_SUBCLASS);
		assert_int_equal(rec->chunks[3].addr, META + lay.object_type);
		assert_int_equal(rec->chunks[3].len, 8);
		FIND(ADDR, 1, type_at(1));
		assert_int_equal(shim.n_records, 1);
		FIND(ADDR, 1, type_at(0));
		FIND(ADDR, 1, type_at(2));
		FIND(ADDR, 1, type_at(0));
		assert_int_equal(shim.n_records, 3);
		/* what is at the address in another process is not known */
		memset(&thread.types, 0, sizeof(thread.types));
		thread.event.pid = 101;
		FIND(ADDR, 1, type_at(1));
		FIND(ADDR, 1, type_at(0));
		assert_int_equal(shim.n_records, 5);
	}
}

static void long_names_are_cut(void **state)
{
	(void)state;
	types__begin(0x030d);
	for (unsigned int i = 0; i < 300; i++)
		*user__at(STRINGS + 4096 + i) = 'x';
	user__set64(type_at(1) + lay.type_name, STRINGS + 4096);
	assert_int_equal(FIND(ADDR, 1, type_at(1)), 4);
	assert_int_equal(last_type()->chunks[1].len, TYPE_NAME_MAX);
	assert_int_equal(last_type()->data[last_type()->chunks[1].at + TYPE_NAME_MAX - 1], 0);
	user__set64(type_at(2) + lay.type_name, NOWHERE); /* not resident */
	assert_int_equal(FIND(ADDR, 1, type_at(2)), 4);
	assert_int_equal(last_type()->chunks[1].len, 0);
	assert_int_equal(last_type()->chunks[1].addr, NOWHERE);
}

static void what_is_no_type(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		types__begin(*v);
#define NO_TYPE(change)                                                                            \
	type__make(1, TYPE_READY | CT_TYPE_HEAP);                                                  \
	meta__make(TYPE_READY | TYPE_SUBCLASS);                                                    \
	assert_int_equal(FIND(ADDR, 1, type_at(1)), 4);                                            \
	shim__forget_types();                                                                      \
	change;                                                                                    \
	assert_int_equal(FIND(ADDR, 1, type_at(1)), 0);                                            \
	assert_int_equal(thread.event.type_check, 0)
#define shim__forget_types() (thread.event.pid++)
		NO_TYPE(user__set64(type_at(1) + lay.type_flags, CT_TYPE_HEAP));
		NO_TYPE(user__set64(type_at(1) + lay.type_basicsize, 15));
		NO_TYPE(user__set64(type_at(1) + lay.type_basicsize, (16 << 20) + 1));
		NO_TYPE(user__set64(type_at(1) + lay.type_basicsize, ~0ull));
		NO_TYPE(meta__make(TYPE_READY));
		NO_TYPE(user__set64(type_at(1) + lay.object_type, 0));
		NO_TYPE(user__set64(type_at(1) + lay.object_type, NOWHERE));
		NO_TYPE(user__set64(type_at(1) + lay.object_type, META + 1));
		NO_TYPE(user__set64(type_at(1) + lay.object_type, 0xffff888000000000));
		NO_TYPE(user__unmap(type_at(1)));
	}
}

/* A read that fails costs as much as a fault: not for what is no address. */
static void wild_words_are_not_followed(void **state)
{
	static const uint64_t wild[] = {1, 8, 0xfff8, 0x7f4000000004, 0x800000000000, ~0ull, ~7ull,
					0xffff888000000000,
					/* two small numbers: the end of a pool's header */
					0x3fe000003ff0, 0x100000008, 0x100000000};

	(void)state;
	types__begin(0x030d);
	for (size_t i = 0; i < N(wild); i++)
		assert_int_equal(FIND(ADDR, wild[i], wild[i], wild[i], wild[i], wild[i], wild[i]),
				 0);
	assert_int_equal(shim.n_reads, 0);
}

/* A static type stays; one on the heap can be another the next time. */
static void static_types_are_remembered(void **state)
{
	(void)state;
	EACH_PYTHON
	{
		uint32_t check;

		types__begin(*v);
		FIND(ADDR, 1, type_at(0));
		check = thread.event.type_check;
		shim.n_reads = 0;
		assert_int_equal(FIND(ADDR, 1, type_at(0)), 4);
		assert_int_equal(thread.event.type_check, check);
		assert_int_equal(shim.n_reads, 0);
		thread.execs++; /* another program */
		user__set64(type_at(0) + lay.type_basicsize, 64);
		assert_int_equal(FIND(ADDR, 1, type_at(0)), 4);
		assert_int_equal(thread.event.type_check, digest_of(0));
		assert_int_not_equal(thread.event.type_check, check);

		FIND(ADDR, 1, type_at(1));
		check = thread.event.type_check;
		assert_int_equal(check, digest_of(1));
		user__set64(type_at(1) + lay.type_name, STRINGS + 128);
		FIND(ADDR, 1, type_at(1));
		assert_int_equal(thread.event.type_check, digest_of(1));
		assert_int_not_equal(thread.event.type_check, check);
		/* Py_TPFLAGS_VALID_VERSION_TAG comes and goes */
		check = thread.event.type_check;
		user__set64(type_at(1) + lay.type_flags, TYPE_READY | CT_TYPE_HEAP | 1 << 19);
		FIND(ADDR, 1, type_at(1));
		assert_int_equal(thread.event.type_check, check);
	}
}

/* The name of a static type lies in a file, of which a process that was just forked has mapped
 * nothing: its digest is the same as ever, and as the daemon's, who can read the name. */
static void a_name_that_is_not_mapped(void **state)
{
	uint32_t check;

	(void)state;
	EACH_PYTHON
	{
		types__begin(*v);
		user__set64(type_at(0) + lay.type_name, NOWHERE);
		FIND(ADDR, 1, type_at(0));
		check = thread.event.type_check;
		assert_int_equal(check, digest_of(0));

		types__begin(*v);
		user__set64(type_at(0) + lay.type_name, NOWHERE);
		user__write(NOWHERE, "int", 4);
		FIND(ADDR, 1, type_at(0));
		assert_int_equal(thread.event.type_check, check);
	}
}

/* More static types than are remembered. */
static void many_types(void **state)
{
	(void)state;
	types__begin(0x030d);
	for (unsigned int n = 0; n < 50; n++)
		type__make(n, TYPE_READY);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int n = 0; n < 50; n++) {
			assert_int_equal(FIND(ADDR, 1, type_at(n)), 4);
			assert_int_equal(thread.event.type_check, digest_of(n));
		}
		assert_int_equal(shim.n_records, 50);
	}
}

static void a_lost_type_is_sent_the_next_time(void **state)
{
	(void)state;
	types__begin(0x030d);
	shim.meta_full = true;
	assert_int_equal(FIND(ADDR, 1, type_at(1)), 4);
	assert_int_equal(thread.event.type_check, digest_of(1));
	assert_int_equal(counter(CT_COUNT_META_LOST), 1);
	assert_int_equal(FIND(ADDR, 1, type_at(0)), 4);
	shim.meta_full = false;
	assert_int_equal(FIND(ADDR, 1, type_at(1)), 4);
	assert_int_equal(FIND(ADDR, 1, type_at(0)), 4);
	assert_int_equal(shim.n_records, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_place_is_found),
		TEST(aligned_objects_come_first),
		TEST(a_type_is_sent_once_per_process),
		TEST(long_names_are_cut),
		TEST(what_is_no_type),
		TEST(wild_words_are_not_followed),
		TEST(static_types_are_remembered),
		TEST(a_name_that_is_not_mapped),
		TEST(many_types),
		TEST(a_lost_type_is_sent_the_next_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
