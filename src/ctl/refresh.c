/* SPDX-License-Identifier: MIT */
#include "ctl/refresh.h"

#include "core/graph.h"

/* Is there something new to read? A unit without a file changes when one of its name appears. */
static bool is_changed(struct hark *h, const struct unit *u)
{
	if (unit_load_state(u) == LOAD_NOT_FOUND)
		return load_canonical(&h->load, u->name) != NULL;
	return load_is_stale(&h->load, u->config);
}

/* Nothing that runs now points into the configuration. */
static bool may_swap(const struct unit *u)
{
	enum coarse c = unit_coarse(u);

	if (u->type == UNIT_SOCKET)
		return c == INACTIVE || c == FAILED;
	return c == INACTIVE || c == FAILED || c == ACTIVE;
}

static int swap_config(struct hark *h, struct unit *u, struct unit_config *fresh)
{
	struct unit_config *old = u->config;
	int r;

	u->config = fresh;
	r = graph_attach(&h->reg, u);
	if (r < 0) {
		u->config = old;
		unit_config_free(fresh);
		return r;
	}
	u->condition_failed = NULL; /* pointed into the old one */
	u->is_changed_on_disk = false;
	unit_config_free(old);
	return REFRESH_DONE;
}

int refresh_unit(struct hark *h, struct unit *u, struct unit_config **ret_broken)
{
	struct unit_config *fresh;
	int r;

	if (!u->config || !is_changed(h, u))
		return REFRESH_SAME;
	if (!may_swap(u)) {
		u->is_changed_on_disk = true;
		return REFRESH_LATER;
	}
	r = load_unit(&h->load, u->name, &fresh);
	if (r < 0)
		return r;
	if ((fresh->load == LOAD_BAD || fresh->load == LOAD_ERROR) &&
	    u->config->load == LOAD_LOADED) {
		u->is_changed_on_disk = true;
		if (ret_broken)
			*ret_broken = fresh;
		else
			unit_config_free(fresh);
		return REFRESH_BROKEN;
	}
	return swap_config(h, u, fresh);
}
