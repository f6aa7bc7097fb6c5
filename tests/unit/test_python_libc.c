/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "elf_image.h"
#include "proc/maps.h"
#include "python/libc.h"

#define TOLD "_thread_db_pthread_specific"

static char dir[64];
static int root;

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* A library that tells of a member in .data. */
static void put(const char *name, uint32_t bits, uint32_t count, uint32_t offset)
{
	uint32_t field[3] = {bits, count, offset};
	struct image image;

	image__init(&image);
	image__symbol(&image, TOLD, STB_GLOBAL << 4 | STT_OBJECT, IMAGE_DATA, IMAGE_DATA_VADDR, 12);
	image__tables(&image);
	memcpy(image.data, field, sizeof(field));
	image__write(&image, sizeof(image), in_dir(name));
}

static uint32_t find(const char *program, const char *library, const char *last)
{
	struct elf_cache *elves;
	struct maps *maps;
	char text[1024];
	uint32_t offset;
	int n = snprintf(text, sizeof(text),
			 "1000000-1001000 r-xp 00000000 08:01 0 %s\n"
			 "2000000-2001000 r-xp 00000000 08:01 0 %s/%s\n"
			 "3000000-3001000 r-xp 00000000 08:01 0 %s/%s\n",
			 program, dir, library, dir, last);

	assert_int_equal(elf_cache__new(&elves), 0);
	assert_int_equal(maps__parse(text, (size_t)n, &maps), 0);
	offset = libc__pthread_specific(elves, root, maps, program);
	maps__unref(maps);
	elf_cache__free(elves);
	unlink(in_dir(library));
	unlink(in_dir(last));
	return offset;
}

static void the_library_tells(void **state)
{
	(void)state;
	put("libc.so.6", 2048, 1, 1296);
	assert_int_equal(find("/none", "libc.so.6", "libm.so.6"), 784);
	put("libc.so.6", 2048, 1, 1304);
	assert_int_equal(find("/none", "libc.so.6", "libm.so.6"), 792);
	/* up to 2.33 */
	put("libpthread-2.31.so", 2048, 1, 1304);
	assert_int_equal(find("/none", "libc-2.31.so", "libpthread-2.31.so"), 792);
}

static void what_it_tells_must_make_sense(void **state)
{
	static const uint32_t wrong[][3] = {
		{1024, 1, 1296}, {2048, 2, 1296},     {2048, 1, 1297},
		{2048, 1, 504},	 {2048, 1, 1u << 31},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put("libc.so.6", wrong[i][0], wrong[i][1], wrong[i][2]);
		assert_int_equal(find("/none", "libc.so.6", "libm.so.6"), 784);
	}
	assert_int_equal(find("/none", "libc.so.6", "gone"), 784);
}

static void musl_is_not_asked(void **state)
{
	(void)state;
	assert_int_equal(find("/proc/self/exe", "ld-musl-x86_64.so.1", "libz.so"), 0);
	assert_int_equal(find("/proc/self/exe", "libz.so", "libc.so"), 0);
	assert_int_equal(find("/none", "libz.so", "libm.so.6"), 0);
}

/* A static program is told by the note that glibc's start-up code carries: so has this test. */
static void a_static_program(void **state)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	assert_true(n > 0);
	self[n] = '\0';
	assert_int_equal(find(self, "libz.so", "libm.so.6"), 784);
	put("program", 2048, 1, 1304); /* has no such note */
	snprintf(self, sizeof(self), "%s", in_dir("program"));
	assert_int_equal(find(self, "libz.so", "libm.so.6"), 0);
	unlink(self);
}

/* That of this process is where the value of a key of this thread is. */
static void this_library(void **state)
{
	uint32_t offset;
	struct elf_cache *elves;
	struct maps *maps;
	pthread_key_t key;
	void *value;

	(void)state;
	assert_int_equal(pthread_key_create(&key, NULL), 0);
	assert_int_equal(pthread_setspecific(key, state), 0);
	assert_int_equal(elf_cache__new(&elves), 0);
	assert_int_equal(maps__read(getpid(), &maps), 0);
	offset = libc__pthread_specific(elves, root, maps, "/none");
	maps__unref(maps);
	elf_cache__free(elves);
	assert_int_not_equal(offset, 0);
	assert_true(key < 32);
	memcpy(&value, (char *)pthread_self() + offset + 16 * key + 8, sizeof(value));
	assert_ptr_equal(value, state);
	pthread_key_delete(key);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_libc.XXXXXX");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return mkdtemp(dir) && root >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	close(root);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_library_tells),
		cmocka_unit_test(what_it_tells_must_make_sense),
		cmocka_unit_test(musl_is_not_asked),
		cmocka_unit_test(a_static_program),
		cmocka_unit_test(this_library),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
