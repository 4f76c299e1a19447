/* SPDX-License-Identifier: MIT */
#include "core/derive.h"

#include "activate/notify.h"
#include "activate/output.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/spawn.h"
#include "units/automount.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"

struct search {
	struct hark *h;
	int found;
	int err; /* -ENOMEM: something was passed over */
};

/* The unit of that name if nothing is known of it yet, loaded; else NULL. */
static struct unit *unknown_unit(struct search *d, struct str name)
{
	char text[UNIT_NAME_MAX + 1];
	struct unit *u;
	int type;

	if (name.n > UNIT_NAME_MAX)
		return NULL;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	type = unit_type_of(text);
	if ((type != UNIT_SERVICE && type != UNIT_SOCKET && type != UNIT_SCOPE &&
	     type != UNIT_AUTOMOUNT) ||
	    !unit_name_check(&d->h->reg, text))
		return NULL;
	u = registry_get(&d->h->reg, text);
	if (u && u->state_slot)
		return NULL;
	if (!u || engine_load(&d->h->engine, u) < 0)
		d->err = -ENOMEM;
	return d->err < 0 ? NULL : u;
}

/* A slot is called "unit/what". */
static struct unit *unit_of_slot(struct search *d, const struct bank_slot *b, struct str *ret_what)
{
	const struct bank_table *t = d->h->bank.table;
	const char *text = bank_slot_name(t, (uint32_t)(b - t->slot));
	struct str name;

	*ret_what = (struct str){text, strnlen(text, BANK_NAME)};
	return b->kind != BANK_FREE && str_cut(ret_what, '/', &name) && ret_what->n
		       ? unknown_unit(d, name)
		       : NULL;
}

static bool claim(struct search *d, struct service *s, enum proc_role role, uint32_t slot)
{
	return procs_claim(d->h, &s->unit, role, slot);
}

static void note_command(struct search *d, struct service *s, uint32_t slot, int state)
{
	if (state < 0 || !s->unit.ops->fsm->states[state].commands ||
	    !claim(d, s, ROLE_CONTROL, slot))
		return;
	engine_restore(&d->h->engine, &s->unit, (uint8_t)state, 0, 0);
	/* Which of the commands it is is not known: it counts as the last. */
	for (const struct command *c = service_command(s); c && command_next(c);
	     c = command_next(c))
		s->command_at++;
}

static void note_slot(struct search *d, struct service *s, uint32_t slot, struct str what)
{
	char word[BANK_NAME];

	memcpy(word, what.p, what.n);
	word[what.n] = '\0';
	if (str_eq_z(what, "main"))
		s->is_main_known = claim(d, s, ROLE_MAIN, slot);
	else if (str_eq_z(what, "notify"))
		s->notify_slot = slot + 1;
	else if (str_eq_z(what, "out"))
		s->out.slot = slot + 1;
	else if (d->h->bank.table->slot[slot].kind != BANK_FD)
		note_command(d, s, slot, fsm_state_by_name(s->unit.ops->fsm, word));
}

static void settle_unit(struct search *d, struct unit *u, uint8_t state, uint32_t fx)
{
	uint64_t due_us = engine_state_due_us(&d->h->engine, u, state);

	/* When it came there is not known: it has its whole time, from now on. */
	engine_restore(&d->h->engine, u, state, due_us == TIME_NEVER ? 0 : due_us, fx);
	u->state_us = u->active_enter_us = loop_now_us(&d->h->loop);
	u->state_slot = state_slot_of(&d->h->state, u->name);
	engine_touch(&d->h->engine, u);
	log_at(LOG_WARN, "%s: found %s", u->name, unit_substate(u));
	d->found++;
}

static void settle_service(struct search *d, struct service *s)
{
	struct unit *u = &s->unit;
	/* A command tells the state it belongs to, also beside the main process. */
	uint8_t state = u->state == SVC_DEAD && s->main.slot ? SVC_RUNNING : u->state;

	if (u->state_slot)
		return;
	if (notify_adopt(d->h, s) < 0 || output_adopt(d->h, &s->unit) < 0)
		d->err = -ENOMEM;
	if (state != SVC_DEAD)
		settle_unit(d, u, state, 0);
}

