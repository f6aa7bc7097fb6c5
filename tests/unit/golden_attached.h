/* SPDX-License-Identifier: MIT */
/* A part of golden_cases.h, to be included by it only. */
#ifndef COWTRACE_TEST_GOLDEN_ATTACHED_H
#define COWTRACE_TEST_GOLDEN_ATTACHED_H

/* A service that ran for days when cowtrace attached; one worker was forked later. */
static inline void case_attached(struct world *w)
{
	world__process(w, (struct process_facts){.pid = 4121,
						 .ppid = 1,
						 .command = "gunicorn",
						 .python = "3.11.2",
						 .attached = true,
						 .started = START - 86400 * SECOND / 100,
						 .shared_at_fork = 400 * MIB,
						 .shared_now = 399 * MIB,
						 .private_before = 7 * MIB,
						 .new_bytes = 1 * MIB});
	for (uint32_t pid = 4125; pid < 4127; pid++)
		world__process(w, (struct process_facts){.pid = pid,
							 .ppid = 4121,
							 .command = "gunicorn",
							 .python = "3.11.2",
							 .forked = true,
							 .attached = true,
							 .started = START - pid * 1000,
							 .shared_at_fork = 211 * MIB,
							 .shared_now = 107 * MIB,
							 .private_before = 193 * MIB,
							 .new_bytes = 3 * MIB});
	worker(w, 4130, 5.5, 300 * MIB, 2 * MIB);
	serve_requests(w, 4125, 20011);
	serve_requests(w, 4126, 101);
	serve_requests(w, 4130, 30011);
	w->capture.kernel_reason =
		"some threads are older than the switching on of delay accounting";
}

#endif
