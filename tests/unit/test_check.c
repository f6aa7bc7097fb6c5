/* SPDX-License-Identifier: MIT */
/*
 * The page of `cowtrace check`, from made-up machines, compared byte for byte with
 * tests/golden/check. scripts/update-golden writes the files anew.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "golden_file.h"
#include "model/lacks.h"
#include "model/machine.h"
#include "sink/check.h"

#define EVIL                                                                                       \
	"\x1b[2J\x1b]0;x\x07\xe2\x80\xae"                                                          \
	"a\nb\x7f\t\"'<i>&`$(id)`"

static const struct machine_witness good_witnesses[] = {
	{
		.name = "fexit",
		.works = true,
		.used = true,
		.limits = "hugetlb pages",
		.cost = "each write to a page that is mapped read-only runs a small program",
	},
	{
		.name = "tracepoints",
		.works = true,
		.limits = "hugetlb pages, writes through ptrace",
		.cost = "each page fault runs a small program",
	},
	{
		.name = "wp_page_copy",
		.reason = "this kernel has no function wp_page_copy to be watched",
		.limits = "",
		.note = "counts calls",
		.cost = "each copy runs a small program",
	},
};

static const struct machine_witness some_witnesses[] = {
	{.name = "fexit", .reason = "the kernel refuses fexit: Operation not permitted"},
	{.name = "kprobe", .reason = "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"},
	{
		.name = "tracepoints",
		.works = true,
		.used = true,
		.limits = "hugetlb pages, writes through ptrace",
		.note = "counts as it should",
		.cost = "each page fault runs a small program",
	},
};

static const struct machine_witness no_witnesses[] = {
	{.name = "fexit", .reason = "the kernel refuses fexit: Operation not permitted"},
	{.name = "kprobe", .reason = "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"},
	{.name = "tracepoints", .reason = "this kernel has no tracepoints of page faults"},
};

static const struct machine_python good_pythons[] = {
	{
		.version = "3.11.2",
		.file = "/usr/bin/python3.11",
		.layout = "by the table of CPython 3.11",
		.processes = 500,
		.examples = {{4121, "gunicorn --preload app:app"},
			     {4122, "gunicorn --preload app:app"},
			     {4123, "gunicorn --preload app:app"}},
	},
	{
		.version = "3.13.5",
		.file = "/usr/lib/x86_64-linux-gnu/libpython3.13.so.1.0",
		.layout = "by its own offsets (_Py_DebugOffsets), which passed the checks",
		.processes = 1,
		.examples = {{77, "uwsgi --ini app.ini"}},
	},
};

static const struct machine_python odd_pythons[] = {
	{
		.version = "3.16.0",
		.file = "/opt/python3.16/bin/python3.16",
		.layout = "by its own offsets (_Py_DebugOffsets), which passed the checks",
		.problem = "CPython 3.16.0 is newer than 3.15, the newest that this cowtrace "
			   "knows: its own offsets passed every check",
		.newer = true,
		.processes = 2,
		.examples = {{501, "celery worker"}, {502, "celery worker"}},
	},
	{
		.version = "3.7.3",
		.file = "/usr/bin/python3.7",
		.problem = "CPython 3.7.3 is older than 3.8, the oldest that cowtrace explains: "
			   "copies are counted, with native symbols only",
		.processes = 1,
		.examples = {{99, "old.py"}},
	},
	{
		.problem = "there is a Python, but its version can not be told",
		.processes = 1,
		.examples = {{100, "embedded"}},
	},
};

static struct machine good(void)
{
	struct machine m = {
		.version = "0.1.0",
		.kernel = "6.12.95-cloud-amd64",
		.build = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1",
		.arch = "x86_64",
		.distribution = "Debian GNU/Linux 13 (trixie)",
		.user = "root",
		.cpus = 64,
		.page_size = 4096,
		.first_pid_namespace = true,
		.first_user_namespace = true,
		.btf_size = 6 << 20,
		.lockdown = "none",
		.kernel_addresses = true,
		.kernel_count = 1,
		.delayacct = {.value = 1},
		.perf_event_paranoid = {.value = 3},
		.unprivileged_bpf = {.value = 2},
		.ptrace_scope = {.err = -ENOENT},
		.memlock = UINT64_MAX,
		.witnesses = good_witnesses,
		.n_witnesses = 3,
		.pythons = good_pythons,
		.n_pythons = 2,
		.processes = 812,
	};

	for (int i = 0; i < PRIVILEGES; i++)
		m.privileges[i] = true;
	return m;
}

/* Of another one's machine: everything there is refused. */
static struct machine nothing(void)
{
	struct machine m = {
		.version = "0.1.0",
		.kernel = "4.19.0",
		.build = "#1",
		.arch = "riscv64",
		.uid = 1000,
		.cpus = 1,
		.page_size = 4096,
		.btf_err = -ENOENT,
		.lockdown_err = -EACCES,
		.tracefs_err = -ENOENT,
		.kernel_count = -1,
		.delayacct = {.err = -ENOENT},
		.kptr_restrict = {.err = -EACCES},
		.perf_event_paranoid = {.err = -ENOENT},
		.unprivileged_bpf = {.err = -EINVAL},
		.ptrace_scope = {.value = 3},
		.memlock = 65536,
		.witnesses = no_witnesses,
		.n_witnesses = 3,
		.processes = 40,
		.closed = 40,
	};

