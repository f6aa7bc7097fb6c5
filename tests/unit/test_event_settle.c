/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "event/settle.h"

#define PID 7

static struct settle *settle;
/* What has come out: "tid:seq", with "f" behind it if its page came from a file. */
static char got[4096];

static void on_copy(void *ctx, const struct ct_copy *copy)
{
	size_t n = strlen(got);

	assert_ptr_equal(ctx, got);
	snprintf(got + n, sizeof(got) - n, "%s%u:%u%s", n ? " " : "", copy->tid,
		 (unsigned int)copy->seq, copy->origin == CT_ORIGIN_FILE ? "f" : "");
}

/* What has come out since the last time. */
static void expect(const char *want)
{
	assert_string_equal(got, want);
	got[0] = '\0';
}

static void copy_at(uint32_t tid, uint64_t seq, uint64_t time)
{
	struct ct_copy copy = {.tag = CT_COPY, .pid = PID, .tid = tid, .seq = seq, .time = time};

	settle__copy(settle, &copy);
	memset(&copy, 0xff, sizeof(copy)); /* the record in the ring does not stay */
}

static void copy(uint32_t tid, uint64_t seq)
{
	copy_at(tid, seq, seq);
}

static void fixup_of(uint32_t pid, uint32_t tid, uint64_t seq, uint32_t kind)
{
	struct ct_fixup fixup = {.tag = CT_FIXUP, .pid = pid, .tid = tid, .seq = seq, .kind = kind};

	settle__fixup(settle, &fixup);
}

static void fixup(uint32_t tid, uint64_t seq, uint32_t kind)
{
	fixup_of(PID, tid, seq, kind);
}

static int setup(void **state)
{
	(void)state;
	got[0] = '\0';
	return settle__new(on_copy, got, &settle);
}

static int teardown(void **state)
{
	(void)state;
	settle__free(settle);
	return 0;
}

static void the_last_copy_of_a_thread_is_held(void **state)
{
	(void)state;
	copy(1, 0);
	expect("");
	copy(1, 1);
	expect("1:0");
	copy(1, 2);
	expect("1:1");
	settle__flush(settle, UINT64_MAX);
	expect("1:2");
	settle__flush(settle, UINT64_MAX);
	expect("");
}

static void threads_do_not_release_each_other(void **state)
{
	(void)state;
	copy(1, 0);
	copy(2, 0);
	copy(3, 0);
	expect("");
	copy(2, 1);
	expect("2:0");
	copy(1, 1);
	copy(3, 1);
	copy(3, 2);
	expect("1:0 3:0 3:1");
	settle__flush(settle, UINT64_MAX);
	expect("1:1 2:1 3:2");
}

static void retracted_copies_never_come_out(void **state)
{
	(void)state;
	copy(1, 0);
	fixup(1, 0, CT_FIXUP_RETRACT);
	copy(1, 1);
	expect("");
	copy(1, 2);
	expect("1:1");
	fixup(1, 2, CT_FIXUP_RETRACT);
	fixup(1, 2, CT_FIXUP_RETRACT);
	settle__flush(settle, UINT64_MAX);
	expect("");
	copy(1, 3); /* the thread goes on */
	copy(1, 4);
	expect("1:3");
}

static void origins_are_put_right(void **state)
{
	(void)state;
	copy(1, 0);
	fixup(1, 0, CT_FIXUP_ORIGIN_FILE);
	copy(1, 1);
	expect("1:0f");
	copy(1, 2); /* only that one */
	expect("1:1");
	fixup(1, 2, CT_FIXUP_ORIGIN_FILE);
	fixup(1, 2, CT_FIXUP_RETRACT);
	copy(1, 3);
	expect("");
}

