// SPDX-License-Identifier: MIT
/*
 * Every instruction of a good part of the standard library, of every interpreter on this machine:
 * its code object is read from the memory of the process, and its line compared with what
 * PyCode_Addr2Line() says there. Chroots below build/ need root. Besides, recorded line tables.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cowtrace/abi.h>

#include "base/utf8.h"
#include "proc/mem.h"
#include "python/code.h"
#include "python/tables.h"
#include "python_process.h"

struct python {
	char *program, *root; /* root: NULL, or to chroot() to */
};

struct said {
	struct mem_source mem;
	const struct py_offsets *off;
	unsigned int codes, frames;
	unsigned long instructions;
};

static char *beside_this(const char *name)
{
	static char path[PATH_MAX];
	const char *slash = strrchr(__FILE__, '/');

	snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - __FILE__) : 1,
		 slash ? __FILE__ : ".", name);
	return path;
}

/* --- runs of instructions ---------------------------------------------------- */

static uint32_t frame_offset(const struct py_offsets *off, long lasti)
{
	if (lasti < 0)
		return CT_OFFSET_NOT_STARTED;
	return off->code_adaptive == PY_NO_OFFSET ? lasti : off->code_adaptive + lasti;
}

/* BEGIN,END,LINE for each piece of the bytecode; returns how many instructions. */
static unsigned long expect_runs(const struct py_code *code, const struct py_offsets *off,
				 const char *what, char **save)
{
	unsigned long begin, end = 0;
	uint32_t line;

	for (char *run; (run = strtok_r(NULL, " \n", save));) {
		unsigned long last = end;

		assert_int_equal(sscanf(run, "%lu,%lu,%u", &begin, &end, &line), 3);
		assert_int_equal(begin, last);
		for (unsigned long at = begin; at < end; at += 2) {
			uint32_t got = py_code__line(code, off, frame_offset(off, at));

			if (got != line)
				fail_msg("%s: line %u at %lu, not %u", what, got, at, line);
		}
	}
	assert_int_equal(py_code__line(code, off, CT_OFFSET_NOT_STARTED), code->first_line);
	assert_int_equal(py_code__line(code, off, CT_OFFSET_UNKNOWN), 0);
	return end / 2;
}

/* --- recorded tables --------------------------------------------------------- */

static size_t unhex(const char *hex, uint8_t *out, size_t size)
{
	size_t n = 0;
	unsigned int byte;

	for (; *hex != '-' && *hex && n < size; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = byte;
	}
	assert_true(*hex == '-' || !*hex);
	return n;
}

static void check_recorded(char *line)
{
	char *save, *version = strtok_r(line, " ", &save), *name = strtok_r(NULL, " ", &save);
	unsigned int minor = strtoul(strchr(version, '.') + 1, NULL, 10);
	const struct py_table *table = py_table__find(0x300 | minor);
	uint8_t bytes[8192], *exact;
	struct py_code code = {};
	size_t size;

	assert_non_null(table);
	code.first_line = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
	size = strtoul(strtok_r(NULL, " ", &save), NULL, 10);
	code.bytecode = 0x10000;
	code.bytecode_end = 0x10000 + size;
	code.line_table_len = unhex(strtok_r(NULL, " ", &save), bytes, sizeof(bytes));
	exact = malloc(code.line_table_len + !code.line_table_len);
	assert_non_null(exact);
	memcpy(exact, bytes, code.line_table_len);
	code.line_table = exact;
	assert_int_equal(expect_runs(&code, &table->offsets, name, &save), size / 2);
	assert_int_equal(py_code__line(&code, &table->offsets, frame_offset(&table->offsets, size)),
			 0);
	free(exact);
}

static void test_recorded(void **state)
{
	FILE *f = fopen(beside_this("line_tables.txt"), "r");
	char *line = NULL;
	size_t room = 0, n = 0;

	(void)state;
	assert_non_null(f);
	for (; getline(&line, &room, f) > 0; n++)
		check_recorded(line);
	assert_true(n > 80);
	free(line);
	fclose(f);
}

/* --- what an interpreter says ------------------------------------------------ */

static void expect_text(const char *got, const char *hex)
{
	char clean[NAME_MAX_BYTES + 1];
	uint8_t raw[NAME_MAX_BYTES];
	size_t n = unhex(hex, raw, sizeof(raw));

	utf8__sanitize(clean, sizeof(clean), (char *)raw, n);
	assert_string_equal(got, clean);
}

static void check_code(struct said *s, char **save)
{
	uint64_t address = strtoull(strtok_r(NULL, " ", save), NULL, 10);
	uint32_t first = strtoul(strtok_r(NULL, " ", save), NULL, 10);
	char *file = strtok_r(NULL, " ", save), *name = strtok_r(NULL, " ", save);
	unsigned long size = strtoul(strtok_r(NULL, " ", save), NULL, 10);
	struct py_code *code;
	int err = py_code__read(&s->mem, s->off, address, NULL, &code);

	if (err)
		fail_msg("code object %u at %#lx: %s", s->codes, (unsigned long)address,
			 strerror(-err));
	expect_text(code->file, file);
	expect_text(code->function, name);
	assert_int_equal(code->first_line, first);
	assert_int_equal(code->bytecode_end - code->bytecode, size);
	assert_false(code->trampoline);
	assert_int_equal(expect_runs(code, s->off, code->function, save), size / 2);
	s->instructions += size / 2;
	s->codes++;
	py_code__free(code);
}

