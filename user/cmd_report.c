/* SPDX-License-Identifier: MIT */
#include "cmd_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli.h"
#include "model/compare.h"
#include "model/snapshot.h"
#include "outputs.h"
#include "replay.h"

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* older: NULL, or what to compare with. */
static int write_outputs(struct outputs *outputs, const struct options *opt, struct replay *replay,
			 struct replay *older)
{
	const struct snapshot *snap, *then;
	struct comparison *comparison = NULL;
	struct snapshot shown;
	int err = replay__snapshot(replay, &snap);

	if (!err && older)
		err = replay__snapshot(older, &then)
			      ?: comparison__new(then, snap, file_name(opt->baseline), &comparison);
	if (err)
		return log_err_r(-ENOMEM, "out of memory: no report");
	shown = *snap;
	shown.comparison = comparison;
	err = outputs__write(outputs, opt, stdout, &shown);
	comparison__free(comparison);
	return err;
}

static int report(const struct options *opt, struct replay *replay, struct replay *older)
{
	struct outputs *outputs;
	int err = outputs__open(opt, &outputs);

	if (err)
		return err; /* has been said */
	err = write_outputs(outputs, opt, replay, older);
	outputs__free(outputs);
	return err;
}

static int read_recording(const char *path, struct replay **out)
{
	char why[512];
	int err = replay__new(path, out, why, sizeof(why));

	return err ? log_err_r(err, "%s %s", path, why) : 0;
}

int cmd_report(const struct options *opt)
{
	struct replay *replay = NULL, *older = NULL;
	int err = read_recording(opt->argv[0], &replay);

	if (!err && opt->baseline)
		err = read_recording(opt->baseline, &older);
	err = err ?: report(opt, replay, older);
	replay__free(replay);
	replay__free(older);
	return err ? STATUS_FAILURE : STATUS_OK;
}
