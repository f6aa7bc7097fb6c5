/* SPDX-License-Identifier: MIT */
/* How to follow an advice in the framework that a command runs under. Private to model/advice*. */
#ifndef COWTRACE_MODEL_ADVICE_HINTS_H
#define COWTRACE_MODEL_ADVICE_HINTS_H

struct snapshot;

enum hint_action {
	HINT_PRELOAD,
	HINT_FREEZE,
	HINT_THRESHOLD,
	HINT_WARM,
	HINT_EXIT,
	HINT_ACTIONS,
};

/* Most special first: a DataLoader runs on multiprocessing, and any of them inside a service. */
enum framework {
	FRAMEWORK_DATALOADER,
	FRAMEWORK_CELERY,
	FRAMEWORK_GUNICORN,
	FRAMEWORK_UWSGI,
	FRAMEWORK_MULTIPROCESSING,
	FRAMEWORK_PLAIN, /* os.fork(), or one that is not known */
	FRAMEWORKS,
};

/* By what the processes are called, and by the files of the functions that ran in them. */
enum framework hints__framework(const struct snapshot *snap);
/* "With gunicorn", "How" */
const char *hints__lead(enum framework framework);
const char *hints__text(enum hint_action action, enum framework framework);

#endif