	return m;
}

static struct machine user(void)
{
	struct machine m = good();

	for (int i = 0; i < PRIVILEGES; i++)
		m.privileges[i] = false;
	m.uid = 1000;
	m.user = "ada";
	m.first_user_namespace = true;
	m.witnesses = no_witnesses;
	m.kernel_addresses = false;
	m.delayacct.value = 0;
	m.tracefs_err = -EACCES;
	m.closed = 790;
	return m;
}

static struct machine odd(void)
{
	struct machine m = good();

	m.preemption = MACHINE_PREEMPTS_TRACEPOINTS;
	m.kernel_addresses = false;
	m.kernel_count = 0;
	m.tracefs_err = -ENOENT;
	m.privileges[PRIVILEGE_CHECKPOINT_RESTORE] = false;
	m.witnesses = some_witnesses;
	m.pythons = odd_pythons;
	m.n_pythons = 3;
	m.closed = 1;
	return m;
}

static struct machine hostile(void)
{
	static const struct machine_witness witness = {.name = EVIL,
						       .works = true,
						       .used = true,
						       .limits = EVIL,
						       .note = EVIL,
						       .cost = EVIL};
	static const struct machine_python python = {
		.version = EVIL,
		.file = EVIL EVIL EVIL EVIL EVIL EVIL EVIL EVIL EVIL EVIL EVIL EVIL,
		.layout = EVIL,
		.problem = EVIL,
		.processes = 2,
		.examples = {{1, EVIL EVIL EVIL EVIL}, {2, ""}},
	};
	struct machine m = good();

	m.kernel = m.build = m.arch = m.distribution = m.user = m.lockdown = EVIL;
	m.witnesses = &witness;
	m.n_witnesses = 1;
	m.pythons = &python;
	m.n_pythons = 1;
	return m;
}

/* tests/golden/check/NAME.text and .json */
static const struct page {
	const char *name;
	struct machine (*build)(void);
	bool works;
} pages[] = {
	{"good", good, true}, {"nothing", nothing, false}, {"user", user, false},
	{"odd", odd, true},   {"hostile", hostile, true},
};

#define N_PAGES (sizeof(pages) / sizeof(pages[0]))

static char *render(const struct page *page, bool json, bool color, size_t *size)
{
	const struct machine m = page->build();
	struct lacks lacks;
	char *output = NULL;
	FILE *out = open_memstream(&output, size);

	assert_non_null(out);
	lacks__find(&m, &lacks);
	assert_int_equal(lacks__works(&lacks), page->works);
	assert_int_equal(json ? check__json(&m, &lacks, out) : check__text(&m, &lacks, color, out),
			 0);
	fclose(out);
	return output;
}

static void compare(const struct page *page, bool json)
{
	size_t size;
	_free_ char *got = render(page, json, false, &size), *path = NULL;

	assert_true(asprintf(&path, "tests/golden/check/%s.%s", page->name,
			     json ? "json" : "text") > 0);
	golden__compare(path, got, size);
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PAGES; i++) {
		compare(&pages[i], false);
		compare(&pages[i], true);
	}
}

/* What a file or a process calls itself steers no terminal. */
static void test_no_control_reaches_the_page(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * N_PAGES; i++) {
		size_t size;
		_free_ char *output = render(&pages[i / 2], i % 2, false, &size);

		golden__no_control(pages[i / 2].name, output, size);
	}
}

static void test_the_page_fits_100_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PAGES; i++) {
		size_t size;
		_free_ char *output = render(&pages[i], false, false, &size);

		golden__fits(pages[i].name, output);
	}
}

static void test_color_only_when_asked(void **state)
{
	size_t size;
	_free_ char *with = render(&pages[0], false, true, &size);
	_free_ char *without = render(&pages[0], false, false, &size);

	(void)state;
	assert_non_null(strstr(with, "\033[1m"));
	assert_null(strchr(without, '\033'));
}

