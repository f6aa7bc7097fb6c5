// SPDX-License-Identifier: MIT
/*
 * Every interpreter found on this machine runs python_live.py, which prints what it knows of
 * itself: types, strings, the line of each instruction, the stacks of its threads. The same is read
 * from outside, the stacks in the way the BPF programs walk them, and compared.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "elf/elf.h"
#include "proc/maps.h"
#include "python/object.h"
#include "python_live.h"
#include <fcntl.h>
#include <stdio.h>

static int root_fd(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

#define HEX_MAX (2 * NAME_MAX_BYTES + 1)

static void assert_hex(const char *text, const char *expected)
{
	char hex[HEX_MAX] = "-";

	assert_true(strlen(text) <= NAME_MAX_BYTES);
	for (size_t i = 0; text[i]; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text[i]);
	assert_string_equal(hex, expected);
}

/* --- the records of python_live.py -------------------------------------------------------------
 */

static void find_runtime(struct live *l)
{
	struct elf_cache *elves;
	struct maps *maps;

	assert_int_equal(elf_cache__new(&elves), 0);
	assert_int_equal(maps__read(l->process.pid, &maps), 0);
	assert_int_equal(
		py_runtime__find(elves, root_fd(l->process.pid), l->process.pid, maps, &l->rt), 0);
	maps__unref(maps);
	elf_cache__free(elves);
}

static void on_self(struct live *l, const char *rest)
{
	unsigned int pid, hex, debug, glibc;
	char why[256] = "";
	int err;

	assert_int_equal(sscanf(rest, "%u %u %u %u", &pid, &hex, &debug, &glibc), 4);
	assert_int_equal(pid, l->process.pid);
	find_runtime(l);
	assert_int_equal(l->rt.debug_build, debug);
	assert_int_equal(l->rt.pthread_specific, glibc ? 784 : 0);
	err = py_offsets__choose(&l->mem, &l->rt, &l->own, why, sizeof(why));
	if (hex >> 16 <= py_table__newest()) {
		assert_int_equal(l->rt.hexversion, hex);
		/* So all that it tells of itself is what the table has. */
		assert_string_equal(why, "");
		assert_int_equal(err, 0);
		l->off = &l->own;
		py_offsets__layout(l->off, &l->rt, &l->lay);
		return;
	}
	assert_int_equal(l->rt.hexversion >> 16, hex >> 16);
	assert_int_equal(err, -ENOTSUP);
	assert_non_null(strstr(why, "copies are counted, with native symbols only"));
}

static void on_type(struct live *l, const char *rest)
{
	unsigned int gc, pre, is_type;
	unsigned long addr, basic, item;
	char name[HEX_MAX];
	struct py_type *type;

	assert_int_equal(sscanf(rest, "%lu %u %u %u %lu %lu %1024s", &addr, &gc, &pre, &is_type,
				&basic, &item, name),
			 7);
	assert_int_equal(py_type__read(&l->mem, l->off, addr, &type), 0);
	assert_int_equal(type->address, addr);
	assert_int_equal(type->has_gc, gc);
	assert_int_equal(type->preheader, pre);
	assert_int_equal(type->is_type, is_type);
	assert_int_equal(type->basic_size, basic);
	assert_int_equal(type->item_size, item);
	assert_hex(type->name, name);
	py_type__free(type);
	l->types++;
}

static void on_nontype(struct live *l, const char *rest)
{
	struct py_type *type = (void *)l;

	assert_int_equal(py_type__read(&l->mem, l->off, strtoul(rest, NULL, 10), &type), -EINVAL);
	assert_ptr_equal(type, l);
}

