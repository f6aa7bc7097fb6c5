/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "elf_image.h"

#define TEXT	    IMAGE_TEXT_VADDR
#define INFO(b, t)  ELF64_ST_INFO(STB_##b, STT_##t)
#define GLOBAL_FUNC INFO(GLOBAL, FUNC)

static struct elf_file *open_image(const struct image *im)
{
	char path[] = "/tmp/test_elf_symbols.XXXXXX";
	struct elf_file *elf;

	close(mkstemp(path));
	image__write(im, sizeof(*im), path);
	assert_int_equal(elf__open(path, &elf), 0);
	unlink(path);
	return elf;
}

static void expect(const struct elf_file *elf, uint64_t vaddr, const char *name)
{
	struct elf_symbol symbol = {.name = "untouched"};

	assert_int_equal(elf__function_at(elf, vaddr, &symbol), name ? 0 : -ENOENT);
	assert_string_equal(symbol.name, name ? name : "untouched");
}

static void sized_functions_hold_exactly_their_size(void **state)
{
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	image__symbol(&im, "b", INFO(GLOBAL, GNU_IFUNC), IMAGE_TEXT, TEXT + 0x40, 0x10);
	image__symbol(&im, "a", GLOBAL_FUNC, IMAGE_TEXT, TEXT + 0x10, 0x20);
	image__symbol(&im, "data", INFO(GLOBAL, OBJECT), IMAGE_TEXT, TEXT + 0x30, 8);
	image__symbol(&im, "label", INFO(GLOBAL, NOTYPE), IMAGE_TEXT, TEXT + 0x38, 8);
	elf = open_image(&im);
	expect(elf, TEXT + 0xf, NULL);
	expect(elf, TEXT + 0x10, "a");
	expect(elf, TEXT + 0x2f, "a");
	expect(elf, TEXT + 0x30, NULL);
	expect(elf, TEXT + 0x38, NULL);
	expect(elf, TEXT + 0x40, "b");
	expect(elf, TEXT + 0x4f, "b");
	expect(elf, TEXT + 0x50, NULL);
	expect(elf, 0, NULL);
	expect(elf, UINT64_MAX, NULL);
	elf__free(elf);
}

static void functions_without_size_reach_to_the_next(void **state)
{
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	image__symbol(&im, "a", GLOBAL_FUNC, IMAGE_TEXT, TEXT, 0);
	image__symbol(&im, "alias", INFO(LOCAL, FUNC), IMAGE_TEXT, TEXT, 0);
	image__symbol(&im, "b", GLOBAL_FUNC, IMAGE_TEXT, TEXT + 0x100, 0x10);
	image__symbol(&im, "last", GLOBAL_FUNC, IMAGE_TEXT, TEXT + 0x500, 0);
	image__symbol(&im, "outside", GLOBAL_FUNC, IMAGE_TEXT, TEXT + IMAGE_TEXT_SIZE, 0);
	elf = open_image(&im);
	expect(elf, TEXT, "a");
	expect(elf, TEXT + 0xff, "a");
	expect(elf, TEXT + 0x10f, "b");
	expect(elf, TEXT + 0x110, NULL);
	expect(elf, TEXT + IMAGE_TEXT_SIZE - 1, "last");
	expect(elf, TEXT + IMAGE_TEXT_SIZE, NULL); /* the section ends there */
	elf__free(elf);
}

static void reach_is_limited_to_4_kib(void **state)
{
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	im.sections[IMAGE_TEXT].sh_size = 0x100000;
	image__symbol(&im, "a", GLOBAL_FUNC, IMAGE_TEXT, TEXT, 0);
	elf = open_image(&im);
	expect(elf, TEXT + 4095, "a");
	expect(elf, TEXT + 4096, NULL);
	elf__free(elf);
}

static void inner_functions_win_and_outer_ones_go_on(void **state)
{
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	image__symbol(&im, "outer", GLOBAL_FUNC, IMAGE_TEXT, TEXT, 0x100);
	image__symbol(&im, "inner", GLOBAL_FUNC, IMAGE_TEXT, TEXT + 0x20, 0x10);
	elf = open_image(&im);
	expect(elf, TEXT + 0x1f, "outer");
	expect(elf, TEXT + 0x2f, "inner");
	expect(elf, TEXT + 0x30, "outer");
	elf__free(elf);
}

