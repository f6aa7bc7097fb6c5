/* SPDX-License-Identifier: MIT */
/* Counts by service: names, places, and the page of metrics as it is scraped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/aggregate.h"
#include "model/groups.h"
#include "model/metrics.h"
#include "model/snapshot.h"
#include "sink/prometheus.h"
#include "targets/group_name.h"

#define SECOND 1000000000ull
#define ID     "4f1c0a5b7d21e8896543210fedcba9876543210fedcba9876543210fedcba987"

static struct groups *groups;

static int setup(void **state)
{
	(void)state;
	return groups__new(&groups);
}

static int teardown(void **state)
{
	(void)state;
	groups__free(groups);
	return 0;
}

static void copies(unsigned int group, enum cause cause, const char *type, unsigned int n)
{
	const struct verdict verdict = {.cause = cause, .detail = "", .type = type};

	while (n--)
		groups__copy(groups, group, &verdict, 1, false);
}

static const struct group *row(unsigned int group)
{
	return &groups__rows(groups)[group];
}

/* --- names ------------------------------------------------------------------- */

static void test_names_of_cgroups(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: none */
	} cases[] = {
		{"0::/system.slice/gunicorn.service\n", "gunicorn.service"},
		{"0::/system.slice/app@blue.service/worker\n", "app@blue.service"},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/jobs.service\n",
		 "jobs.service"},
		{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1234.scope\n",
		 NULL},
		{"0::/user.slice/user-1000.slice/session-7.scope\n", NULL},
		{"0::/\n", NULL},
		{"", NULL},
		{"nonsense\n\n::\n:\n", NULL},
		{"0::/system.slice/docker-" ID ".scope\n", "docker:4f1c0a5b7d21"},
		{"0::/docker/" ID "\n", "docker:4f1c0a5b7d21"},
		{"4:memory:/docker/" ID "\n0::/\n", "docker:4f1c0a5b7d21"},
		{"0::/system.slice/docker.service/docker/" ID "\n", "docker:4f1c0a5b7d21"},
		{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-pod1.slice/"
		 "cri-containerd-" ID ".scope\n",
		 "containerd:4f1c0a5b7d21"},
		{"0::/kubepods/besteffort/pod12/" ID "\n", "container:4f1c0a5b7d21"},
		{"0::/machine.slice/libpod-" ID ".scope/container\n", "podman:4f1c0a5b7d21"},
		{"0::/machine.slice/machine-web.scope\n", "machine:web"},
		{"0::/lxc.payload.shop/system.slice/app.service\n", "app.service"},
		{"0::/lxc.payload.shop\n", "lxc:shop"},
		{"9:name=systemd:/system.slice/cron.service\n4:memory:/\n", "cron.service"},
		{"0::/docker-short.scope\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[GROUP_NAME] = "";
		bool found = group_name__of_cgroups(cases[i].text, name, sizeof(name));

		if (found != !!cases[i].name || (found && strcmp(name, cases[i].name) != 0))
			fail_msg("%s is called %s", cases[i].text, found ? name : "nothing");
	}
}

static void test_names_of_commands(void **state)
{
	static const char *const cases[][2] = {
		{"gunicorn -w 3 app:app", "gunicorn"},
		{"gunicorn: master [app]", "gunicorn"},
		{"celery", "celery"},
		{"", "?"},
		{" ", "?"},
		{":", ":"},
	};
	char name[GROUP_NAME];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		group_name__of_command(cases[i][0], name, sizeof(name));
		if (strcmp(cases[i][1], "?") != 0)
			assert_string_equal(name, cases[i][1]);
		else
			assert_int_equal(strlen(name), 1);
	}
}

static void test_a_cgroup_is_it_and_what_is_below(void **state)
{
	(void)state;
	assert_true(group_name__in_cgroup("0::/a/b\n", "/a/b"));
	assert_true(group_name__in_cgroup("3:cpu:/x\n0::/a/b/c\n", "/a/b"));
	assert_false(group_name__in_cgroup("0::/a/bc\n", "/a/b"));
	assert_false(group_name__in_cgroup("0::/a\n", "/a/b"));
	assert_false(group_name__in_cgroup("", "/a"));
}

