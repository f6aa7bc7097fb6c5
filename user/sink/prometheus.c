/* SPDX-License-Identifier: MIT */
#include "sink/prometheus.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/metrics.h"
#include "sink/escape.h"
#include "sink/words.h"

struct page {
	const struct metrics *m;
	bool openmetrics;
	FILE *out;
	const char *name; /* of the family, without _total */
	const char *suffix;
};

/* --- families ---------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* OpenMetrics wants the unit said, if the name ends with it. */
static void put_unit(const struct page *p)
{
	static const char *const units[] = {"_bytes", "_seconds"};

	for (size_t i = 0; p->openmetrics && i < 2; i++)
		if (ends_with(p->name, units[i]))
			fprintf(p->out, "# UNIT %s %s\n", p->name, units[i] + 1);
}

/* type: "counter", whose samples are called NAME_total; "gauge", "info", "summary". */
static void family(struct page *p, const char *name, const char *type, const char *help)
{
	bool info = strcmp(type, "info") == 0;

	p->name = name;
	p->suffix = strcmp(type, "counter") == 0 ? "_total" : info ? "_info" : "";
	if (p->openmetrics) {
		fprintf(p->out, "# TYPE %s %s\n", name, type);
		put_unit(p);
		fprintf(p->out, "# HELP %s %s\n", name, help);
		return;
	}
	fprintf(p->out, "# HELP %s%s %s\n", name, p->suffix, help);
	fprintf(p->out, "# TYPE %s%s %s\n", name, p->suffix, info ? "gauge" : type);
}

/* --- samples ----------------------------------------------------------------- */

/* Both formats: backslash, quote and line feed. Controls have been made visible before. */
static void put_value(const struct page *p, const char *value)
{
	_free_ char *text = escape__dup(value);

	for (const char *c = text ?: "?"; *c; c++) {
		if (*c == '\\' || *c == '"')
			fputc('\\', p->out);
		fputc(*c, p->out);
	}
}

static void put_label(const struct page *p, const char *label, const char *value)
{
	fprintf(p->out, "%s=\"", label);
	put_value(p, value);
	fputc('"', p->out);
}

static void sample(const struct page *p, uint64_t n)
{
	fprintf(p->out, "%s%s %" PRIu64 "\n", p->name, p->suffix, n);
}

static void sample_of(const struct page *p, const char *label, const char *value, uint64_t n)
{
	fprintf(p->out, "%s%s{", p->name, p->suffix);
	put_label(p, label, value);
	fprintf(p->out, "} %" PRIu64 "\n", n);
}

static void sample_seconds(const struct page *p, const char *suffix, double seconds)
{
	fprintf(p->out, "%s%s %.6f\n", p->name, suffix, seconds);
}

/* --- what is traced ---------------------------------------------------------- */

static const struct group *group_at(const struct page *p, size_t i)
{
	const struct group *g = &p->m->groups[i];

	return g->number ? g : NULL;
}

static void put_causes(const struct page *p, bool bytes)
{
	for (size_t i = 0; i < GROUPS_MAX; i++) {
		const struct group *g = group_at(p, i);

		for (enum cause c = 0; g && c < CAUSE_MAX; c++) {
			fprintf(p->out, "%s%s{", p->name, p->suffix);
			put_label(p, "group", g->name);
			fputc(',', p->out);
			put_label(p, "cause", cause__name(c));
			fprintf(p->out, "} %" PRIu64 "\n",
				bytes ? g->pages[c] * p->m->page_size : g->copies[c]);
		}
	}
}

static void put_groups(const struct page *p, size_t offset)
{
	for (size_t i = 0; i < GROUPS_MAX; i++) {
		const struct group *g = group_at(p, i);

		if (g)
			sample_of(p, "group", g->name,
				  *(const uint64_t *)((const char *)g + offset));
	}
}

static void put_traced(struct page *p)
{
	family(p, "cowtrace_copies", "counter",
	       "Pages that the kernel copied because of a write, by cause of the write.");
	put_causes(p, false);
	family(p, "cowtrace_copied_bytes", "counter", "Memory that these copies took, in bytes.");
	put_causes(p, true);
	family(p, "cowtrace_reuses", "counter",
	       "Write faults on pages that nobody shared any longer: no memory used.");
	put_groups(p, offsetof(struct group, reuses));
	family(p, "cowtrace_copies_uncounted_by_kernel", "counter",
	       "Those of the copies that the kernel's own count (wpcopy_count) leaves out, such as "
	       "first writes to "
	       "pages of files.");
	put_groups(p, offsetof(struct group, uncounted));
	family(p, "cowtrace_shared_bytes", "gauge",
	       "Memory that the living processes still share, at most, in bytes.");
	put_groups(p, offsetof(struct group, now.shared_now));
	family(p, "cowtrace_shared_at_fork_bytes", "gauge",
	       "Memory that the living processes shared when they were forked, or found, in "
	       "bytes.");
	put_groups(p, offsetof(struct group, now.shared_at_fork));
	family(p, "cowtrace_new_bytes", "gauge",
	       "Memory that the living processes have filled themselves, in bytes.");
	put_groups(p, offsetof(struct group, now.fresh));
	family(p, "cowtrace_processes", "gauge", "Traced processes that live.");
	put_groups(p, offsetof(struct group, now.processes));
	family(p, "cowtrace_type_copies", "counter",
	       "Copies because of a write to an object, by its type.");
	for (size_t i = 0; i < p->m->n_types; i++)
		sample_of(p, "type", p->m->types[i].name, p->m->types[i].copies);
}

