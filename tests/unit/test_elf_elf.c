/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "elf_image.h"
#include "proc/maps.h"

static char dir[64], path[128];

/* Asks everything there is to ask; the answers do not matter, that there are some does. */
static void exercise(const char *file)
{
	const struct elf_segment *segments;
	struct elf_symbol symbol;
	struct elf_file *elf;
	uint64_t a, b;
	char buf[64];

	if (elf__open(file, &elf))
		return;
	for (size_t i = 0, n = elf__segments(elf, &segments); i < n; i++)
		assert_true(segments[i].filesz <= segments[i].memsz);
	elf__bias(elf, 0x7f0000000000, IMAGE_TEXT_OFFSET, &a);
	elf__section(elf, ".data", &a, &b);
	elf__read(elf, IMAGE_DATA_VADDR, buf, 12);
	if (!elf__symbol(elf, "second", &symbol))
		assert_string_equal(symbol.name, "second");
	if (!elf__function_at(elf, IMAGE_TEXT_VADDR + 0x50, &symbol))
		assert_true(strlen(symbol.name) > 0);
	elf__free(elf);
}

static void segments_sections_and_bytes(void **state)
{
	const struct elf_segment *seg;
	struct elf_file *elf;
	uint64_t vaddr, size;
	struct image im;
	char buf[16];

	(void)state;
	image__init(&im);
	image__write(&im, sizeof(im), path);
	assert_int_equal(elf__open(path, &elf), 0);
	assert_string_equal(elf__path(elf), path);
	assert_false(elf__is_pie_or_dso(elf));
	assert_int_equal(elf__segments(elf, &seg), 3);
	assert_int_equal(seg[1].vaddr, IMAGE_TEXT_VADDR);
	assert_int_equal(seg[1].offset, IMAGE_TEXT_OFFSET);
	assert_true(seg[1].executable && !seg[1].writable);
	assert_true(seg[2].writable && !seg[2].executable);
	assert_int_equal(seg[2].filesz, IMAGE_DATA_SIZE);
	assert_int_equal(seg[2].memsz, IMAGE_DATA_SIZE + IMAGE_BSS_SIZE);

	assert_int_equal(elf__section(elf, ".data", &vaddr, &size), 0);
	assert_int_equal(vaddr, IMAGE_DATA_VADDR);
	assert_int_equal(size, IMAGE_DATA_SIZE);
	assert_int_equal(elf__section(elf, ".bss", &vaddr, &size), -ENOENT);

	assert_int_equal(elf__read(elf, IMAGE_DATA_VADDR, buf, 12), 0);
	assert_string_equal(buf, "initialised");
	assert_int_equal(elf__read(elf, IMAGE_DATA_VADDR, buf, 16), 0);
	assert_int_equal(elf__read(elf, IMAGE_DATA_VADDR + 1, buf, 16), -EFAULT); /* .bss */
	assert_int_equal(elf__read(elf, IMAGE_DATA_VADDR - 1, buf, 1), -EFAULT);
	assert_int_equal(elf__read(elf, UINT64_MAX, buf, 16), -EFAULT);
	elf__free(elf);
	elf__free(NULL);
}

static void bias_follows_the_mapping(void **state)
{
	struct elf_file *elf;
	struct image im;
	uint64_t bias = 1;

	(void)state;
	image__init(&im);
	im.header.e_type = ET_DYN;
	image__write(&im, sizeof(im), path);
	assert_int_equal(elf__open(path, &elf), 0);
	assert_true(elf__is_pie_or_dso(elf));
	assert_int_equal(elf__bias(elf, 0x7f0000400000, 0, &bias), 0);
	assert_int_equal(bias, 0x7f0000000000);
	assert_int_equal(elf__bias(elf, 0x7f0000401000, 0x1000, &bias), 0);
	assert_int_equal(bias, 0x7f0000000000);
	bias = 1;
	assert_int_equal(elf__bias(elf, 0x7f0000401000, 0x2000, &bias), -ENOENT);
	assert_int_equal(bias, 1);
	elf__free(elf);
}

__attribute__((noinline)) int known_function(int x);
int known_function(int x)
{
	return x + 1;
}

int known_data = 0x1234567;

static void own_program_is_read_right(void **state)
{
	const struct map_entry *map;
	struct elf_symbol symbol;
	struct elf_file *elf;
	struct maps *maps;
	uint64_t bias;
	int value;

	(void)state;
	known_data++; /* the file still has the old value */
	assert_int_equal(elf__open("/proc/self/exe", &elf), 0);
	assert_int_equal(maps__read(getpid(), &maps), 0);
	map = maps__find(maps, (uintptr_t)known_function);
	assert_int_equal(elf__bias(elf, map->start, map->offset, &bias), 0);
	assert_int_equal(elf__symbol(elf, "known_function", &symbol), 0);
	assert_int_equal(symbol.vaddr + bias, (uintptr_t)known_function);
	assert_int_equal(elf__symbol(elf, "known_data", &symbol), 0);
	assert_int_equal(symbol.vaddr + bias, (uintptr_t)&known_data);
	assert_int_equal(symbol.size, sizeof(known_data));
	assert_int_equal(elf__read(elf, symbol.vaddr, &value, sizeof(value)), 0);
	assert_int_equal(value, 0x1234567);
	assert_int_equal(elf__function_at(elf, (uintptr_t)known_function - bias + 1, &symbol), 0);
	assert_string_equal(symbol.name, "known_function");
	maps__unref(maps);
	elf__free(elf);
}

