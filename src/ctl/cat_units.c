/* SPDX-License-Identifier: MIT */
#include "ctl/cat_units.h"

#include "units/canonical.h"
#include "units/name.h"
#include "units/world.h"

enum { CAT_DONE, CAT_FAILED, CAT_NO_UNIT = 5, CAT_REFUSED = 6 };

static int tell_state(struct screen *s, const char *name, const struct unit_config *c)
{
	const struct diag *d = c->diags.first;

	if (c->load == LOAD_LOADED)
		return CAT_DONE;
	while (d && !d->is_fatal && d->next)
		d = d->next;
	sbuf_addf(&s->errors, "harkctl: %s is %s%s%s\n", name, load_state_names[c->load],
		  d ? ": " : "", d ? d->message : "");
	return c->load == LOAD_NOT_FOUND ? CAT_NO_UNIT : CAT_REFUSED;
}

static int cat_one(struct screen *s, struct world *w, const char *name)
{
	char full[UNIT_NAME_MAX + 1];
	struct unit *u = NULL;
	int status;

	if (name_from_user(name, full, sizeof(full)) < 0) {
		sbuf_addf(&s->errors, "harkctl: %s is not the name of a unit\n", name);
		return CAT_NO_UNIT;
	}
	if (world_unit(w, full, &u) < 0)
		return CAT_FAILED;
	status = tell_state(s, full, u->config);
	if (status == CAT_NO_UNIT || u->config->load == LOAD_MASKED)
		return status;
	if (u->config->diags.lost) {
		sbuf_addf(&s->errors,
			  "harkctl: %s has more findings than are kept: it has no canonical form\n",
			  full);
		return CAT_REFUSED;
	}
	sbuf_add_z(&s->paint.out, s->paint.out.n ? "\n" : "");
	return canonical_write(u->config, &s->paint.out) < 0 ? CAT_FAILED : status;
}

int cat_units(struct screen *s, const struct question *q)
{
	struct load l = {0};
	struct world w = {0};
	int status = CAT_FAILED;

	if (load_init(&l, q->options[OPT_UNIT_PATH], q->options[OPT_ROOT]) == 0 &&
	    load_scan(&l) == 0 && world_init(&w, &l) == 0)
		status = CAT_DONE;
	for (unsigned k = 0; status != CAT_FAILED && k < q->args_n; k++) {
		int r = cat_one(s, &w, q->args[k]);

		status = r ? r : status;
	}
	if (status == CAT_FAILED)
		sbuf_add_z(&s->errors, "harkctl: memory ran out\n");
	world_fini(&w);
	load_fini(&l);
	return status;
}