/* --- places ------------------------------------------------------------------ */

static void test_all_causes_begin_at_zero(void **state)
{
	unsigned int g = groups__find(groups, "a.service", SECOND);

	(void)state;
	assert_int_not_equal(g, GROUP_OTHER);
	assert_int_equal(groups__find(groups, "a.service", SECOND), g);
	for (int c = 0; c < CAUSE_MAX; c++)
		assert_int_equal(row(g)->copies[c], 0);
	copies(g, CAUSE_REFCOUNT, "int", 23);
	assert_int_equal(row(g)->copies[CAUSE_REFCOUNT], 23);
	assert_int_equal(row(g)->pages[CAUSE_REFCOUNT], 23);
}

static unsigned int find_number(unsigned int i, uint64_t now)
{
	char name[32];

	snprintf(name, sizeof(name), "service-%u", i);
	return groups__find(groups, name, now);
}

static void test_who_finds_no_room_is_other(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < GROUPS_MAX; i++) {
		unsigned int g = find_number(i, SECOND);

		assert_int_not_equal(g, GROUP_OTHER);
		groups__begin(groups, g);
	}
	assert_int_equal(find_number(1000, 1000 * SECOND), GROUP_OTHER);
	assert_int_equal(find_number(7, 1000 * SECOND), 7);
	assert_int_equal(groups__retired(groups), 0);
}

static void test_the_group_that_is_empty_for_longest_makes_room(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < GROUPS_MAX; i++)
		groups__begin(groups, find_number(i, SECOND));
	copies(5, CAUSE_STACK, NULL, 7);
	groups__end(groups, 5, 11, 100 * SECOND);
	groups__end(groups, 6, 0, 90 * SECOND);
	/* Copies of what has just ended may be on their way. */
	assert_int_equal(find_number(1000, 120 * SECOND), GROUP_OTHER);
	assert_int_equal(find_number(1000, 200 * SECOND), 6);
	assert_string_equal(row(6)->name, "service-1000");
	groups__begin(groups, 6);
	assert_int_equal(find_number(1001, 200 * SECOND), 5);
	assert_int_equal(row(5)->copies[CAUSE_STACK], 0);
	assert_int_equal(row(5)->reuses, 0);
	assert_int_equal(groups__retired(groups), 2);
	assert_true(row(5)->number > row(6)->number);
}

static void test_a_long_name_is_cut_between_characters(void **state)
{
	char name[300] = "";

	(void)state;
	for (int i = 0; i < 50; i++)
		strcat(name, "ä€");
	assert_int_equal(groups__find(groups, name, 1), groups__find(groups, name, 1));
	assert_int_equal(strlen(row(1)->name) % 5 % 2, 0); /* whole characters of 2 and 3 bytes */
	assert_true(strlen(row(1)->name) < GROUP_NAME);
}

static void look(unsigned int group, uint64_t reuses)
{
	const struct process_facts facts = {
		.reuses = reuses,
		.shared_at_fork = 4096,
		.shared_now = SNAPSHOT_UNKNOWN,
		.new_bytes = 8192,
	};

	groups__look(groups, group, &facts);
}

static void test_reuses_never_go_back(void **state)
{
	unsigned int g = groups__find(groups, "a", SECOND);

	(void)state;
	groups__begin(groups, g);
	groups__begin(groups, g);
	groups__look_begin(groups);
	look(g, 100);
	look(g, 31);
	groups__look_end(groups);
	assert_int_equal(row(g)->reuses, 131);
	assert_int_equal(row(g)->now.processes, 2);
	assert_int_equal(row(g)->now.shared_at_fork, 8192);
	assert_int_equal(row(g)->now.shared_now, 0);
	assert_int_equal(row(g)->now.fresh, 16384);
	groups__end(groups, g, 103, 2 * SECOND);
	assert_int_equal(row(g)->reuses, 131); /* until both are looked at again */
	groups__look_begin(groups);
	look(g, 31);
	groups__look_end(groups);
	assert_int_equal(row(g)->reuses, 134);
	assert_int_equal(row(g)->now.processes, 1);
}

static uint64_t type_copies(const char *name)
{
	size_t n;
	const struct group_type *types = groups__types(groups, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].copies;
	return UINT64_MAX;
}

