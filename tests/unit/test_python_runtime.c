// SPDX-License-Identifier: MIT
/*
 * This program defines the symbols that an interpreter has. Each case is a copy of it with other
 * values in them, under another name, in a made-up list of mappings.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "elf/elf.h"
#include "proc/maps.h"
#include "python/runtime.h"
#include "python/debug_offsets.h"
#include "patched_copy.h"

static int root_fd(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Where the mappings say that the copy is. */
#define BASE 0x7000000000ull

/* 3.11's, so that its size is a known one; 3.13's begins with _Py_DebugOffsets. */
#define RUNTIME_SIZE 166688

struct debug_head {
	char cookie[PY_DEBUG_COOKIE_LEN];
	uint64_t version, free_threaded, runtime_size, pad[2], interp_size;
};

union runtime {
	struct debug_head debug;
	char bytes[RUNTIME_SIZE];
};

union runtime _PyRuntime = {.debug = {.version = 1}};
extern unsigned long Py_Version;
unsigned long Py_Version = 1;

/* version: 0 for none. */
static struct patched_copy make(const char *base, unsigned long version,
				const struct debug_head *debug)
{
	struct patched_copy copy = patched_copy__make(base);

	patched_copy__patch(&copy, "Py_Version", &version, sizeof(version));
	if (debug)
		patched_copy__patch(&copy, "_PyRuntime", debug, sizeof(*debug));
	return copy;
}

static int find(const char *text, struct py_runtime *rt)
{
	struct elf_cache *elves;
	struct maps *maps;
	int err;

	assert_int_equal(elf_cache__new(&elves), 0);
	assert_int_equal(maps__parse(text, strlen(text), &maps), 0);
	err = py_runtime__find(elves, root_fd(getpid()), getpid(), maps, rt);
	maps__unref(maps);
	elf_cache__free(elves);
	return err;
}

static int find_in(const struct patched_copy *f, struct py_runtime *rt)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "5555000000-5555001000 r-xp 00000000 08:01 0 /bin/true\n"
		 "%llx-%llx r--p 00000000 08:01 0 %s\n"
		 "7f0000000000-7f0000001000 r-xp 00000000 08:01 0 /lib/libc.so.6\n",
		 BASE, BASE + 0x1000, f->path);
	return find(text, rt);
}

PATCHABLE_FUNCTION(Py_GetVersion);

struct version_case {
	const char *base;
	unsigned long symbol;
	uint64_t debug_version;
	bool free_threaded;
	uint32_t hexversion;
	const char *text;
};

static const struct version_case versions[] = {
	{"libpython3.11.so.1.0", 0x030b02f0, 0, false, 0x030b02f0, "3.11.2"},
	{"libpython3.so.99-3.11.so", 0, 0, false, 0, NULL},
	{"libpython3.12.so.1.0", 0x030c00a7, 0, false, 0x030c00a7, "3.12.0a7"},
	{"libpython3.12.so.1.0", 0x030c00b4, 0, false, 0x030c00b4, "3.12.0b4"},
	{"libpython3.15.so.1.0", 0x030f00c1, 0, false, 0x030f00c1, "3.15.0rc1"},
	{"libpython3.13.so.1.0", 0x030d05f0, 0x030d05f0, false, 0x030d05f0, "3.13.5"},
	{"libpython3.13t.so.1.0", 0x030d05f0, 0x030d05f0, true, 0x030d05f0, "3.13.5t"},
	{"libpython3.14.so.1.0", 0, 0x030e0af0, false, 0x030e0af0, "3.14.10"},
	{"libpython3.8.so.1.0", 0, 0, false, 0x03080000, "3.8"},
	{"libpython3.7m.so.1.0", 0, 0, false, 0x03070000, "3.7"},
	/* Not believed: no such version; evidence that disagrees; no evidence at all. */
	{"libpython3.9.so.1.0", 0x42, 0, false, 0x03090000, "3.9"},
	{"libpython3.13.so.1.0", 0x030d05f0, 0x030d04f0, false, 0, NULL},
	{"libpython3-app.so", 0, 0, false, 0, NULL},
};

static void test_versions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const struct version_case *c = &versions[i];
		struct debug_head debug = {.cookie = PY_DEBUG_COOKIE,
					   .version = c->debug_version,
					   .free_threaded = c->free_threaded};
		struct patched_copy f = make(c->base, c->symbol, c->debug_version ? &debug : NULL);
		struct py_runtime rt = {.size = 77};
		int err = find_in(&f, &rt);

		if (c->text) {
			assert_int_equal(err, 0);
			assert_int_equal(rt.hexversion, c->hexversion);
			assert_string_equal(rt.version, c->text);
			assert_int_equal(rt.free_threaded, c->free_threaded);
		} else {
			assert_true(err == -EINVAL || err == -ENOENT);
			assert_int_equal(rt.size, 77);
		}
		patched_copy__drop(&f);
	}
}

