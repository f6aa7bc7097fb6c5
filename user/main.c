/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/capstone.h"
#include "base/log.h"
#include "cli.h"
#include "cmd_attach.h"
#include "cmd_check.h"
#include "cmd_report.h"
#include "cmd_run.h"
#include "cmd_serve.h"
#include "cmd_top.h"
#include "serve/http.h"

/* What is opened next is not to be taken for standard output or error, should one of these be
 * closed: what is written there fails, as it did. The command of `run` gets none of it. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options opt;
	const char *why;
	int status;

	/* How serve starts the process that speaks HTTP: see serve/peer.c. */
	if (argc == 1 && strcmp(argv[0], HTTP_PROCESS) == 0)
		return http__main();
	fill_standard_fds();
	status = cli__parse(argc, argv, &opt);
	if (status >= 0)
		return status;
	log__set_level(opt.verbose > 1 ? LOG_DEBUG : opt.verbose ? LOG_INFO : LOG_WARN);
	if (opt.quiet)
		log__no_status();
	why = capstone__load();
	if (why) {
		log_error("cowtrace cannot start: %s", why);
		return strcmp(opt.command, "run") == 0 ? STATUS_RUN_FAILED : STATUS_FAILURE;
	}
	if (strcmp(opt.command, "attach") == 0)
		return cmd_attach(&opt);
	if (strcmp(opt.command, "check") == 0)
		return cmd_check(&opt);
	if (strcmp(opt.command, "report") == 0)
		return cmd_report(&opt);
	if (strcmp(opt.command, "serve") == 0)
		return cmd_serve(&opt);
	if (strcmp(opt.command, "top") == 0)
		return cmd_top(&opt);
	return cmd_run(&opt);
}