static void what_is_no_elf_file_is_refused(void **state)
{
	struct elf_file *elf = (void *)1;
	struct image im;

	(void)state;
	assert_int_equal(elf__open("/dev/zero", &elf), -EINVAL);
	assert_int_equal(elf__open(dir, &elf), -EINVAL);
	unlink(path);
	assert_int_equal(elf__open(path, &elf), -ENOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(elf__open(path, &elf), -EINVAL); /* and does not wait for a writer */
	unlink(path);
	image__write("#!/bin/sh\n", 10, path);
	assert_int_equal(elf__open(path, &elf), -EINVAL);
	image__write("", 0, path);
	assert_int_equal(elf__open(path, &elf), -EINVAL);

	image__init(&im);
	im.header.e_machine = EM_68K;
	image__write(&im, sizeof(im), path);
	assert_int_equal(elf__open(path, &elf), -EINVAL);
	image__init(&im);
	im.header.e_type = ET_REL;
	image__write(&im, sizeof(im), path);
	assert_int_equal(elf__open(path, &elf), -EINVAL);
	image__init(&im);
	im.header.e_ident[EI_CLASS] = ELFCLASS32;
	image__write(&im, sizeof(im), path);
	assert_int_equal(elf__open(path, &elf), -EINVAL);
	assert_ptr_equal(elf, (void *)1);
}

/* A sparse file of 1 TiB whose tables claim to fill it. */
static void claims_of_size_cost_nothing(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init_symbols(&im);
	im.sections[IMAGE_SYMTAB].sh_size = 1ull << 39;
	im.sections[IMAGE_DYNSTR].sh_size = 1ull << 39;
	im.sections[IMAGE_SHSTRTAB].sh_size = 1ull << 39;
	image__write(&im, sizeof(im), path);
	assert_int_equal(truncate(path, 1ll << 40), 0);
	assert_int_equal(elf__open(path, &elf), 0);
	assert_int_equal(elf__symbol(elf, "first", &symbol), -ENOENT);
	assert_int_equal(elf__symbol(elf, "exported", &symbol), -ENOENT);
	elf__free(elf);

	im.header.e_shnum = 0; /* extended: the count is in section 0 */
	im.sections[0].sh_size = 1ull << 32;
	image__write(&im, sizeof(im), path);
	assert_int_equal(truncate(path, 1ll << 40), 0);
	assert_int_equal(elf__open(path, &elf), -EINVAL);
}

static void truncated_anywhere(void **state)
{
	struct image im;

	(void)state;
	image__init_symbols(&im);
	for (size_t len = 0; len < sizeof(im); len += len < 0x800 ? 1 : 64) {
		image__write(&im, len, path);
		exercise(path);
	}
}

static void every_bit_of_the_tables_flipped(void **state)
{
	struct image im;
	int fd;

	(void)state;
	image__init_symbols(&im);
	image__write(&im, sizeof(im), path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < offsetof(struct image, gap) * 8; i++) {
		char byte = (char)(((char *)&im)[i / 8] ^ 1 << i % 8);

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(i / 8)), 1);
		exercise(path);
		assert_int_equal(pwrite(fd, (char *)&im + i / 8, 1, (off_t)(i / 8)), 1);
	}
	close(fd);
}

/* Every 8-byte word of the tables set to values that like to overflow. */
static void extreme_words(void **state)
{
	static const uint64_t values[] = {UINT64_MAX, INT64_MAX, 1ull << 63, UINT64_MAX - 0xfff};
	struct image im;
	int fd;

	(void)state;
	image__init_symbols(&im);
	image__write(&im, sizeof(im), path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < offsetof(struct image, gap); i += 8) {
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			assert_int_equal(pwrite(fd, &values[k], 8, (off_t)i), 8);
			exercise(path);
		}
		assert_int_equal(pwrite(fd, (char *)&im + i, 8, (off_t)i), 8);
	}
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_elf.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_sections_and_bytes),
		cmocka_unit_test(bias_follows_the_mapping),
		cmocka_unit_test(own_program_is_read_right),
		cmocka_unit_test(what_is_no_elf_file_is_refused),
		cmocka_unit_test(claims_of_size_cost_nothing),
		cmocka_unit_test(truncated_anywhere),
		cmocka_unit_test(every_bit_of_the_tables_flipped),
		cmocka_unit_test(extreme_words),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
