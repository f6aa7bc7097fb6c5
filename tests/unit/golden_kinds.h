/* SPDX-License-Identifier: MIT */
/* A part of golden_cases.h, to be included by it only. */
#ifndef COWTRACE_TEST_GOLDEN_KINDS_H
#define COWTRACE_TEST_GOLDEN_KINDS_H

/* Pages of all kinds and sizes. */
static inline void case_kinds(struct world *w)
{
	master(w);
	worker(w, 4125, 1.2, 112512000, 12 * MIB);
	for (uint16_t sharers = 2; sharers < 9; sharers++)
		world__copy(w, 5u * sharers,
			    (struct deed){.pid = 4125, .symbol = "write_all", .sharers = sharers});
	world__copy(w, 3, (struct deed){.pid = 4125, .symbol = "write_huge", .order = 9});
	world__copy(w, 11,
		    (struct deed){.pid = 4121,
				  .cause = CAUSE_KERNEL_WRITE,
				  .detail = "process_vm_writev",
				  .syscall = "process_vm_writev",
				  .sharers = 2,
				  .victim = 4125});
	world__copy(w, 1,
		    (struct deed){4121, CAUSE_KERNEL_WRITE, .detail = "ptrace", .victim = 99});
	world__copy(w, 7,
		    (struct deed){.pid = 4125,
				  .symbol = "write_file",
				  .origin = CT_ORIGIN_FILE,
				  .uncounted = true});
	w->capture.kernel_copies = 190 + 8;
	w->capture.kernel_beyond = "it also counts hugetlb pages, which this witness does not see";
}

#endif
