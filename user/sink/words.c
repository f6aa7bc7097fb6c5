/* SPDX-License-Identifier: MIT */
#include "sink/words.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "model/snapshot.h"

const char *words__plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

const char *words__lost(unsigned int reason)
{
	static const char *const names[] = {
#define CT_LOST(id, name, help) [CT_LOST_##id] = name,
#include <cowtrace/reasons.def>
	};

	return names[reason];
}

void words__python(const struct snapshot *snap, char *words, size_t size)
{
	const char *first = NULL;
	bool problem = false;
	size_t versions = 0;

	for (size_t i = 0; i < snap->n_processes; i++) {
		const char *python = snap->processes[i].python;

		problem = problem || snap->processes[i].python_problem;
		if (!python)
			continue;
		for (size_t k = 0; k < i && python; k++)
			if (snap->processes[k].python &&
			    strcmp(snap->processes[k].python, python) == 0)
				python = NULL;
		versions += python != NULL;
		first = first ?: python;
	}
	if (versions > 1)
		snprintf(words, size, "%zu versions of CPython", versions);
	else if (first)
		snprintf(words, size, "CPython %s", first);
	else
		snprintf(words, size, problem ? "Python not understood" : "no Python");
}

int words__process(const struct snapshot_process *process, char **out)
{
	if (!process->pid)
		return asprintf(out, "%s", process->command);
	return asprintf(out, "%s [%" PRIu32 "]", process->command, process->pid);
}

char *words__processes(const struct snapshot *snap)
{
	const struct snapshot_process *root = NULL;
	size_t roots = 0, forked = 0;
	char others[48] = "", children[64] = "";
	char *words, *first;
	int n;

	for (size_t i = 0; i < snap->n_processes; i++) {
		const struct snapshot_process *p = &snap->processes[i];

		if (!p->forked && !roots++)
			root = p;
		forked += p->forked;
	}
	if (!root)
		return asprintf(&words, "%s %s", number__count(forked).s,
				words__plural(forked, "process", "processes")) < 0
			       ? NULL
			       : words;
	if (roots > 1)
		snprintf(others, sizeof(others), ", %s more", number__count(roots - 1).s);
	if (forked)
		snprintf(children, sizeof(children), " and %s forked %s", number__count(forked).s,
			 words__plural(forked, "process", "processes"));
	if (words__process(root, &first) < 0)
		return NULL;
	n = asprintf(&words, "%s%s%s", first, others, children);
	free(first);
	return n < 0 ? NULL : words;
}

const char *words__file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}