static void test_types_are_bounded_and_the_large_ones_have_rows(void **state)
{
	uint64_t sum = 0;
	char name[32];
	size_t n;

	(void)state;
	for (int i = 0; i < 10007; i++) {
		snprintf(name, sizeof(name), "T%d", i);
		copies(GROUP_OTHER, CAUSE_REFCOUNT, name, 1);
	}
	copies(GROUP_OTHER, CAUSE_REFCOUNT, "int", 5003);
	copies(GROUP_OTHER, CAUSE_REFCOUNT, "other", 3);
	groups__types(groups, &n);
	assert_true(n <= GROUPS_TYPES + 1);
	assert_true(type_copies("int") > 4500 && type_copies("int") <= 5003);
	assert_int_equal(type_copies("T0"), 1);
	assert_int_equal(type_copies("T9999"), UINT64_MAX);
	for (size_t i = 0; i < n; i++)
		sum += groups__types(groups, &n)[i].copies;
	assert_int_equal(sum, 10007 + 5003 + 3);
}

/* --- the page ---------------------------------------------------------------- */

static void fill(struct metrics *m)
{
	unsigned int web = groups__find(groups, "web.service", SECOND);
	unsigned int odd = groups__find(groups, "a\"b\\c\nd\033[31m\xff\xe2\x80\xae", SECOND);

	groups__begin(groups, web);
	copies(web, CAUSE_REFCOUNT, "int", 23);
	copies(web, CAUSE_GC_HEADER, "dict", 7);
	copies(odd, CAUSE_UNKNOWN, NULL, 1);
	groups__copy(groups, odd, &(struct verdict){.cause = CAUSE_NATIVE_DATA}, 1, true);
	groups__look_begin(groups);
	look(web, 3);
	groups__look_end(groups);
	*m = (struct metrics){
		.version = "0.0.0",
		.witness = "tracepoints",
		.page_size = 4096,
		.groups = groups__rows(groups),
		.names_lost = 13,
		.corrections_lost = 4,
		.retracted = 6,
		.groups_retired = 2,
		.events = 101,
		.folded = 5,
		.renewals = 1,
		.http_starts = 1,
		.scrapes = 3,
		.scrape_seconds = 0.0125,
		.cpu_seconds = 1.5,
		.start_time = 1700000000.25,
		.resident_bytes = 20971520,
		.open_fds = 17,
		.max_fds = 1024,
	};
	m->types = groups__types(groups, &m->n_types);
	m->lost[CT_LOST_RING_FULL] = 11;
	m->layouts[LAYOUT_RESOLVED] = 2;
}

static void compare(bool openmetrics, const char *path)
{
	_free_ char *got = NULL, *want = NULL;
	_fclose_ FILE *file = NULL;
	size_t size, want_size;
	struct metrics m;
	FILE *out = open_memstream(&got, &size);

	fill(&m);
	assert_int_equal(prometheus__write(&m, openmetrics, out), 0);
	fclose(out);
	file = fopen(path, getenv("UPDATE_GOLDEN") ? "w" : "r");
	assert_non_null(file);
	if (getenv("UPDATE_GOLDEN")) {
		fwrite(got, 1, size, file);
		return;
	}
	want = calloc(1, size + 2);
	want_size = fread(want, 1, size + 1, file);
	if (want_size != size || memcmp(want, got, size) != 0)
		fail_msg("%s differs; this is what came:\n%s", path, got);
}

static void test_metrics_text(void **state)
{
	(void)state;
	compare(false, "tests/golden/metrics.prometheus");
}

static void test_openmetrics_text(void **state)
{
	(void)state;
	compare(true, "tests/golden/metrics.openmetrics");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_cgroups),
		cmocka_unit_test(test_names_of_commands),
		cmocka_unit_test(test_a_cgroup_is_it_and_what_is_below),
		cmocka_unit_test_setup_teardown(test_all_causes_begin_at_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_finds_no_room_is_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_group_that_is_empty_for_longest_makes_room,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_long_name_is_cut_between_characters, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_reuses_never_go_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types_are_bounded_and_the_large_ones_have_rows,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_metrics_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_openmetrics_text, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
