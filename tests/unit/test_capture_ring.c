/* SPDX-License-Identifier: MIT */
/* The daemon's end of a ring buffer, over a file that is laid out as the kernel's is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include "base/cleanup.h"
#include "capture/ring.h"

#define PAGE	4096ul
#define SIZE	(2 * PAGE)
#define HEADER	8
#define LONGEST 208
#define MOST	64

struct world {
	int fd;
	uint64_t *consumer, *producer;
	uint8_t *data;
	struct ring *ring;
	size_t n;
	size_t sizes[MOST];
	uint8_t bytes[MOST][LONGEST];
};

static void on_record(void *ctx, const void *data, size_t size)
{
	struct world *w = ctx;

	assert_true(w->n < MOST);
	assert_true(size <= LONGEST);
	assert_int_equal((uintptr_t)data % 8, 0);
	w->sizes[w->n] = size;
	memcpy(w->bytes[w->n++], data, size);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	uint8_t *all;

	assert_non_null(w);
	w->fd = memfd_create("ring", MFD_CLOEXEC);
	assert_true(w->fd >= 0);
	assert_int_equal(ftruncate(w->fd, (off_t)(2 * PAGE + SIZE)), 0);
	all = mmap(NULL, 2 * PAGE + SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	assert_true(all != MAP_FAILED);
	w->consumer = (uint64_t *)all;
	w->producer = (uint64_t *)(all + PAGE);
	w->data = all + 2 * PAGE;
	assert_int_equal(ring__new(w->fd, SIZE, LONGEST, on_record, w, &w->ring), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ring__free(w->ring);
	munmap(w->consumer, 2 * PAGE + SIZE);
	close(w->fd);
	free(w);
	return 0;
}

/* A record of so many bytes, all of them `fill`. */
static uint64_t write_record(struct world *w, uint32_t flags, uint32_t len, uint8_t fill)
{
	uint64_t at = *w->producer;
	uint32_t word = len | flags;

	memcpy(w->data + at % SIZE, &word, sizeof(word));
	for (uint32_t i = 0; i < len; i++)
		w->data[(at + HEADER + i) % SIZE] = fill;
	*w->producer += HEADER + (len + 7) / 8 * 8;
	return at;
}

static void assert_record(const struct world *w, size_t i, size_t len, uint8_t fill)
{
	assert_true(i < w->n);
	assert_int_equal(w->sizes[i], len);
	for (size_t k = 0; k < len; k++)
		assert_int_equal(w->bytes[i][k], fill);
}

static void test_hands_over_all_and_gives_back_their_room(void **state)
{
	struct world *w = *state;

	assert_int_equal(ring__take(w->ring, 0), 0);
	write_record(w, 0, 208, 1);
	write_record(w, 0, 24, 2);
	write_record(w, 0, 13, 3);
	assert_int_equal(ring__take(w->ring, 0), 3);
	assert_record(w, 0, 208, 1);
	assert_record(w, 1, 24, 2);
	assert_record(w, 2, 13, 3);
	assert_int_equal(*w->consumer, *w->producer);
	assert_int_equal(ring__take(w->ring, 0), 0);
}

static void test_stops_before_one_that_is_being_written(void **state)
{
	struct world *w = *state;
	uint64_t at;
	uint32_t done = 24;

	write_record(w, 0, 24, 1);
	at = write_record(w, BPF_RINGBUF_BUSY_BIT, 24, 2);
	write_record(w, 0, 24, 3);
	assert_int_equal(ring__take(w->ring, 0), 1);
	assert_int_equal(*w->consumer, at);
	memcpy(w->data + at % SIZE, &done, sizeof(done));
	assert_int_equal(ring__take(w->ring, 0), 2);
	assert_record(w, 1, 24, 2);
	assert_record(w, 2, 24, 3);
}

static void test_leaves_out_what_was_discarded(void **state)
{
	struct world *w = *state;

	write_record(w, BPF_RINGBUF_DISCARD_BIT, 208, 1);
	write_record(w, 0, 24, 2);
	assert_int_equal(ring__take(w->ring, 0), 1);
	assert_record(w, 0, 24, 2);
	assert_int_equal(*w->consumer, *w->producer);
}

static void test_no_more_than_asked_for(void **state)
{
	struct world *w = *state;

	for (uint8_t i = 0; i < 5; i++)
		write_record(w, 0, 24, i);
	assert_int_equal(ring__take(w->ring, 3), 3);
	assert_int_equal(*w->consumer, 3 * 32);
	assert_int_equal(ring__take(w->ring, 3), 2);
	assert_record(w, 4, 24, 4);
}

/* Round and round: each place of a record, also that with nothing but its header at the end. */
static void test_records_that_go_on_at_the_start(void **state)
{
	struct world *w = *state;
	size_t cut = 0;

	for (unsigned int i = 0; i < 500; i++) {
		uint32_t len = i % 2 ? 208 : 24;
		uint64_t at = write_record(w, 0, len, (uint8_t)i);

		cut += at % SIZE + HEADER + len > SIZE;
		w->n = 0;
		assert_int_equal(ring__take(w->ring, 0), 1);
		assert_record(w, 0, len, (uint8_t)i);
	}
	assert_true(cut > 3);
	while (*w->producer % SIZE != SIZE - HEADER)
		write_record(w, 0, 0, 0);
	w->n = 0;
	*w->consumer = *w->producer;
	write_record(w, 0, 208, 99);
	assert_int_equal(ring__take(w->ring, 0), 1);
	assert_record(w, 0, 208, 99);
}

static void test_one_that_is_too_long_comes_without_its_bytes(void **state)
{
	struct world *w = *state;

	write_record(w, 0, LONGEST + 1, 1);
	write_record(w, 0, 24, 2);
	assert_int_equal(ring__take(w->ring, 0), 2);
	assert_record(w, 0, 0, 0);
	assert_record(w, 1, 24, 2);
}

static void test_what_can_not_be_mapped(void **state)
{
	struct world *w = *state;
	_close_ int none = open("/dev/null", O_RDWR);
	struct ring *ring;

	assert_true(ring__new(none, SIZE, LONGEST, on_record, w, &ring) < 0);
	ring__free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_hands_over_all_and_gives_back_their_room),
		T(test_stops_before_one_that_is_being_written),
		T(test_leaves_out_what_was_discarded),
		T(test_no_more_than_asked_for),
		T(test_records_that_go_on_at_the_start),
		T(test_one_that_is_too_long_comes_without_its_bytes),
		T(test_what_can_not_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
