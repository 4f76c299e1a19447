/* SPDX-License-Identifier: MIT */
#include "ctl/dump_units.h"

#include "units/dump.h"

enum { DUMP_FAILED = 1, DUMP_NOT_FOUND = 5 };

/* Each unit with units of its own around it: what one dump loads must not show in the next. */
static int dump_one(struct screen *s, struct load *l, const char *name)
{
	const struct closure_unit *u;
	struct sbuf text = {0};
	struct closure g;
	int status = 0;

	closure_init(&g, l);
	u = closure_load(&g, name);
	if (!u || dump_unit(&g, u, &text) < 0) {
		sbuf_addf(&s->errors, "harkctl: %s: memory ran out\n", name);
		status = DUMP_FAILED;
	} else if (u->config->load == LOAD_NOT_FOUND) {
		sbuf_addf(&s->errors, "harkctl: there is no file of %s in the unit directories\n",
			  name);
		status = DUMP_NOT_FOUND;
	} else {
		sbuf_add_z(&s->paint.out, text.p);
	}
	sbuf_fini(&text);
	closure_fini(&g);
	return status;
}

int dump_units(struct screen *s, const struct question *q)
{
	struct load l;
	int status = 0;

	if (load_init(&l, q->options[OPT_UNIT_PATH], q->options[OPT_ROOT]) < 0)
		return DUMP_FAILED;
	l.links_only = q->options[OPT_UNIT_PATH];
	if (load_scan(&l) < 0)
		status = DUMP_FAILED;
	for (unsigned k = 0; status != DUMP_FAILED && k < q->args_n; k++) {
		int r = dump_one(s, &l, q->args[k]);

		status = r ? r : status;
	}
	load_fini(&l);
	return status;
}
