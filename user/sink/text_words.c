/* SPDX-License-Identifier: MIT */
/* The words for people who have never heard of copy-on-write. */
#include "sink/text.h"

#include <string.h>

static const struct {
	const char *cause, *sentence;
	bool by_detail;
} causes[] = {
	{"refcount",
	 "Every Python object holds the count of its references. Even code that only reads an "
	 "object "
	 "writes to that count, and so to the page.",
	 false},
	{"gc-header",
	 "The garbage collector keeps its marks in front of the objects it looks after, so a "
	 "collection writes to the pages of objects that nobody uses.",
	 true},
	{"inline-cache",
	 "CPython (3.11 and later) rewrites the bytecode of a function while it runs, to make it "
	 "faster: the first calls after the fork write to the pages of the code.",
	 true},
	{"lazy-cache",
	 "Some objects fill in a value when it is first asked for, such as the hash of a string: "
	 "reading them for the first time writes to their page.",
	 false},
	{"mutation", "The program itself changed objects that it shared.", false},
	{"allocator",
	 "Pages that hold shared objects have free room, too: new objects were put there, or old "
	 "ones "
	 "freed, and the allocator notes that in the page.",
	 true},
	{"native-data", "The program and its libraries wrote to their global variables.", true},
	{"stack", "Running functions write to the stack of their thread.", true},
	{"buffer", "The program wrote to raw data, such as an array or a bytearray.", false},
	{"kernel-write",
	 "The kernel stored the result of a system call there, as read() does into its buffer.",
	 true},
	{"unknown", "What was written there is not known.", true},
};

/* Names of details are cause.c's; one that is not here is shown as it is. */
static const struct {
	const char *cause, *detail, *words;
} details[] = {
	{"gc-header", "collect", "a garbage collection walked over the objects"},
	{"gc-header", "track",
	 "a new object was linked to an old one in the list of tracked objects"},
	{"gc-header", "link", "links between tracked objects were changed"},
	{"gc-header", "untrack", "an object was taken out of the list of tracked objects"},
	{"inline-cache", "bytecode", "bytecode was specialised"},
	{"inline-cache", "warmup", "calls were counted, to decide what to specialise"},
	{"allocator", "pymalloc pool", "pymalloc: a block of the page was handed out or returned"},
	{"allocator", "pymalloc block", "pymalloc: a free block was written to"},
	{"allocator", "reuse of a block", "a new object was put where an old one had been"},
	{"allocator", "mimalloc block", "mimalloc: a free block was written to"},
	{"allocator", "mimalloc segment", "mimalloc: its own lists and counts"},
	{"allocator", "debug hooks", "debug hooks: blocks are filled when they come and go"},
	{"allocator", "malloc", "malloc: memory was handed out or returned"},
	{"native-data", "thread-local", "variables of a thread"},
	{"stack", "python", "Python functions"},
	{"stack", "native", "C functions"},
	{"kernel-write", "unshare",
	 "nobody wrote: the kernel un-shared the page, to pin it for a device to read"},
};

const char *text__cause_sentence(const char *cause)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strcmp(causes[i].cause, cause) == 0)
			return causes[i].sentence;
	return "";
}

bool text__cause_by_detail(const char *cause)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strcmp(causes[i].cause, cause) == 0)
			return causes[i].by_detail;
	return false;
}

const char *text__detail(const char *cause, const char *detail)
{
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++)
		if (strcmp(details[i].cause, cause) == 0 && strcmp(details[i].detail, detail) == 0)
			return details[i].words;
	return detail;
}

bool text__is_known_sharer(const struct snapshot_process *process)
{
	return snapshot__is_sharer(process) && process->shared_at_fork != SNAPSHOT_UNKNOWN &&
	       process->shared_now != SNAPSHOT_UNKNOWN;
}

bool text__runs_python(const struct snapshot_process *process)
{
	return process->python || process->python_problem;
}
