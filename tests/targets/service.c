/* SPDX-License-Identifier: MIT */
/*
 * service PAGES WORKERS THREADS: a master that forks workers and waits, for a tracer to come and
 * go. Commands on standard input, each answered by a line of JSON: write N   every thread of every
 * worker writes N pages that it has not written before; each thread has PAGES of its own fork one
 * more worker exec      the last worker executes this program again, with a worker of its own that
 * writes kill      the last worker is killed It ends at the end of its input.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "target.h"

#define MAX_WORKERS 1024

struct order {
	size_t pages; /* to write; 0: execute this program again */
};

struct answer {
	size_t changed;
};

struct thread {
	size_t first, done; /* its pages */
	pthread_barrier_t *start, *end;
	const struct order *order;
};

struct worker {
	pid_t pid;
	int orders, answers;
};

static struct worker workers[MAX_WORKERS];
static size_t n_workers, n_threads, n_pages;
static volatile char *pages;
static char *self;

static NOINLINE void service_write(struct thread *t, size_t n)
{
	for (size_t end = t->done + n; t->done < end && t->done < n_pages; t->done++)
		pages[(t->first + t->done) * PAGE] = 2;
}

static void *thread_run(void *arg)
{
	struct thread *t = arg;

	for (;;) {
		pthread_barrier_wait(t->start);
		service_write(t, t->order->pages);
		pthread_barrier_wait(t->end);
	}
	return NULL;
}

static void worker_run(int orders, int answers)
{
	struct thread *threads = calloc(n_threads, sizeof(*threads));
	pthread_barrier_t start, end;
	struct order order;
	struct answer answer;
	pthread_t id;

	pthread_barrier_init(&start, NULL, n_threads + 1);
	pthread_barrier_init(&end, NULL, n_threads + 1);
	for (size_t i = 0; i < n_threads; i++) {
		threads[i] = (struct thread){
			.first = i * n_pages, .start = &start, .end = &end, .order = &order};
		if (pthread_create(&id, NULL, thread_run, &threads[i]))
			errx(1, "pthread_create");
	}
	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		uint64_t *before = target_frames(pages, n_threads * n_pages);

		if (!order.pages)
			execl("/proc/self/exe", self, "101", "1", "1", "again", NULL);
		pthread_barrier_wait(&start);
		pthread_barrier_wait(&end);
		answer.changed = target_changed(before, pages, n_threads * n_pages);
		if (write(answers, &answer, sizeof(answer)) != sizeof(answer))
			err(1, "answer");
	}
	_exit(0);
}

static void add_worker(void)
{
	struct worker *w = &workers[n_workers++];
	int orders[2], answers[2];

	if (n_workers > MAX_WORKERS || pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		err(1, "pipe2");
	w->pid = target_fork();
	if (!w->pid) {
		close(orders[1]);
		close(answers[0]);
		for (size_t i = 0; i + 1 < n_workers; i++) /* else they would never see the end */
			close(workers[i].orders);
		worker_run(orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	w->orders = orders[1];
	w->answers = answers[0];
}

static size_t write_all(size_t n)
{
	struct order order = {.pages = n};
	struct answer answer;
	size_t changed = 0;

	for (size_t i = 0; i < n_workers; i++)
		if (workers[i].pid &&
		    write(workers[i].orders, &order, sizeof(order)) != sizeof(order))
			err(1, "order");
	for (size_t i = 0; i < n_workers; i++) {
		if (!workers[i].pid)
			continue;
		if (read(workers[i].answers, &answer, sizeof(answer)) != sizeof(answer))
			err(1, "no answer of worker %d", (int)workers[i].pid);
		changed += answer.changed;
	}
	return changed;
}

static void lose_last(void)
{
	struct worker *w = &workers[n_workers - 1];

	waitpid(w->pid, NULL, 0);
	close(w->orders);
	close(w->answers);
	n_workers--;
}

static void exec_last(void)
{
	struct order order = {};

	if (write(workers[n_workers - 1].orders, &order, sizeof(order)) != sizeof(order))
		err(1, "order");
	lose_last();
}

static void obey(const char *line)
{
	size_t n = 0, changed = 0;

	if (sscanf(line, "write %zu", &n) == 1) {
		changed = write_all(n);
	} else if (strncmp(line, "fork", 4) == 0) {
		add_worker();
	} else if (strncmp(line, "exec", 4) == 0) {
		exec_last();
	} else if (strncmp(line, "kill", 4) == 0) {
		kill(workers[n_workers - 1].pid, SIGKILL);
		lose_last();
	} else {
		errx(2, "not a command: %s", line);
	}
	printf("{\"changed\": %zu, \"workers\": %zu}\n", changed, n_workers);
	fflush(stdout);
}

/* What the program does that a worker has executed. */
static int again(void)
{
	add_worker();
	return write_all(n_pages) == n_pages ? 0 : 1;
}

int main(int argc, char **argv)
{
	size_t wanted = target_arg(argc, argv, 2, 3);
	char line[64];

	self = argv[0];
	n_pages = target_arg(argc, argv, 1, 1009);
	n_threads = target_arg(argc, argv, 3, 1);
	pages = target_pages(n_pages * n_threads);
	if (argc > 4)
		return again();
	while (n_workers < wanted)
		add_worker();
	printf("{\"pid\": %d, \"workers\": [", (int)getpid());
	for (size_t i = 0; i < n_workers; i++)
		printf("%s%d", i ? ", " : "", (int)workers[i].pid);
	printf("]}\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return target_end();
}
