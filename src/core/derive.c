/* SPDX-License-Identifier: MIT */
#include "core/derive.h"

#include "activate/notify.h"
#include "activate/output.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/spawn.h"
#include "units/service.h"
#include "units/socket.h"

/* The unit of that name if nothing is known of it yet, loaded; else NULL. */
static struct unit *unknown_unit(struct hark *h, struct str name)
{
	char text[UNIT_NAME_MAX + 1];
	struct unit *u;

	if (name.n > UNIT_NAME_MAX)
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	if (unit_type_of(text) != UNIT_SERVICE && unit_type_of(text) != UNIT_SOCKET)
		return NULL;
	u = registry_get(&h->reg, text);
	if (u && u->state_slot)
		return NULL;
	if (!u || engine_load(&h->engine, u) < 0) {
		log_at(LOG_ERROR, "%s: it runs, and there is no memory to take care of it", text);
		return NULL;
	}
	return u;
}

/* A slot is called "unit/what". */
static struct unit *unit_of_slot(struct hark *h, const struct bank_slot *b, struct str *ret_what)
{
	struct str name;

	*ret_what = (struct str){b->name, strnlen(b->name, BANK_NAME)};
	return b->kind != BANK_FREE && str_cut(ret_what, '/', &name) && ret_what->n
		       ? unknown_unit(h, name)
		       : NULL;
}

static void note_command(struct hark *h, struct service *s, uint32_t slot, int state)
{
	if (state < 0 || !s->unit.ops->fsm->states[state].commands ||
	    !procs_claim(h, &s->unit, ROLE_CONTROL, slot))
		return;
	engine_restore(&h->engine, &s->unit, (uint8_t)state, 0, 0);
	/* Which of the commands it is is not known: it counts as the last. */
	for (const struct command *c = service_command(s); c && c->next; c = c->next)
		s->command_at++;
}

static void note_slot(struct hark *h, struct service *s, uint32_t slot, struct str what)
{
	char word[BANK_NAME];

	memcpy(word, what.p, what.n);
	word[what.n] = '\0';
	if (str_eq_z(what, "main"))
		s->is_main_known = procs_claim(h, &s->unit, ROLE_MAIN, slot);
	else if (str_eq_z(what, "notify"))
		s->notify_slot = slot + 1;
	else if (str_eq_z(what, "out-read"))
		s->out_slot[0] = slot + 1;
	else if (str_eq_z(what, "out-write"))
		s->out_slot[1] = slot + 1;
	else if (h->bank.table->slot[slot].kind != BANK_FD)
		note_command(h, s, slot, fsm_state_by_name(s->unit.ops->fsm, word));
}

static uint32_t settle_unit(struct hark *h, struct unit *u, uint8_t state, uint32_t fx)
{
	engine_restore(&h->engine, u, state, 0, fx);
	u->state_us = u->active_enter_us = loop_now_us(&h->loop);
	u->state_slot = state_slot_of(&h->state, u->name);
	engine_touch(&h->engine, u);
	log_at(LOG_WARN, "%s: found %s", u->name, unit_substate(u));
	return 1;
}

static uint32_t settle_service(struct hark *h, struct service *s)
{
	struct unit *u = &s->unit;
	uint8_t state = s->main.slot ? SVC_RUNNING : u->state;

	if (u->state_slot)
		return 0;
	notify_adopt(h, s);
	output_adopt(h, s);
	return state == SVC_DEAD ? 0 : settle_unit(h, u, state, 0);
}

static bool serves(const struct hark *h, const struct unit *k)
{
	for (uint32_t i = 0; i < k->edges_n; i++)
		if (k->edges[i].type == DEP_TRIGGERS &&
		    !unit_is_at_rest(registry_unit(&h->reg, k->edges[i].to)))
			return true;
	return false;
}

static uint32_t settle_socket(struct hark *h, struct socket_unit *k)
{
	char *why = NULL;
	bool is_armed;

	if (k->unit.state_slot || !k->unit.config->socket)
		return 0;
	is_armed = h->activators[UNIT_SOCKET]->arm(h, &k->unit, &why) == 0;
	mem_put(why);
	if (!is_armed)
		return 0;
	if (!k->unit.config->socket->accept && serves(h, &k->unit))
		return settle_unit(h, &k->unit, SOCK_RUNNING, 0);
	return settle_unit(h, &k->unit, SOCK_LISTENING, FX_WATCH);
}

/* A populated cgroup without a process in the bank: a daemon whose main process was never known. */
static void note_cgroup(void *arg, const char *name)
{
	struct hark *h = arg;
	struct unit *u = unit_type_of(name) == UNIT_SERVICE ? unknown_unit(h, str_of(name)) : NULL;

	if (!u || u->state != SVC_DEAD || service_of(u)->main.slot)
		return;
	settle_unit(h, u, SVC_RUNNING, 0);
	spawn_watch_members(h, service_of(u));
}

uint32_t derive_units(struct hark *h)
{
	const struct bank_table *t = h->bank.table;
	uint32_t n = 0;
	struct unit *u;
	struct str what;

	for (uint32_t i = 0; i < t->high; i++) {
		u = unit_of_slot(h, &t->slot[i], &what);
		if (u && service_of(u))
			note_slot(h, service_of(u), i, what);
	}
	for (uint32_t id = 0; id < h->reg.n; id++) {
		u = registry_unit(&h->reg, id);
		if (u && service_of(u) && u->config && u->config->service)
			n += settle_service(h, service_of(u));
	}
	if ((!h->state.was_adopted || h->state.damaged_n) &&
	    cgroup_each_populated(&h->cgroups, note_cgroup, h) < 0)
		log_debug("derive", "no cgroups to look at");
	for (uint32_t i = 0; i < t->high; i++) {
		u = unit_of_slot(h, &t->slot[i], &what);
		if (u && socket_of(u))
			n += settle_socket(h, socket_of(u));
	}
	return n;
}
