/* SPDX-License-Identifier: MIT */
#include "survey/survey.h"

#include <errno.h>
#include <stdlib.h>

#include "base/intern.h"
#include "capture/session.h"
#include "model/machine.h"
#include "survey/internal.h"

#define MAX_WITNESSES (sizeof(((struct session_trials *)0)->of) / sizeof(struct session_trial))

struct survey {
	struct intern *pool;
	struct machine machine;
	struct machine_witness witnesses[MAX_WITNESSES];
	struct pythons *pythons;
};

static void witnesses(struct survey *survey, bool verbose)
{
	struct session_trials trials;
	bool used = false;

	session__probe(verbose, &trials);
	for (size_t i = 0; i < trials.n; i++) {
		const struct session_trial *t = &trials.of[i];

		survey->witnesses[i] = (struct machine_witness){
			.name = t->witness,
			.works = t->works,
			.used = t->works && !used, /* the first that works */
			.reason = t->works ? NULL : intern__str(survey->pool, t->reason),
			.limits = intern__str(survey->pool, t->limits),
			.note = t->note,
			.cost = t->cost,
		};
		used |= t->works;
	}
	survey->machine.witnesses = survey->witnesses;
	survey->machine.n_witnesses = trials.n;
}

int survey__take(bool verbose, struct survey **out)
{
	struct survey *survey = calloc(1, sizeof(*survey));
	int err = survey ? intern__new(&survey->pool) : -ENOMEM;

	if (!err) {
		survey->machine.version = COWTRACE_VERSION;
		survey__kernel(survey->pool, &survey->machine);
		witnesses(survey, verbose);
		err = pythons__find(survey->pool, &survey->machine, &survey->pythons);
	}
	if (err) {
		survey__free(survey);
		return err;
	}
	*out = survey;
	return 0;
}

void survey__free(struct survey *survey)
{
	if (!survey)
		return;
	pythons__free(survey->pythons);
	intern__free(survey->pool);
	free(survey);
}

const struct machine *survey__machine(const struct survey *survey)
{
	return &survey->machine;
}
