/* SPDX-License-Identifier: MIT */
#include "survey/survey.h"

#include <errno.h>
#include <stdlib.h>

#include "base/intern.h"
#include "capture/session.h"
#include "model/machine.h"
#include "survey/internal.h"

#define MAX_WITNESSES 8

struct survey {
	struct intern *pool;
	struct machine machine;
	struct machine_witness witnesses[MAX_WITNESSES];
	struct pythons *pythons;
};

static void witnesses(struct survey *survey, bool verbose)
{
	const struct session_options opt = {.verbose = verbose};
	struct session_trial trials[MAX_WITNESSES];
	size_t n = session__try_all(&opt, trials, MAX_WITNESSES);

	for (size_t i = 0; i < n; i++)
		survey->witnesses[i] = (struct machine_witness){
			.name = trials[i].name,
			.works = trials[i].works,
			.used = trials[i].used,
			.reason = trials[i].works ? NULL : intern__str(survey->pool, trials[i].why),
			.limits = trials[i].limits,
			.cost = trials[i].cost,
		};
	survey->machine.witnesses = survey->witnesses;
	survey->machine.n_witnesses = n;
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