/* Records were lost in between: what is held is another copy than the one that was meant. */
static void a_correction_of_another_copy_is_ignored(void **state)
{
	(void)state;
	fixup(1, 0, CT_FIXUP_RETRACT); /* nothing there at all */
	copy(1, 5);
	fixup(1, 4, CT_FIXUP_RETRACT);
	fixup(1, 6, CT_FIXUP_ORIGIN_FILE);
	fixup(2, 5, CT_FIXUP_RETRACT);
	fixup_of(PID + 1, 1, 5, CT_FIXUP_RETRACT); /* the thread id belonged to another process */
	settle__flush(settle, UINT64_MAX);
	expect("1:5");
	fixup(1, 5, CT_FIXUP_RETRACT); /* too late */
	copy(1, 6);
	copy(1, 7);
	expect("1:6");
}

static void a_correction_finds_its_thread_among_many(void **state)
{
	(void)state;
	for (uint32_t tid = 1; tid <= 5; tid++)
		copy(tid, 10 + tid);
	fixup(2, 12, CT_FIXUP_RETRACT);
	fixup(4, 14, CT_FIXUP_ORIGIN_FILE);
	fixup(2, 11, CT_FIXUP_RETRACT); /* the number of thread 1 */
	settle__flush(settle, UINT64_MAX);
	expect("1:11 3:13 4:14f 5:15");
}

static void old_copies_are_released(void **state)
{
	(void)state;
	copy_at(1, 0, 100);
	copy_at(2, 0, 200);
	copy_at(3, 0, 300);
	settle__flush(settle, 100); /* made before: not at */
	expect("");
	settle__flush(settle, 101);
	expect("1:0");
	settle__flush(settle, 300);
	expect("2:0");
	fixup(3, 0, CT_FIXUP_ORIGIN_FILE); /* still held */
	settle__flush(settle, 301);
	expect("3:0f");
}

/* Its thread may wait for a CPU before it can say that it lost the race. */
static void what_threads_can_race_for_is_held_longer(void **state)
{
	const struct ct_copy racing = {
		.tag = CT_COPY, .pid = PID, .tid = 1, .time = 100, .flags = CT_F_THREADS};

	(void)state;
	settle__copy(settle, &racing);
	copy_at(2, 0, 100);
	settle__flush(settle, 1000000100);
	expect("2:0");
	fixup(1, 0, CT_FIXUP_RETRACT);
	settle__flush(settle, 1000000101);
	expect("");
	settle__copy(settle, &racing);
	settle__flush(settle, 1000000101);
	expect("1:0");
	settle__copy(settle, &racing);
	settle__flush(settle, UINT64_MAX);
	expect("1:0");
}

/* A service that runs for months starts many threads. */
static void a_flush_between_the_copies_of_a_thread(void **state)
{
	(void)state;
	copy_at(1, 0, 100);
	settle__flush(settle, 200);
	expect("1:0");
	copy_at(1, 1, 210);
	copy_at(2, 0, 220);
	fixup(1, 1, CT_FIXUP_RETRACT);
	settle__flush(settle, 300);
	expect("2:0");
	for (uint32_t tid = 10; tid < 1010; tid++) {
		copy_at(tid, 0, 400);
		settle__flush(settle, 500);
	}
	assert_int_equal(strncmp(got, "10:0 11:0 12:0 ", 15), 0);
	got[0] = '\0';
	settle__flush(settle, UINT64_MAX);
	expect("");
}

static void what_is_held_at_the_end_is_not_leaked(void **state)
{
	(void)state;
	copy(1, 0);
	copy(2, 0);
	settle__free(settle);
	expect("");
	settle__free(NULL);
	settle = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_copy_of_a_thread_is_held),
		TEST(threads_do_not_release_each_other),
		TEST(retracted_copies_never_come_out),
		TEST(origins_are_put_right),
		TEST(a_correction_of_another_copy_is_ignored),
		TEST(a_correction_finds_its_thread_among_many),
		TEST(old_copies_are_released),
		TEST(what_threads_can_race_for_is_held_longer),
		TEST(a_flush_between_the_copies_of_a_thread),
		TEST(what_is_held_at_the_end_is_not_leaked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