static bool serves(const struct hark *h, const struct unit *k)
{
	for (uint32_t i = 0; i < k->edges_n; i++)
		if (k->edges[i].type == DEP_TRIGGERS &&
		    !unit_is_at_rest(registry_unit(&h->reg, k->edges[i].to)))
			return true;
	return false;
}

static void settle_socket(struct search *d, struct socket_unit *k)
{
	struct unit *u = &k->unit;
	char *why = NULL;
	bool is_armed;

	if (u->state_slot || !u->config->socket)
		return;
	is_armed = d->h->activators[UNIT_SOCKET]->arm(d->h, u, &why) == 0;
	mem_put(why);
	if (is_armed && !u->config->socket->accept && serves(d->h, u))
		settle_unit(d, u, SOCK_RUNNING, 0);
	else if (is_armed)
		settle_unit(d, u, SOCK_LISTENING, FX_WATCH);
}

static bool is_mounted(const struct automount_unit *a)
{
	const struct unit *mount = automount_mount(a);

	return mount && unit_is_active(mount);
}

static void settle_automount(struct search *d, struct automount_unit *a)
{
	struct unit *u = &a->unit;
	char *why = NULL;
	bool is_armed;

	if (u->state_slot || !u->config->own->automount)
		return;
	is_armed = d->h->activators[UNIT_AUTOMOUNT]->arm(d->h, u, &why) == 0;
	mem_put(why);
	if (is_armed && a->mount_slot) /* perhaps it lies nowhere yet */
		settle_unit(d, u, AUTO_LAYING, FX_SPAWN_CONTROL);
	else if (is_armed)
		settle_unit(d, u, is_mounted(a) ? AUTO_RUNNING : AUTO_WAITING, FX_WATCH);
}

/* A populated cgroup without a process in the bank: a scope, or a daemon whose main process was never known. */
static void note_cgroup(void *arg, const char *name)
{
	struct search *d = arg;
	int type = unit_type_of(name);
	struct unit *u = type == UNIT_SERVICE || type == UNIT_SCOPE ? unknown_unit(d, str_of(name))
								    : NULL;

	if (u && u->type == UNIT_SCOPE)
		settle_unit(d, u, SCOPE_RUNNING, FX_WATCH);
	if (!u || u->type != UNIT_SERVICE || u->state != SVC_DEAD || service_of(u)->main.slot)
		return;
	settle_unit(d, u, SVC_RUNNING, 0);
	spawn_watch_members(d->h, service_of(u));
}

static void note_slots(struct search *d)
{
	const struct bank_table *t = d->h->bank.table;
	struct str what;

	for (uint32_t i = 0; i < t->high; i++) {
		struct unit *u = unit_of_slot(d, &t->slot[i], &what);

		if (u && service_of(u))
			note_slot(d, service_of(u), i, what);
	}
}

static void settle_services(struct search *d)
{
	for (uint32_t id = 0; id < d->h->reg.n; id++) {
		struct unit *u = registry_unit(&d->h->reg, id);

		if (u && service_of(u) && u->config && u->config->service)
			settle_service(d, service_of(u));
	}
}

static void settle_activators(struct search *d)
{
	const struct bank_table *t = d->h->bank.table;
	struct str what;

	for (uint32_t i = 0; i < t->high; i++) {
		struct unit *u = unit_of_slot(d, &t->slot[i], &what);

		if (u && socket_of(u))
			settle_socket(d, socket_of(u));
		if (u && automount_of(u))
			settle_automount(d, automount_of(u));
	}
}

int derive_units(struct hark *h)
{
	struct search d = {.h = h};

	note_slots(&d);
	settle_services(&d);
	if ((!h->state.was_adopted || h->state.damaged_n) &&
	    cgroup_each_populated(&h->cgroups, note_cgroup, &d) < 0)
		log_debug("derive", "no cgroups to look at");
	settle_activators(&d); /* last: one whose service runs is not listened on */
	return d.err < 0 ? d.err : d.found;
}
