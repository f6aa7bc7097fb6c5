/* SPDX-License-Identifier: MIT */
#include "model/machine.h"

#include <linux/capability.h>

#define NEED_TRACE true
#define NEED_SEE   false

const struct machine_witness *machine__witness(const struct machine *m)
{
	for (size_t i = 0; i < m->n_witnesses; i++)
		if (m->witnesses[i].used)
			return &m->witnesses[i];
	return NULL;
}

const struct privilege *privilege__at(enum machine_privilege i)
{
	static const struct privilege rows[] = {
#define PRIVILEGE(cap, need, what, lack)                                                           \
	{.name = "CAP_" #cap,                                                                      \
	 .capability = CAP_##cap,                                                                  \
	 .needed = NEED_##need,                                                                    \
	 .use = what,                                                                              \
	 .without = lack},
#include "model/privileges.def"
#undef PRIVILEGE
	};

	return &rows[i];
}