static void put_lost(struct page *p)
{
	family(p, "cowtrace_lost_events", "counter",
	       "Copies that happened and were not counted, by reason.");
	for (unsigned int i = 0; i < CT_LOST_MAX; i++)
		sample_of(p, "reason", words__lost(i), p->m->lost[i]);
	family(p, "cowtrace_lost_names", "counter",
	       "Records of processes and stacks that were lost: names are missing, copies are "
	       "not.");
	sample(p, p->m->names_lost);
	family(p, "cowtrace_lost_corrections", "counter",
	       "Copies that were taken back, which was lost: so many, at most, are counted too "
	       "much.");
	sample(p, p->m->corrections_lost);
	family(p, "cowtrace_retracted_copies", "counter",
	       "Copies that the kernel threw away, because the page changed meanwhile: not counted "
	       "here, but by the kernel itself.");
	sample(p, p->m->retracted);
}

/* --- cowtrace itself --------------------------------------------------------- */

static void put_counter(struct page *p, const char *name, const char *help, uint64_t n)
{
	family(p, name, "counter", help);
	sample(p, n);
}

static void put_gauge(struct page *p, const char *name, const char *help, uint64_t n)
{
	family(p, name, "gauge", help);
	sample(p, n);
}

static void put_itself(struct page *p)
{
	static const char *const layouts[] = {
#define X(id, name) [LAYOUT_##id] = name,
		LAYOUT_RESULTS(X)
#undef X
	};
	const struct metrics *m = p->m;

	family(p, "cowtrace_build", "info", "The version of cowtrace.");
	sample_of(p, "version", m->version, 1);
	family(p, "cowtrace_capture", "info", "How copies are proven on this kernel.");
	sample_of(p, "witness", m->witness, 1);
	put_counter(p, "cowtrace_events", "Records that came from the kernel side.", m->events);
	family(p, "cowtrace_python_layouts", "counter",
	       "Programs with a Python, by whether it is understood or why not.");
	for (size_t i = 0; i < LAYOUT_MAX; i++)
		sample_of(p, "result", layouts[i], m->layouts[i]);
	put_counter(p, "cowtrace_folded_copies",
		    "Copies that are in the profiles without their site, for lack of room.",
		    m->folded);
	put_counter(p, "cowtrace_retired_groups",
		    "Groups without processes that have made room for others.", m->groups_retired);
	put_counter(p, "cowtrace_renewals",
		    "How often cowtrace has forgotten its caches, to stay small.", m->renewals);
	put_counter(p, "cowtrace_http_starts", "Processes for HTTP that were started.",
		    m->http_starts);
	family(p, "cowtrace_scrape_duration_seconds", "summary",
	       "Time that it took to write such pages, in seconds.");
	sample_seconds(p, "_sum", m->scrape_seconds);
	fprintf(p->out, "%s_count %" PRIu64 "\n", p->name, m->scrapes);
}

/* As all clients of Prometheus call these. */
static void put_process(struct page *p)
{
	const struct metrics *m = p->m;

	family(p, "process_cpu_seconds", "counter", "CPU time that cowtrace has used, in seconds.");
	sample_seconds(p, p->suffix, m->cpu_seconds);
	put_gauge(p, "process_resident_memory_bytes", "Resident memory of cowtrace, in bytes.",
		  m->resident_bytes);
	family(p, "process_start_time_seconds", "gauge",
	       "When cowtrace was started, in seconds since 1970.");
	sample_seconds(p, "", m->start_time);
	put_gauge(p, "process_open_fds", "Open file descriptors.", m->open_fds);
	put_gauge(p, "process_max_fds", "File descriptors that may be open.", m->max_fds);
}

int prometheus__write(const struct metrics *m, bool openmetrics, FILE *out)
{
	struct page p = {.m = m, .openmetrics = openmetrics, .out = out};

	put_traced(&p);
	put_lost(&p);
	put_itself(&p);
	put_process(&p);
	if (openmetrics)
		fputs("# EOF\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
