/* SPDX-License-Identifier: MIT */
#include "model/advice_hints.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "model/snapshot.h"

static const char *const hints[HINT_ACTIONS][FRAMEWORKS] = {
#define HINT(action, framework, text) [HINT_##action][FRAMEWORK_##framework] = text,
#define ACTION(action, title, rules)  /* for the documents */
#include "model/advice_hints.def"
#undef ACTION
#undef HINT
};

/* What tells a framework: the start of a command, and a folder of the files of its functions. */
static const struct {
	const char *lead, *command, *folder;
} frameworks[FRAMEWORKS] = {
	[FRAMEWORK_DATALOADER] = {"With DataLoader", NULL, "/torch/utils/data/"},
	[FRAMEWORK_CELERY] = {"With Celery", "celery", "/celery/"},
	[FRAMEWORK_GUNICORN] = {"With gunicorn", "gunicorn", "/gunicorn/"},
	[FRAMEWORK_UWSGI] = {"With uWSGI", "uwsgi", NULL},
	[FRAMEWORK_MULTIPROCESSING] = {"With multiprocessing", NULL, "/multiprocessing/"},
	[FRAMEWORK_PLAIN] = {"How", NULL, NULL},
};

static bool has_command(const struct snapshot *snap, const char *command)
{
	for (size_t i = 0; command && i < snap->n_processes; i++)
		if (strncmp(snap->processes[i].command ?: "", command, strlen(command)) == 0)
			return true;
	return false;
}

static bool has_frame(const struct snapshot_stack *stack, const char *folder)
{
	for (uint32_t i = 0; i < stack->n; i++)
		if (stack->frames[i].file && strstr(stack->frames[i].file, folder))
			return true;
	return false;
}

/* The stacks with the most copies are enough: frameworks are at the root of nearly all. */
#define STACKS_LOOKED_AT 1000

static bool has_folder(const struct snapshot *snap, const char *folder)
{
	for (size_t i = 0; folder && i < snap->n_stacks && i < STACKS_LOOKED_AT; i++)
		if (has_frame(&snap->stacks[i], folder))
			return true;
	return false;
}

enum framework hints__framework(const struct snapshot *snap)
{
	for (int i = 0; i < FRAMEWORK_PLAIN; i++)
		if (has_command(snap, frameworks[i].command) ||
		    has_folder(snap, frameworks[i].folder))
			return i;
	return FRAMEWORK_PLAIN;
}

const char *hints__lead(enum framework framework)
{
	return frameworks[framework].lead;
}

const char *hints__text(enum hint_action action, enum framework framework)
{
	return hints[action][framework];
}