static void test_failed_stream_is_reported(void **state)
{
	const struct machine m = good();
	struct lacks lacks;
	_fclose_ FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	lacks__find(&m, &lacks);
	assert_int_equal(check__text(&m, &lacks, false, full), -EIO);
	assert_int_equal(check__json(&m, &lacks, full), -EIO);
}

/* --- what is a lack ---------------------------------------------------------- */

static const struct lack *find(const struct lacks *lacks, const char *words)
{
	for (size_t i = 0; i < lacks->n; i++)
		if (strstr(lacks->at[i].what, words))
			return &lacks->at[i];
	return NULL;
}

static void test_a_good_machine_lacks_nothing(void **state)
{
	const struct machine m = good();
	struct lacks lacks;

	(void)state;
	lacks__find(&m, &lacks);
	assert_int_equal(lacks.n, 0);
}

static void test_each_lack_says_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PAGES; i++) {
		const struct machine m = pages[i].build();
		struct lacks lacks;

		lacks__find(&m, &lacks);
		for (size_t k = 0; k < lacks.n; k++) {
			assert_true(lacks.at[k].what[0] && lacks.at[k].advice[0]);
			assert_true(!k || lacks.at[k].weight >= lacks.at[k - 1].weight);
		}
	}
}

/* One thing at a time is taken away. */
static void test_what_stops_all(void **state)
{
	struct machine m = good();
	struct lacks lacks;

	(void)state;
	m.first_pid_namespace = false;
	lacks__find(&m, &lacks);
	assert_int_equal(find(&lacks, "pid namespace")->weight, LACK_STOPS);

	m = good();
	m.witnesses = no_witnesses;
	lacks__find(&m, &lacks);
	assert_int_equal(find(&lacks, "refuses every witness")->weight, LACK_STOPS);

	m.lockdown = "confidentiality";
	lacks__find(&m, &lacks);
	assert_int_equal(find(&lacks, "locked down")->weight, LACK_STOPS);
	assert_null(find(&lacks, "refuses every witness"));

	m.privileges[PRIVILEGE_PERFMON] = false;
	lacks__find(&m, &lacks);
	assert_int_equal(find(&lacks, "CAP_PERFMON")->weight, LACK_STOPS);
	assert_null(find(&lacks, "locked down")); /* that would be a guess */

	m.first_user_namespace = false;
	lacks__find(&m, &lacks);
	assert_int_equal(find(&lacks, "user namespace")->weight, LACK_STOPS);
	assert_null(find(&lacks, "CAP_PERFMON"));

	m = good();
	m.witnesses = no_witnesses;
	m.btf_err = -EACCES;
	lacks__find(&m, &lacks);
	assert_int_equal(find(&lacks, "BTF")->weight, LACK_STOPS);
	assert_int_equal(lacks.n, 1);
}

static void test_what_makes_reports_poorer(void **state)
{
	(void)state;
	for (int i = 0; i < PRIVILEGES; i++) {
		struct machine m = good();
		struct lacks lacks;

		m.privileges[i] = false;
		lacks__find(&m, &lacks);
		/* A witness works here, so that none can be needed for it. */
		assert_int_equal(lacks.n, 1);
		assert_int_equal(find(&lacks, privilege__at(i)->name)->weight, LACK_LESS);
		assert_true(lacks__works(&lacks));
	}
}

/* A host full of strange Pythons does not push out what stops everything. */
static void test_many_pythons(void **state)
{
	struct machine_python many[64];
	struct machine m = nothing();
	struct lacks lacks;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		many[i] = odd_pythons[1];
	m.pythons = many;
	m.n_pythons = 64;
	lacks__find(&m, &lacks);
	assert_true(lacks.n <= LACKS_MAX);
	assert_false(lacks__works(&lacks));
	assert_non_null(find(&lacks, "pid namespace"));
	assert_non_null(find(&lacks, "BTF"));
	assert_non_null(find(&lacks, "3.7.3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_no_control_reaches_the_page),
		cmocka_unit_test(test_the_page_fits_100_columns),
		cmocka_unit_test(test_color_only_when_asked),
		cmocka_unit_test(test_failed_stream_is_reported),
		cmocka_unit_test(test_a_good_machine_lacks_nothing),
		cmocka_unit_test(test_each_lack_says_what_to_do),
		cmocka_unit_test(test_what_stops_all),
		cmocka_unit_test(test_what_makes_reports_poorer),
		cmocka_unit_test(test_many_pythons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
