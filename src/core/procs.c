/* SPDX-License-Identifier: MIT */
#include "core/procs.h"

#include "units/mount_unit.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"

static bool same_token(const struct map_node *node, const void *key)
{
	return container_of(node, const struct proc_entry, node)->token == *(const uint64_t *)key;
}

struct proc_entry *procs_find(const struct hark *h, uint64_t token)
{
	struct map_node *node = map_find(&h->procs, map_hash_u64(token), same_token, &token);

	return node ? container_of(node, struct proc_entry, node) : NULL;
}

static struct proc_entry *entry_new(struct hark *h, struct unit *u, enum proc_role role,
				    uint64_t token)
{
	struct proc_entry *p = map_reserve(&h->procs, 1) == 0 ? mem_get(sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->token = token;
	p->unit = u->id;
	p->role = (uint8_t)role;
	p->commands = u->ops->fsm->states[u->state].commands;
	map_add(&h->procs, &p->node, map_hash_u64(token));
	return p;
}

struct proc_entry *procs_add(struct hark *h, struct unit *u, enum proc_role role, int *ret_err)
{
	struct proc_entry *p = NULL;
	int slot = bank_take(&h->bank);

	if (slot < 0) {
		*ret_err = slot;
		return NULL;
	}
	p = entry_new(h, u, role, bank_token(&h->bank));
	if (!p) {
		bank_release(&h->bank, (uint32_t)slot);
		*ret_err = err_here(-ENOMEM);
		return NULL;
	}
	p->slot = (uint32_t)slot;
	return p;
}

void procs_del(struct hark *h, struct proc_entry *p)
{
	map_del(&h->procs, &p->node);
	bank_release(&h->bank, p->slot);
	mem_put(p);
}

struct proc_ref *procs_ref(struct unit *u, enum proc_role role)
{
	if (u->type == UNIT_SERVICE)
		return role == ROLE_MAIN      ? &service_of(u)->main
		       : role == ROLE_CONTROL ? &service_of(u)->control
					      : NULL;
	if (u->type == UNIT_SOCKET)
		return role == ROLE_CONTROL ? &socket_of(u)->control : NULL;
	if (mount_of(u))
		return role == ROLE_CONTROL ? &mount_of(u)->control : NULL;
	return NULL;
}

struct output_pipe *procs_output(struct unit *u)
{
	return u->type == UNIT_SERVICE ? &service_of(u)->out
	       : mount_of(u)           ? &mount_of(u)->out
				       : NULL;
}

const char **procs_fail_text(struct unit *u)
{
	return u->type == UNIT_SERVICE  ? &service_of(u)->fail_text
	       : u->type == UNIT_SOCKET ? &socket_of(u)->fail_text
	       : u->type == UNIT_SCOPE  ? &scope_of(u)->fail_text
	       : mount_of(u)            ? &mount_of(u)->fail_text
					: NULL;
}

int procs_claim(struct hark *h, struct unit *u, enum proc_role role, uint32_t slot)
{
	const struct bank_slot *b = &h->bank.table->slot[slot];
	struct proc_ref *ref = procs_ref(u, role);
	struct proc_entry *p, *old = ref && ref->slot ? procs_find(h, ref->token) : NULL;

	if (!ref || (b->kind != BANK_PROC && b->kind != BANK_DEAD) || procs_find(h, b->token))
		return 0;
	p = entry_new(h, u, role, b->token);
	if (!p)
		return err_here(-ENOMEM);
	p->slot = slot;
	if (old)
		old->unit = UNIT_NONE;
	ref->slot = slot + 1;
	ref->token = b->token;
	ref->pid = b->pid;
	ref->start_us = b->since_us;
	return 1;
}

void procs_disown(struct hark *h, struct unit *u)
{
	for (unsigned role = ROLE_MAIN; role <= ROLE_CONTROL; role++) {
		struct proc_ref *ref = procs_ref(u, (enum proc_role)role);
		struct proc_entry *p = ref && ref->slot ? procs_find(h, ref->token) : NULL;

		if (p)
			p->unit = UNIT_NONE;
		if (ref)
			ref->slot = 0;
	}
}

int procs_adopt_main(struct hark *h, struct unit *u, pid_t pid)
{
	int r = 0;
	struct proc_entry *p = procs_add(h, u, ROLE_MAIN, &r);
	char name[BANK_NAME];

	if (!p)
		return r;
	bank_name(name, u->name, "main");
	r = bank_adopt(&h->bank, p->slot, p->token, name, pid);
	if (r < 0)
		procs_del(h, p);
	return r;
}

int procs_signal(struct hark *h, const struct proc_ref *p, int sig)
{
	return p->slot ? bank_signal(&h->bank, p->slot - 1, p->token, sig) : 0;
}