static void on_str(struct live *l, const char *rest)
{
	char text[NAME_MAX_BYTES + 1], hex[HEX_MAX];
	unsigned long addr;
	ssize_t len;

	assert_int_equal(sscanf(rest, "%lu %1024s", &addr, hex), 2);
	len = py_str__read(&l->mem, l->off, addr, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_hex(text, hex);
	l->strs++;
}

static void on_nonstr(struct live *l, const char *rest)
{
	char text[NAME_MAX_BYTES + 1];

	assert_int_equal(py_str__read(&l->mem, l->off, strtoul(rest, NULL, 10), text, sizeof(text)),
			 -EINVAL);
}

static void on_code(struct live *l, const char *rest)
{
	char file[HEX_MAX], function[HEX_MAX];
	struct py_code *stale = (void *)l;
	unsigned long addr;
	unsigned int first;
	uint32_t check;

	assert_int_equal(sscanf(rest, "%lu %u %1024s %1024s", &addr, &first, file, function), 4);
	check = digest_of(l, addr);
	assert_int_equal(py_code__read(&l->mem, l->off, addr, &check, &l->code), 0);
	assert_int_equal(l->code->first_line, first);
	assert_hex(l->code->file, file);
	assert_hex(l->code->function, function);
	check ^= 1;
	assert_int_equal(py_code__read(&l->mem, l->off, addr, &check, &stale), -ESTALE);
	assert_ptr_equal(stale, l);
	l->codes++;
}

static void on_lines(struct live *l, const char *rest)
{
	unsigned int begin, end, line;

	assert_int_equal(sscanf(rest, "%u %u %u", &begin, &end, &line), 3);
	for (unsigned int unit = begin; unit < end; unit++)
		if (py_code__line(l->code, l->off, l->lay.code_adaptive + 2 * unit) != line)
			fail_msg("%s: unit %u is not on line %u", l->code->function, unit, line);
	l->units += end - begin;
}

static void on_end(struct live *l, const char *rest)
{
	unsigned int units = strtoul(rest, NULL, 10), start = l->lay.code_adaptive;
	uint64_t bytes = l->lay.code_bytes ? word(l, l->code->address + l->lay.code_bytes) : 0;

	assert_int_equal(l->code->bytecode,
			 bytes ? bytes + l->lay.bytes_data : l->code->address + start);
	assert_int_equal(l->code->bytecode_end, l->code->bytecode + 2 * units);
	assert_int_equal(py_code__line(l->code, l->off, start - 2), l->code->first_line);
	assert_int_equal(py_code__line(l->code, l->off, start + 2 * units), 0);
	assert_int_equal(py_code__line(l->code, l->off, ~0u), 0);
	py_code__free(l->code);
	l->code = NULL;
}

static void on_thread(struct live *l, const char *rest)
{
	assert_true(l->n_stacks < MAX_THREADS);
	l->stacks[l->n_stacks++].ident = strtoul(rest, NULL, 10);
}

static void on_frame(struct live *l, const char *rest)
{
	struct expected_stack *stack = &l->stacks[l->n_stacks - 1];
	unsigned long code;
	unsigned int line;

	assert_int_equal(sscanf(rest, "%lu %u", &code, &line), 2);
	assert_true(stack->n < CT_MAX_FRAMES);
	stack->frames[stack->n].code = code;
	stack->frames[stack->n++].line = line;
}

static void on_stop(struct live *l, const char *what)
{
	if (l->off && !strcmp(what, "stacks"))
		check_threads(l);
	else if (l->off && !strcmp(what, "busy"))
		check_busy(l);
	else if (l->off && !strncmp(what, "made ", 5))
		check_made(l, strtoul(what + 5, NULL, 10));
	else if (l->off)
		assert_int_equal(
			half(l, l->lay.gc_collecting
					?: main_interpreter(l) + l->lay.interp_gc_collecting),
			!strcmp(what, "collecting"));
	assert_true(python_process__go(&l->process));
}

/* --- runs --------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	void (*compare)(struct live *l, const char *rest);
	bool always; /* also where the version is not supported */
} records[] = {
	{"self", on_self, true},	{"stop", on_stop, true},    {"type", on_type, false},
	{"nontype", on_nontype, false}, {"str", on_str, false},	    {"nonstr", on_nonstr, false},
	{"code", on_code, false},	{"lines", on_lines, false}, {"end", on_end, false},
	{"thread", on_thread, false},	{"frame", on_frame, false},
};

static void on_record(struct live *l, char *line)
{
	char *rest = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	if (!rest)
		return;
	*rest++ = '\0';
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (!strcmp(records[i].name, line) && (l->off || records[i].always))
			records[i].compare(l, rest);
}

static void run(const char *python)
{
	struct live *l = calloc(1, sizeof(*l));
	char line[8192];
	bool specialises;

	assert_non_null(l);
	assert_true(python_process__start(&l->process, python, __FILE__, "python_live.py"));
	l->mem = mem__of(l->process.pid);
	while (fgets(line, sizeof(line), l->process.out))
		on_record(l, line);
	assert_int_equal(python_process__end(&l->process), 0);
	print_message("%s is %s: compared %u types, %u strings, %u instructions of %u code objects,"
		      " %u frames of %u threads\n",
		      python, l->rt.version, l->types, l->strs, l->units, l->codes, l->frames,
		      l->n_stacks);
	if (l->off) {
		assert_true(l->types && l->strs && l->units && l->frames);
		/* One for the inlined __init__ of each of the three threads; 3.13t inlines none. */
		specialises = l->off->version > 0x030d ||
			      (l->off->version == 0x030d && !l->rt.free_threaded);
		assert_int_equal(l->trampolines, specialises ? 3 : 0);
		assert_int_equal(l->n_stacks, 4);
		assert_int_equal(l->made, l->lay.interp_code_count ? 12 : 0);
		if (l->off->version >= 0x030d && !l->made)
			print_message("note: unfamiliar size of _PyRuntime, its count of code is "
				      "not used: %lu\n",
				      l->rt.size);
	}
	free(l);
}

static void test_version(void **state)
{
	unsigned int minor = *(unsigned int *)*state;
	struct pythons all = pythons__find(minor);

	if (!all.n) {
		print_message("skipped: no Python 3.%u on this machine\n", minor);
		skip();
	}
	for (unsigned int i = 0; i < all.n; i++)
		run(all.paths[i]);
	pythons__free(&all);
}

static unsigned int minors[] = {8, 9, 10, 11, 12, 13, 14, 15};

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"3.8", test_version, NULL, NULL, &minors[0]},
		{"3.9", test_version, NULL, NULL, &minors[1]},
		{"3.10", test_version, NULL, NULL, &minors[2]},
		{"3.11", test_version, NULL, NULL, &minors[3]},
		{"3.12", test_version, NULL, NULL, &minors[4]},
		{"3.13", test_version, NULL, NULL, &minors[5]},
		{"3.14", test_version, NULL, NULL, &minors[6]},
		{"3.15", test_version, NULL, NULL, &minors[7]},
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
