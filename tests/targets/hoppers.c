/* SPDX-License-Identifier: MIT */
/*
 * hoppers [N]: a storm of forks that nobody can get hold of twice. N chains of processes: each
 * forks a leaf that writes 3 shared pages and ends, then its own successor, and ends at once. The
 * root is the reaper of its descendants, so all of them are below it at any time. Half of the
 * chains fork in a thread.
 *
 * SIGUSR1: from now on leaves write with leaf_after(), and are counted. SIGUSR2: the chains end;
 * the count is printed, and the program ends at the end of its input.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "target.h"

#define PAGES_EACH 3

static struct control {
	_Atomic int after, stop;
	_Atomic size_t leaves, hops;
} * control; /* shared by all */
static volatile char *pages;

static NOINLINE void leaf_before(void)
{
	for (size_t i = 0; i < PAGES_EACH; i++)
		pages[i * PAGE] = 2;
}

static NOINLINE void leaf_after(void)
{
	for (size_t i = 0; i < PAGES_EACH; i++)
		pages[i * PAGE] = 3;
}

static void leaf(void)
{
	if (control->after) {
		leaf_after();
		control->leaves++;
	} else {
		leaf_before();
	}
	_exit(0);
}

static void *hop(void *is_thread)
{
	(void)is_thread;
	if (!target_fork())
		leaf();
	return NULL;
}

static void hopper(bool thread)
{
	pthread_t other;

	for (;;) {
		if (!thread)
			hop(NULL);
		else if (pthread_create(&other, NULL, hop, NULL) || pthread_join(other, NULL))
			errx(1, "pthread_create");
		control->hops++;
		target_sleep(1);
		if (control->stop || target_fork())
			_exit(0);
	}
}

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		control->after = 1;
	else
		control->stop = 1;
}

int main(int argc, char **argv)
{
	size_t n = target_arg(argc, argv, 1, 8);

	control = target_shared(sizeof(*control));
	pages = target_pages(PAGES_EACH);
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		err(1, "PR_SET_CHILD_SUBREAPER");
	for (size_t i = 0; i < n; i++)
		if (!target_fork())
			hopper(i % 2);
	printf("{\"pid\": %d}\n", (int)getpid());
	fflush(stdout);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	printf("{\"copies\": %zu, \"hops\": %zu}\n", control->leaves * PAGES_EACH, control->hops);
	fflush(stdout);
	return getchar() == EOF ? 0 : 1;
}
