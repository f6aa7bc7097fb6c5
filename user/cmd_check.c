/* SPDX-License-Identifier: MIT */
#include "cmd_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli.h"
#include "model/lacks.h"
#include "sink/check.h"
#include "survey/survey.h"

/* --json - has standard output for itself. */
static bool takes_stdout(const struct options *opt)
{
	return opt->json && strcmp(opt->json, "-") == 0;
}

static int write_json(const struct options *opt, const struct machine *m, const struct lacks *lacks)
{
	_fclose_ FILE *file = NULL;
	FILE *out = stdout;
	int err;

	if (!opt->json)
		return 0;
	if (!takes_stdout(opt))
		out = file = fopen(opt->json, "we");
	err = out ? check__json(m, lacks, out) : -errno;
	return err ? log_err_r(err, "cannot write --json %s: %s", opt->json, strerror(-err)) : 0;
}

static int write_text(const struct options *opt, const struct machine *m, const struct lacks *lacks)
{
	bool color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	int err;

	if (opt->quiet || takes_stdout(opt))
		return 0;
	err = check__text(m, lacks, color, stdout);
	return err ? log_err_r(err, "cannot write to standard output") : 0;
}

int cmd_check(const struct options *opt)
{
	const struct machine *m;
	struct survey *survey;
	struct lacks lacks;
	int status, err;

	log__status("trying what this kernel lets programs see");
	err = survey__take(opt->verbose > 1, &survey);
	log__status(NULL);
	if (err) {
		log_error("cannot look at this machine: %s", strerror(-err));
		return STATUS_FAILURE;
	}
	m = survey__machine(survey);
	lacks__find(m, &lacks);
	status = lacks__works(&lacks) ? STATUS_OK : STATUS_UNSUPPORTED;
	if (write_text(opt, m, &lacks) || write_json(opt, m, &lacks))
		status = STATUS_FAILURE;
	survey__free(survey);
	return status;
}
