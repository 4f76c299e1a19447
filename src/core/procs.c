/* SPDX-License-Identifier: MIT */
#include "core/procs.h"

#include "units/automount.h"
#include "units/mount_unit.h"
#include "units/name.h"
#include "units/path.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"

static size_t add_level(char out[CGROUP_PATH], size_t n, struct str name)
{
	n = str_append(out, CGROUP_PATH, n, n ? STR("/") : STR(""));
	return str_append(out, CGROUP_PATH, n, name);
}

void procs_cgroup(const struct unit *u, char out[CGROUP_PATH])
{
	const char *slice = u->config && u->config->slice ? u->config->slice
							  : CGROUP_STANDARD_SLICE;

	struct str prefix = name_prefix(u->type == UNIT_SLICE ? u->name : slice);
	size_t n = 0;

	out[0] = '\0';
	/* "a-b.slice" lies in "a.slice", all lie in the root, "-.slice" */
	for (size_t i = 1; prefix.n && i <= prefix.n && n < CGROUP_PATH; i++)
		if ((i == prefix.n || prefix.p[i] == '-') && !str_eq_z(prefix, "-")) {
			n = add_level(out, n, str_sub(prefix, 0, i));
			n = str_append(out, CGROUP_PATH, n, STR(".slice"));
		}
	if (u->type != UNIT_SLICE)
		add_level(out, n, str_of(u->name));
}

bool procs_cgroup_in_use(struct hark *h, const struct unit *u, char out[CGROUP_PATH])
{
	if (u->type != UNIT_SERVICE && u->type != UNIT_SCOPE && u->type != UNIT_SLICE)
		return false;
	procs_cgroup(u, out);
	return !unit_is_at_rest(u) ||
	       (h->cgroups.has_cgroups && cgroup_is_populated(&h->cgroups, out) > 0);
}

struct bank_user *procs_find(const struct hark *h, uint32_t slot, uint64_t token)
{
	struct bank_seen *seen = &h->bank.seen[slot];

	return seen->token == token && seen->user.role != ROLE_NONE ? &seen->user : NULL;
}

static void take(struct hark *h, struct unit *u, enum proc_role role, uint32_t slot)
{
	h->bank.seen[slot].user = (struct bank_user){
		.unit = u->id,
		.role = (uint8_t)role,
		.commands = u->ops->fsm->states[u->state].commands,
	};
}

int procs_add(struct hark *h, struct unit *u, enum proc_role role)
{
	int slot = bank_take(&h->bank);

	if (slot < 0)
		return slot;
	h->bank.seen[slot].token = bank_token(&h->bank);
	take(h, u, role, (uint32_t)slot);
	return slot;
}

void procs_forget(struct hark *h, uint32_t slot)
{
	h->bank.seen[slot].user = (struct bank_user){0};
}

void procs_del(struct hark *h, uint32_t slot)
{
	bank_release(&h->bank, slot);
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
	if (u->type == UNIT_AUTOMOUNT)
		return role == ROLE_CONTROL ? &automount_of(u)->control : NULL;
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
	       : u->type == UNIT_PATH   ? &path_of(u)->fail_text
	       : mount_of(u)            ? &mount_of(u)->fail_text
	       : automount_of(u)        ? &automount_of(u)->fail_text
					: NULL;
}

/* Whom the process of that role is known as. */
static struct bank_user *user_of(const struct hark *h, const struct proc_ref *ref)
{
	return ref && ref->slot ? procs_find(h, ref->slot - 1, ref->token) : NULL;
}

bool procs_claim(struct hark *h, struct unit *u, enum proc_role role, uint32_t slot)
{
	const struct bank_slot *b = &h->bank.table->slot[slot];
	struct proc_ref *ref = procs_ref(u, role);
	struct bank_user *old = user_of(h, ref);

	if (!ref || (b->kind != BANK_PROC && b->kind != BANK_DEAD) || procs_find(h, slot, b->token))
		return false;
	h->bank.seen[slot].token = b->token;
	take(h, u, role, slot);
	if (old)
		old->unit = UNIT_NONE;
	ref->slot = slot + 1;
	ref->token = b->token;
	ref->pid = b->pid;
	if (role == ROLE_MAIN)
		service_main_begins(service_of(u), b->since_us);
	return true;
}

void procs_disown(struct hark *h, struct unit *u)
{
	if (u->events_wd) {
		cgroup_unwatch(&h->cgroups, u->events_wd - 1);
		u->events_wd = 0;
	}
	for (unsigned role = ROLE_MAIN; role <= ROLE_CONTROL; role++) {
		struct proc_ref *ref = procs_ref(u, (enum proc_role)role);
		struct bank_user *user = user_of(h, ref);

		if (user)
			user->unit = UNIT_NONE;
		if (ref)
			ref->slot = 0;
	}
}

int procs_adopt_main(struct hark *h, struct unit *u, pid_t pid)
{
	int slot = procs_add(h, u, ROLE_MAIN), r;
	char name[BANK_NAME];

	if (slot < 0)
		return slot;
	bank_name(name, u->name, "main");
	r = bank_adopt(&h->bank, (uint32_t)slot, procs_token(h, (uint32_t)slot), name, pid);
	if (r < 0)
		procs_del(h, (uint32_t)slot);
	return r;
}

int procs_signal(struct hark *h, const struct proc_ref *p, int sig)
{
	return p->slot ? bank_signal(&h->bank, p->slot - 1, p->token, sig) : 0;
}