static void check_frame(struct said *s, char **save)
{
	uint64_t address = strtoull(strtok_r(NULL, " ", save), NULL, 10);
	long lasti = strtol(strtok_r(NULL, " ", save), NULL, 10);
	uint32_t line = strtoul(strtok_r(NULL, " \n", save), NULL, 10);
	struct py_code *code;

	assert_int_equal(py_code__read(&s->mem, s->off, address, NULL, &code), 0);
	if (py_code__line(code, s->off, frame_offset(s->off, lasti)) != line)
		fail_msg("%s: not line %u at %ld", code->function, line, lasti);
	s->frames++;
	py_code__free(code);
}

static void check_python(struct said *s, char **save)
{
	uint32_t version = strtoul(strtok_r(NULL, " ", save), NULL, 10) >> 16;
	bool free_threaded = strtoul(strtok_r(NULL, " \n", save), NULL, 10);
	const struct py_table *table =
		free_threaded ? py_table__find_free_threaded(version) : py_table__find(version);

	assert_non_null(table);
	s->off = &table->offsets;
}

static void run_inside(const struct python *p, char *script)
{
	if (p->root && (chroot(p->root) || chdir("/")))
		_exit(126);
	execl(p->program, p->program, "-I", "-B", "-c", script, NULL);
	_exit(127);
}

static void start(struct python_process *process, const struct python *p)
{
	int in[2], out[2];
	size_t room = 0;
	char *script = NULL;
	FILE *f = fopen(beside_this("python_lines.py"), "r");

	assert_non_null(f);
	assert_true(getdelim(&script, &room, 0, f) > 0);
	fclose(f);
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	process->pid = fork();
	if (!process->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		run_inside(p, script);
	}
	free(script);
	close(in[0]);
	close(out[1]);
	process->in = in[1];
	process->out = fdopen(out[0], "r");
}

static void check_all(const struct python *p)
{
	struct python_process process;
	struct said said = {};
	char *line = NULL, *save, *word;
	bool ended = false;
	size_t room = 0;

	start(&process, p);
	said.mem = mem__of(process.pid);
	while (!ended && getline(&line, &room, process.out) > 0) {
		word = strtok_r(line, " \n", &save);
		if (!strcmp(word, "python"))
			check_python(&said, &save);
		else if (!strcmp(word, "code"))
			check_code(&said, &save);
		else if (!strcmp(word, "frame"))
			check_frame(&said, &save);
		else
			ended = !strcmp(word, "end");
	}
	free(line);
	if (python_process__end(&process) || !ended)
		fail_msg("%s%s did not come to its end", p->root ? p->root : "", p->program);
	print_message("%s%s: %lu instructions of %u code objects, %u frames\n",
		      p->root ? p->root : "", p->program, said.instructions, said.codes,
		      said.frames);
	assert_true(said.codes > 3000 && said.instructions > 100000 && said.frames > 20);
}

/* --- which interpreters ------------------------------------------------------ */

static void add_chroots(struct python *all, size_t *n, unsigned int minor)
{
	char pattern[PATH_MAX + 64];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*/{tree/usr,prefix}/bin/python3.%u{,t,d,td}",
		 beside_this("../../build/chroot"), minor);
	if (glob(pattern, GLOB_BRACE, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc && *n < MAX_PYTHONS; i++) {
		char *path = strdup(found.gl_pathv[i]), *inside = strstr(path, "/usr/bin/");

		/* The same with modules; the release build beside the debug build. */
		if (strchr(path, '+') || !is_program(path) || is_being_made(path) ||
		    strstr(path, "-musl/") || /* has no ctypes, which the script needs */
		    (strstr(path, "-dbg/") && path[strlen(path) - 1] != 'd')) {
			free(path);
			continue;
		}
		all[(*n)++] = (struct python){.program = inside ? strdup(inside) : path,
					      .root = inside ? path : NULL};
		if (inside)
			*inside = '\0';
	}
	globfree(&found);
}

static void check_minor(unsigned int minor)
{
	struct pythons plain = pythons__find(minor);
	struct python all[MAX_PYTHONS];
	size_t n = 0;

	for (unsigned int i = 0; i < plain.n; i++)
		if (!root_tree(plain.paths[i])) /* those are found below */
			all[n++] = (struct python){.program = strdup(plain.paths[i])};
	pythons__free(&plain);
	if (geteuid() == 0)
		add_chroots(all, &n, minor);
	for (size_t i = 0; i < n; i++) {
		check_all(&all[i]);
		free(all[i].program);
		free(all[i].root);
	}
	if (n)
		return;
	print_message("skipped: no CPython 3.%u on this machine\n", minor);
	skip();
}

#define MINOR(n)                                                                                   \
	static void test_3_##n(void **state)                                                       \
	{                                                                                          \
		(void)state;                                                                       \
		check_minor(n);                                                                    \
	}
MINOR(8)
MINOR(9)
MINOR(10)
MINOR(11)
MINOR(12)
MINOR(13)
MINOR(14)
MINOR(15)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded), cmocka_unit_test(test_3_8),
		cmocka_unit_test(test_3_9),	 cmocka_unit_test(test_3_10),
		cmocka_unit_test(test_3_11),	 cmocka_unit_test(test_3_12),
		cmocka_unit_test(test_3_13),	 cmocka_unit_test(test_3_14),
		cmocka_unit_test(test_3_15),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