static void test_facts(void **state)
{
	struct patched_copy f = make("libpython3.11.so.1.0", 0x030b02f0, NULL);
	struct py_runtime rt;
	struct elf_symbol sym;
	struct elf_file *elf;

	(void)state;
	assert_int_equal(elf__open(f.path, &elf), 0);
	assert_int_equal(elf__symbol(elf, "_PyRuntime", &sym), 0);
	assert_int_equal(find_in(&f, &rt), 0);
	if (elf__is_pie_or_dso(elf)) {
		assert_int_equal(rt.bias, BASE);
		assert_int_equal(rt.runtime, BASE + sym.vaddr);
	}
	assert_int_equal(rt.size, RUNTIME_SIZE);
	assert_int_equal(rt.pthread_specific, 784);
	assert_false(rt.debug_build);
	assert_false(rt.trace_refs);
	assert_string_equal(rt.path, f.path);
	/* Not readable in this process: from the size of the runtime. */
	assert_int_equal(rt.main_interpreter, rt.runtime + 58936);
	elf__free(elf);
	patched_copy__drop(&f);
}

/* 3.13: from the sizes that _Py_DebugOffsets tell, if they fit. */
static void test_main_interpreter(void **state)
{
	struct debug_head debug = {.cookie = PY_DEBUG_COOKIE,
				   .version = 0x030d05f0,
				   .runtime_size = RUNTIME_SIZE,
				   .interp_size = 100000};
	struct patched_copy f = make("libpython3.13.so.1.0", 0x030d05f0, &debug);
	struct py_runtime rt;

	(void)state;
	assert_int_equal(find_in(&f, &rt), 0);
	assert_int_equal(rt.main_interpreter, rt.runtime + RUNTIME_SIZE - 100000);
	debug.runtime_size++;
	patched_copy__patch(&f, "_PyRuntime", &debug, sizeof(debug));
	assert_int_equal(find_in(&f, &rt), 0);
	assert_int_equal(rt.main_interpreter, 0);
	debug.runtime_size = RUNTIME_SIZE;
	debug.interp_size = -1;
	patched_copy__patch(&f, "_PyRuntime", &debug, sizeof(debug));
	assert_int_equal(find_in(&f, &rt), 0);
	assert_int_equal(rt.main_interpreter, 0);
	patched_copy__drop(&f);
}

/* Whatever its name: a program that Python 3.8 to 3.10 is linked into. */
static void test_renamed(void **state)
{
	/* lea rdx, [rip + 25]; ret; the text is 32 bytes further on. */
	static const char code[64] = "\x48\x8d\x15\x19\0\0\0\xc3                        3.9.2";
	struct patched_copy app = make("myapp", 0, NULL), old = make("libpython3.8.so", 0, NULL);
	struct py_runtime rt;
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "1000000-1001000 r-xp 00000000 08:01 0 %s\n", app.path);
	assert_int_equal(find(text, &rt), -EINVAL);
	patched_copy__patch(&app, "Py_GetVersion", code, sizeof(code));
	assert_int_equal(find(text, &rt), 0);
	assert_string_equal(rt.version, "3.9.2");
	assert_int_equal(rt.hexversion, 0x030902f0);
	patched_copy__patch(&old, "Py_GetVersion", code, sizeof(code));
	assert_int_equal(find_in(&old, &rt), 0);
	assert_string_equal(rt.version, "3.9.2");
	patched_copy__drop(&app);
	patched_copy__drop(&old);
}

/* The executable wins over libraries; an embedding library is found last; others are not opened. */
static void test_order(void **state)
{
	struct patched_copy exe = make("app", 0x030b01f0, NULL),
			    lib = make("libpython3.12.so", 0x030c01f0, NULL);
	struct patched_copy other = make("libembed.so", 0x030b03f0, NULL),
			    never = make("libc.so.6", 0x030b04f0, NULL);
	struct py_runtime rt;
	char text[1024];

	(void)state;
#define MAPS(a, b, c)                                                                              \
	snprintf(                                                                                  \
		text, sizeof(text),                                                                \
		"1000000-1001000 r--p 00000000 08:01 0 %s\n"                                       \
		"2000000-2001000 r--p 00000000 08:01 0 %s\n2001000-2002000 r-xp 00001000 08:01 0 " \
		"%s\n"                                                                             \
		"3000000-3001000 r-xp 00000000 08:01 0 %s\n4000000-4001000 rw-p 00000000 00:00 0 " \
		"[heap]\n",                                                                        \
		a, b, b, c)
	MAPS(exe.path, lib.path, other.path);
	assert_int_equal(find(text, &rt), 0);
	assert_string_equal(rt.version, "3.11.1");
	MAPS("/bin/true", other.path, lib.path);
	assert_int_equal(find(text, &rt), 0);
	assert_string_equal(rt.version, "3.12.1");
	MAPS("/bin/true", other.path, never.path);
	assert_int_equal(find(text, &rt), 0);
	assert_string_equal(rt.version, "3.11.3");
	MAPS("/bin/true", "/no/such/file", never.path);
	assert_int_equal(find(text, &rt), -ENOENT);
	assert_int_equal(find("", &rt), -ENOENT);
	patched_copy__drop(&exe);
	patched_copy__drop(&lib);
	patched_copy__drop(&other);
	patched_copy__drop(&never);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_main_interpreter),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