static void global_names_win_over_weak_and_local_ones(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	image__symbol(&im, "local", INFO(LOCAL, FUNC), IMAGE_TEXT, TEXT, 0x10);
	image__symbol(&im, "bb", GLOBAL_FUNC, IMAGE_TEXT, TEXT, 0x10);
	image__symbol(&im, "aa", GLOBAL_FUNC, IMAGE_TEXT, TEXT, 0x10);
	image__symbol(&im, "weak", INFO(WEAK, FUNC), IMAGE_TEXT, TEXT, 0x10);
	image__symbol(&im, "twice", INFO(LOCAL, OBJECT), IMAGE_DATA, 0x1111, 1);
	image__symbol(&im, "twice", INFO(GLOBAL, OBJECT), IMAGE_DATA, 0x2222, 2);
	image__symbol(&im, "twice", INFO(LOCAL, OBJECT), IMAGE_DATA, 0x3333, 3);
	elf = open_image(&im);
	expect(elf, TEXT + 5, "aa");
	assert_int_equal(elf__symbol(elf, "twice", &symbol), 0);
	assert_int_equal(symbol.vaddr, 0x2222);
	assert_int_equal(symbol.size, 2);
	elf__free(elf);
}

static void names_come_from_both_tables(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init_symbols(&im);
	elf = open_image(&im);
	assert_int_equal(elf__symbol(elf, "word", &symbol), 0);
	assert_int_equal(symbol.vaddr, IMAGE_DATA_VADDR);
	assert_int_equal(symbol.size, 8);
	assert_int_equal(elf__symbol(elf, "exported", &symbol), 0);
	assert_int_equal(symbol.vaddr, TEXT + 0x100);
	assert_int_equal(elf__symbol(elf, "exporte", &symbol), -ENOENT);
	assert_int_equal(elf__symbol(elf, "", &symbol), -ENOENT);
	expect(elf, TEXT + 0x10f, "exported");
	elf__free(elf);

	im.sections[IMAGE_SYMTAB].sh_type = SHT_NULL; /* stripped */
	elf = open_image(&im);
	assert_int_equal(elf__symbol(elf, "word", &symbol), -ENOENT);
	assert_int_equal(elf__symbol(elf, "exported", &symbol), 0);
	elf__free(elf);
}

static void symbols_without_an_address_do_not_count(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	image__symbol(&im, "undefined", GLOBAL_FUNC, SHN_UNDEF, TEXT, 0x10);
	image__symbol(&im, "absolute", GLOBAL_FUNC, SHN_ABS, TEXT, 0x10);
	image__symbol(&im, "thread", INFO(GLOBAL, TLS), IMAGE_DATA, 0x10, 8);
	elf = open_image(&im);
	assert_int_equal(elf__symbol(elf, "undefined", &symbol), -ENOENT);
	assert_int_equal(elf__symbol(elf, "absolute", &symbol), -ENOENT);
	assert_int_equal(elf__symbol(elf, "thread", &symbol), -ENOENT);
	expect(elf, TEXT, NULL);
	elf__free(elf);
}

static void unterminated_and_outlying_names(void **state)
{
	struct elf_symbol symbol;
	struct elf_file *elf;
	struct image im;

	(void)state;
	image__init(&im);
	image__symbol(&im, "a", GLOBAL_FUNC, IMAGE_TEXT, TEXT, 0x10);
	image__symbol(&im, "b", GLOBAL_FUNC, IMAGE_TEXT, TEXT + 0x10, 0x10);
	memset(im.strtab + 10, 'x', sizeof(im.strtab) - 10);
	im.symtab[1].st_name = 200;		  /* to the end of the table, no NUL */
	im.symtab[2].st_name = sizeof(im.strtab); /* just behind it */
	elf = open_image(&im);
	assert_int_equal(elf__function_at(elf, TEXT, &symbol), 0);
	assert_int_equal(strlen(symbol.name), sizeof(im.strtab) - 200);
	expect(elf, TEXT + 0x10, NULL);
	elf__free(elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sized_functions_hold_exactly_their_size),
		cmocka_unit_test(functions_without_size_reach_to_the_next),
		cmocka_unit_test(reach_is_limited_to_4_kib),
		cmocka_unit_test(inner_functions_win_and_outer_ones_go_on),
		cmocka_unit_test(global_names_win_over_weak_and_local_ones),
		cmocka_unit_test(names_come_from_both_tables),
		cmocka_unit_test(symbols_without_an_address_do_not_count),
		cmocka_unit_test(unterminated_and_outlying_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
