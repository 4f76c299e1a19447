/* SPDX-License-Identifier: MIT */
#include "activate/busname.h"

#include "units/service.h"

void busname_execed(struct hark *h, struct service *s)
{
	const struct unit *bridge = registry_find(&h->reg, "hark-bus.service");
	const struct service_config *c = s && s->unit.config ? s->unit.config->service : NULL;

	if (!c || c->type != SERVICE_DBUS ||
	    (bridge && unit_load_state(bridge) == LOAD_LOADED && unit_coarse(bridge) != FAILED))
		return;
	s->counts_at_exec = true;
	s->unit.status_note =
		"counts as ready at its exec: there is no hark-bus to watch bus names";
}

/* To the services of Type=dbus that go by that name. */
static void post(struct hark *h, struct str name, enum event_kind kind)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);
		const struct service_config *c = u && u->config ? u->config->service : NULL;

		if (c && c->type == SERVICE_DBUS && c->bus_name && str_eq_z(name, c->bus_name))
			engine_post_simple(&h->engine, u, kind, 0, 0, 0);
	}
}

void busname_owned(struct hark *h, struct str name)
{
	post(h, name, EV_NAME_OWNED);
}

void busname_lost(struct hark *h, struct str name)
{
	post(h, name, EV_NAME_LOST);
}
