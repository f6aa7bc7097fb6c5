/* SPDX-License-Identifier: MIT */
/* The command line (DESIGN 5) to one struct, owned by main and passed on as const. */
#ifndef COWTRACE_CLI_H
#define COWTRACE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CLI_OUTPUTS   6
#define CLI_MAX_PIDS  4096
#define CLI_MAX_NAMES 64

/* Exit status (DESIGN 5). */
enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILURE = 1,
	STATUS_USAGE = 2,
	STATUS_UNSUPPORTED = 3,
	STATUS_RUN_FAILED = 125, /* run: cowtrace itself failed */
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
};

struct options {
	const char *command; /* "run", "attach", "check", "report", "serve", "top" */
	const char *user;    /* -u */
	const char *witness;
	size_t ring_size;
	unsigned int off; /* enum ct_piece, for development: left out */
	unsigned int top;
	bool delayacct, quiet;
	bool plain_reads; /* for development: memory is read by helpers of the kernel only */
	unsigned int verbose;
	/* Paths, "-" for standard output; NULL: not wanted. */
	const char *json, *folded, *flamegraph, *pprof, *speedscope, *html;
	const char *save;	  /* path of the recording to make; NULL: none */
	const char *baseline;	  /* report: the recording to compare with; NULL: none */
	char **argv;		  /* of the traced command; report: the recording */
	pid_t pids[CLI_MAX_PIDS]; /* to attach to, each once */
	size_t n_pids;
	/* serve: instead of every Python that forks */
	const char *names[CLI_MAX_NAMES], *cgroups[CLI_MAX_NAMES];
	size_t n_names, n_cgroups;
	const char *listen; /* ADDR:PORT, NULL: the default */
	bool listen_public;
	uint64_t for_ms; /* how long; 0: until it is interrupted */
};

/*
 * -1: go on with opt; else the status to exit with (help and version have been printed, or a
 * message about what is wrong).
 */
int cli__parse(int argc, char **argv, struct options *opt);

/* The help text, also the source of README and man page. */
void cli__help(FILE *out);

#endif
