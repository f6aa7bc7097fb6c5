/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "elf_image.h"
#include "proc/maps.h"
#include "symbol/symbolize.h"
#include <fcntl.h>

static int root_fd(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

#define LOAD 0x7f0000000000ull

static char dir[64];
static struct elf_cache *cache;

static const char *in_dir(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Maps one line of which addresses, permissions and file are given. */
static struct maps *map(uint64_t start, const char *perm, uint64_t offset, const char *name)
{
	struct maps *maps;
	struct stat st;
	char text[800];
	int n = snprintf(text, sizeof(text), "%lx-%lx %s %08lx 08:01 %lu %s\n", start,
			 start + 0x1000, perm, offset, stat(name, &st) ? 5 : st.st_ino, name);

	assert_int_equal(maps__parse(text, (size_t)n, &maps), 0);
	return maps;
}

static void expect(struct maps *maps, uint64_t addr, const char *name, const char *module,
		   uint64_t vaddr, int is_function)
{
	struct native_symbol out;

	memset(&out, 'Z', sizeof(out));
	symbolize(cache, root_fd(getpid()), maps, addr, &out);
	assert_string_equal(out.name, name);
	assert_string_equal(out.module, module);
	assert_int_equal(out.vaddr, vaddr);
	if (is_function)
		assert_ptr_equal(out.function, out.name);
	else
		assert_null(out.function);
}

static void functions_have_names(void **state)
{
	struct maps *maps = map(LOAD, "r-xp", IMAGE_TEXT_OFFSET, in_dir("lib.so"));

	(void)state;
	expect(maps, LOAD, "first", "lib.so", IMAGE_TEXT_VADDR, 1);
	expect(maps, LOAD + 0x7f, "second", "lib.so", IMAGE_TEXT_VADDR + 0x7f, 1);
	expect(maps, LOAD + 0x105, "exported", "lib.so", IMAGE_TEXT_VADDR + 0x105, 1);
	maps__unref(maps);
}

static void between_functions_is_an_offset(void **state)
{
	struct maps *maps = map(LOAD, "r-xp", IMAGE_TEXT_OFFSET, in_dir("lib.so"));

	(void)state;
	expect(maps, LOAD + 0x20, "lib.so+0x401020", "lib.so", IMAGE_TEXT_VADDR + 0x20, 0);
	/* behind the code of the file, on its last page: an offset in the file */
	expect(maps, LOAD + 0x800, "lib.so+0x1800", "lib.so", 0x1800, 0);
	maps__unref(maps);
}

static void code_is_found_by_its_bytes_in_the_file(void **state)
{
	/* The file's first page, mapped executable: no code there. */
	struct maps *maps = map(LOAD, "r-xp", 0, in_dir("lib.so"));

	(void)state;
	expect(maps, LOAD + 0x10, "lib.so+0x10", "lib.so", 0x10, 0);
	maps__unref(maps);
}

static void files_that_are_gone_leave_an_offset(void **state)
{
	struct maps *maps = map(LOAD, "r-xp", 0x3000, in_dir("none.so (deleted)"));

	(void)state;
	expect(maps, LOAD + 0x10, "none.so (deleted)+0x3010", "none.so (deleted)", 0x3010, 0);
	maps__unref(maps);
}

static void memory_without_a_file(void **state)
{
	struct maps *maps = map(LOAD, "r-xp", 0, "[vdso]");

	(void)state;
	expect(maps, LOAD + 0x12, "[vdso]+0x12", "[vdso]", 0x12, 0);
	expect(maps, LOAD - 1, "[unknown]", "", LOAD - 1, 0);
	maps__unref(maps);
	maps = map(LOAD, "rwxp", 0, "");
	expect(maps, LOAD + 0x12, "[jit]+0x12", "", LOAD + 0x12, 0);
	maps__unref(maps);
	maps = map(LOAD, "rw-p", 0, in_dir("lib.so")); /* nothing runs here */
	expect(maps, LOAD + 0x12, "[unknown]", "", LOAD + 0x12, 0);
	maps__unref(maps);
	expect(NULL, 5, "[unknown]", "", 5, 0);
}

static void foreign_names_are_made_safe(void **state)
{
	struct native_symbol out;
	struct maps *maps;
	struct image im;
	char name[301];

	(void)state;
	image__init(&im);
	image__symbol(&im, "\xff\x1b", ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), IMAGE_TEXT,
		      IMAGE_TEXT_VADDR, 8);
	image__write(&im, sizeof(im), in_dir("\xfe"));
	maps = map(LOAD, "r-xp", IMAGE_TEXT_OFFSET, in_dir("\xfe"));
	expect(maps, LOAD, "\xef\xbf\xbd\x1b", "\xef\xbf\xbd", IMAGE_TEXT_VADDR, 1);
	expect(maps, LOAD + 8, "\xef\xbf\xbd+0x401008", "\xef\xbf\xbd", IMAGE_TEXT_VADDR + 8, 0);
	maps__unref(maps);
	unlink(in_dir("\xfe"));

	memset(name, 'n', 300);
	name[300] = '\0';
	maps = map(LOAD, "r-xp", 0x3000, in_dir(name));
	symbolize(cache, root_fd(getpid()), maps, LOAD + 0xfff, &out);
	assert_int_equal(strlen(out.module), SYMBOL_NAME_MAX - 1);
	assert_in_range(strlen(out.name), 200, SYMBOL_NAME_MAX - 1);
	assert_string_equal(out.name + strlen(out.name) - 10, "\xe2\x80\xa6+0x3fff");
	maps__unref(maps);
}

__attribute__((noinline)) void a_known_function(void);
void a_known_function(void)
{
	__asm__ volatile("");
}

static void own_code(void **state)
{
	struct native_symbol out;
	struct maps *maps;

	(void)state;
	assert_int_equal(maps__read(getpid(), &maps), 0);
	symbolize(cache, root_fd(getpid()), maps, (uintptr_t)a_known_function, &out);
	assert_string_equal(out.name, "a_known_function");
	assert_non_null(strstr(out.module, "test_symbol_symbolize"));
	maps__unref(maps);
}

static int setup(void **state)
{
	struct image im;

	(void)state;
	strcpy(dir, "/tmp/test_symbolize.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	image__init_symbols(&im);
	image__write(&im, sizeof(im), in_dir("lib.so"));
	return elf_cache__new(&cache);
}

static int teardown(void **state)
{
	(void)state;
	elf_cache__free(cache);
	unlink(in_dir("lib.so"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_have_names),
		cmocka_unit_test(between_functions_is_an_offset),
		cmocka_unit_test(code_is_found_by_its_bytes_in_the_file),
		cmocka_unit_test(files_that_are_gone_leave_an_offset),
		cmocka_unit_test(memory_without_a_file),
		cmocka_unit_test(foreign_names_are_made_safe),
		cmocka_unit_test(own_code),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
