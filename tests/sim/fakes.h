/* SPDX-License-Identifier: MIT */
/*
 * fakes - bank_client, cgroup, proc, notify and describe over the simulated world; everything else of the manager is real. To be included
 * once by a program.
 */
#pragma once

#include "sim/world.h"

/* --- fakes: bank --- */

static struct bank_slot *slot_with(uint32_t slot, uint64_t token)
{
	struct bank_slot *b = &world->table.slot[slot];

	return b->token == token ? b : NULL;
}

static struct world_proc *process_in(uint32_t slot)
{
	for (struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid && p->slot == slot + 1)
			return p;
	return NULL;
}

static void fill(uint32_t slot, uint64_t token, enum bank_kind kind, const char *name, int pid)
{
	world->table.slot[slot] = (struct bank_slot){
		.kind = (uint8_t)kind, .token = token, .pid = pid, .since_us = world->now_us};
	snprintf(world->table.name[slot], BANK_NAME, "%s", name);
	if (world->table.high <= slot)
		world->table.high = slot + 1;
	inbox.is_taken[slot] = true;
}

void bank_name(char out[BANK_NAME], const char *unit, const char *what)
{
	snprintf(out, BANK_NAME, "%s/%s", unit, what);
}

bool bank_has(const struct bank *b UNUSED, uint32_t slot)
{
	return inbox.is_taken[slot];
}

bool bank_is_behind(const struct bank *b UNUSED)
{
	return false;
}

bool bank_has_room(const struct bank *b UNUSED, uint32_t n)
{
	return n <= world->table.slots_n;
}

int bank_take(struct bank *b UNUSED)
{
	for (int slot = 0; slot < (int)world->table.slots_n; slot++)
		if (!inbox.is_taken[slot]) {
			inbox.is_taken[slot] = true;
			return slot;
		}
	return -ENOSPC;
}

void bank_release(struct bank *b UNUSED, uint32_t slot)
{
	inbox.is_taken[slot] = false;
	inbox.seen[slot] = (struct bank_seen){0};
}

uint64_t bank_token(struct bank *b UNUSED)
{
	return ((uint64_t)world->lives << 32) + ++inbox.token;
}

int bank_store(struct bank *b UNUSED, uint32_t slot, uint64_t token, const char *name,
	       int fd UNUSED, bool listen UNUSED, int backlog UNUSED)
{
	fill(slot, token, BANK_FD, name, 0);
	crashpoint();
	return 0;
}

/* Nothing is kept for the manager as a whole: no unit of the simulation watches files. */
int bank_find(const struct bank *b UNUSED, const char *name UNUSED)
{
	return -1;
}

int bank_lasting(struct bank *b UNUSED, const char *name UNUSED, int (*make)(void) UNUSED)
{
	return -1;
}

int bank_keep(struct bank *b UNUSED, int old UNUSED, const char *name UNUSED, int fd UNUSED)
{
	return -ENOSPC;
}

int bank_drop(struct bank *b, uint32_t slot)
{
	world->table.slot[slot] = (struct bank_slot){.kind = BANK_FREE};
	world->table.name[slot][0] = '\0';
	bank_release(b, slot);
	crashpoint();
	return 0;
}

static unsigned key_of(const char *what)
{
	int state = fsm_state_by_name(&service_fsm, what);

	return state < 0 ? WORLD_KEYS - 1 : (unsigned)state;
}

/* For some runs no process can be made: whoever asks for it, or until the engine tries again by itself. 0 or -errno. */
static int refusal(const struct hark *h, unsigned unit, unsigned key, uint32_t dice)
{
	uint32_t *run = &world->refused[unit][key];
	char name[32];

	if (dice % 30 != 7)
		return 0;
	if (dice % 60 == 7)
		return -EPERM;
	if (*run != world->runs[unit][key] + 1) {
		*run = world->runs[unit][key] + 1;
		world_unit_name(unit, name);
		world->free_us[unit][key] =
			engine_next_try_us(&h->engine, registry_find(&h->reg, name));
	}
	return world->now_us < world->free_us[unit][key] ? -EAGAIN : 0;
}

int bank_spawn(struct bank *b, const struct bank_spawn *s)
{
	unsigned unit = world_unit(s->name);
	const char *what = strchr(s->name, '/') + 1;
	bool is_starter = type_of(unit) == SERVICE_FORKING && strcmp(what, "start") == 0;
	unsigned key = key_of(what), run = world->runs[unit][key];
	uint32_t dice = world_dice(2 + key, unit, run, 1u << 30);
	int err = refusal(container_of(b, struct hark, bank), unit, key, dice);
	struct world_proc *p;

	if (err) {
		world_log("%s: refused", s->name);
		send_note(&(struct bank_note){.kind = BANK_NOTE_REPLY,
					      .op = BANK_SPAWN,
					      .slot = s->slot,
					      .token = s->token,
					      .err = err});
		crashpoint();
		return 0;
	}
	for (p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid && !p->is_dead && p->unit == unit && p->slot &&
		    strcmp(world->table.name[p->slot - 1], s->name) == 0) {
			world->doubled++;
			log_at(LOG_ERROR, "doubled: %s", s->name);
		}
	world->runs[unit][key]++;
	world_log("%s: run %u", s->name, run);
	p = new_process(unit);
	p->slot = s->slot + 1;
	fill(s->slot, s->token, BANK_PROC, s->name, p->pid);
	live(p, strcmp(what, "main") == 0, is_starter, dice);
	if (world->is_killed[unit]) { /* as Linux from 6.14 on does it */
		p->due_us = world->now_us;
		p->code = CLD_KILLED;
		p->status = SIGKILL;
	}
	send_note(&(struct bank_note){.kind = BANK_NOTE_REPLY,
				      .op = BANK_SPAWN,
				      .slot = s->slot,
				      .token = s->token,
				      .pid = p->pid});
	crashpoint();
	return 0;
}

int bank_signal(struct bank *b UNUSED, uint32_t slot, uint64_t token, int sig)
{
	if (slot_with(slot, token) && process_in(slot))
		signal_process(process_in(slot), sig);
	crashpoint();
	return 0;
}

int bank_adopt(struct bank *b UNUSED, uint32_t slot, uint64_t token, const char *name, pid_t pid)
{
	struct bank_note note = {
		.op = BANK_ADOPT, .slot = slot, .token = token, .pid = pid, .err = -ECHILD};

	for (struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid == pid && !p->slot) {
			p->slot = slot + 1;
			fill(slot, token, BANK_PROC, name, pid);
			note.err = 0;
		}
	send_note(&note);
	crashpoint();
	return 0;
}

int bank_ack(struct bank *b, uint32_t slot, uint64_t token)
{
	struct world_proc *p = process_in(slot);

	if (slot_with(slot, token) && p && p->is_dead) {
		p->pid = 0;
		return bank_drop(b, slot);
	}
	return 0;
}

int bank_accept(struct bank *b UNUSED, uint32_t slot UNUSED, uint64_t token UNUSED,
		uint32_t from UNUSED)
{
	return -ENOSYS;
}

int bank_await(struct bank *b UNUSED, uint32_t slot UNUSED, uint64_t token UNUSED,
	       uint32_t from UNUSED)
{
	return -ENOSYS;
}

int bank_heard(struct bank *b UNUSED, int sig UNUSED)
{
	return 0;
}

int bank_final(struct bank *b UNUSED, int arg UNUSED, bool is_exit UNUSED,
	       const char *exec_path UNUSED, const char *words UNUSED)
{
	return 0;
}

/* --- fakes: cgroups and processes --- */

int cgroup_make(struct cgroup_root *r UNUSED, const char *path UNUSED)
{
	crashpoint();
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void cgroup_prepare(struct cgroup_root *r UNUSED, const char *path UNUSED)
{
}

/* Living processes of the unit; those but `except` get the signal. */
static int each_member(const char *path, int sig, pid_t except)
{
	unsigned unit = unit_of_path(path);
	int n = 0;

	for (struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid && !p->is_dead && p->unit == unit && p->pid != except) {
			n++;
			if (sig)
				signal_process(p, sig);
		}
	return n;
}

int cgroup_is_populated(struct cgroup_root *r UNUSED, const char *path)
{
	return each_member(path, 0, 0) > 0;
}

int cgroup_pids(struct cgroup_root *r UNUSED, const char *path, pid_t *pids, int max)
{
	unsigned unit = unit_of_path(path);
	int n = 0;

	for (struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS && n < max; p++)
		if (p->pid && !p->is_dead && p->unit == unit)
			pids[n++] = p->pid;
	return n;
}

int cgroup_each_populated(struct cgroup_root *r UNUSED, void (*fn)(void *arg, const char *name),
			  void *arg)
{
	for (unsigned i = 0; i < WORLD_SERVICES; i++) {
		char name[32], path[40];

		world_unit_name(i, name);
		snprintf(path, sizeof(path), "/%s", name);
		if (each_member(path, 0, 0))
			fn(arg, name);
	}
	return 0;
}

int cgroup_kill(struct cgroup_root *r UNUSED, const char *path)
{
	each_member(path, SIGKILL, 0);
	world->is_killed[unit_of_path(path)] = true;
	crashpoint();
	return 0;
}

int cgroup_signal(struct cgroup_root *r UNUSED, const char *path, int sig, pid_t except)
{
	int n = each_member(path, sig, except);

	crashpoint();
	return n;
}

int cgroup_freeze(struct cgroup_root *r UNUSED, const char *path UNUSED, bool is_frozen UNUSED)
{
	return 0;
}

bool cgroup_has_pid(struct cgroup_root *r UNUSED, const char *path UNUSED, pid_t pid UNUSED)
{
	return true;
}

int cgroup_watch(struct cgroup_root *r UNUSED, const char *path)
{
	unsigned unit = unit_of_path(path);

	inbox.watches[unit] = true;
	inbox.has_changed[unit] = false;
	return (int)unit;
}

void cgroup_unwatch(struct cgroup_root *r UNUSED, int wd)
{
	inbox.watches[wd] = false;
}

int cgroup_next_change(struct cgroup_root *r UNUSED)
{
	for (int unit = 0; unit < WORLD_UNITS; unit++)
		if (inbox.watches[unit] && inbox.has_changed[unit]) {
			inbox.has_changed[unit] = false;
			return unit;
		}
	return -EAGAIN;
}

/* Who is killed is there until the engine tries again by itself. */
int cgroup_remove(struct cgroup_root *r, const char *path)
{
	const struct hark *h = container_of(r, struct hark, cgroups);
	unsigned unit = unit_of_path(path);
	bool is_populated = each_member(path, 0, 0) > 0;
	char name[32];

	crashpoint();
	world_unit_name(unit, name);
	if (is_populated && world->is_killed[unit])
		world->busy_us[unit] = engine_next_try_us(&h->engine, registry_find(&h->reg, name));
	if (is_populated || world->now_us < world->busy_us[unit])
		return -EBUSY;
	world->is_killed[unit] = false;
	return 0;
}

int proc_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int proc_signal_fd(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

int proc_take_fd(pid_t pid UNUSED, int fd UNUSED)
{
	return -EPERM;
}

int proc_stat(pid_t pid UNUSED, pid_t *ret_ppid, uint64_t *ret_start)
{
	*ret_ppid = getppid();
	*ret_start = 0;
	return 0;
}

int proc_signal_session(pid_t sid UNUSED, int sig UNUSED, pid_t except UNUSED)
{
	return 0;
}

int proc_uid(pid_t pid UNUSED, uid_t *ret_uid UNUSED)
{
	return -ESRCH;
}

int proc_cmdline(pid_t pid UNUSED, char *out UNUSED, size_t cap UNUSED)
{
	return -ESRCH;
}

int proc_comm(pid_t pid UNUSED, char *out UNUSED, size_t cap UNUSED)
{
	return -ESRCH;
}

/* --- fakes: what a process is made of, and what it says --- */

int describe(struct hark *h UNUSED, const struct describe_in *in UNUSED, struct process *out UNUSED,
	     uint8_t *ret_exit UNUSED, char **ret_why UNUSED)
{
	return 0;
}

int notify_open(struct hark *h, struct service *s, char *out, size_t cap)
{
	char name[BANK_NAME];
	int slot;

	snprintf(out, cap, "/notify");
	if (s->notify_slot)
		return 0;
	slot = bank_take(&h->bank);
	if (slot < 0)
		return slot;
	bank_name(name, s->unit.name, "notify");
	s->notify_slot = (uint32_t)slot + 1;
	return bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, -1, false, 0);
}

int notify_adopt(struct hark *h UNUSED, struct service *s UNUSED)
{
	return 0;
}

void notify_close(struct hark *h, struct service *s)
{
	if (s->notify_slot)
		ck(bank_drop(&h->bank, s->notify_slot - 1) == 0, "drop");
	s->notify_slot = 0;
}

void notify_drain(struct hark *h, struct service *s)
{
	unsigned unit = world_unit(s->unit.name);

	if (!world->is_ready_sent[unit] || !s->notify_slot)
		return;
	engine_post_simple(&h->engine, &s->unit, EV_READY, 0, 0, 0);
	engine_digest(&h->engine);
	world->is_ready_sent[unit] = false; /* consumed */
	crashpoint();
}

unsigned stored_list(const struct service *s UNUSED, int32_t *slots UNUSED,
		     const char **names UNUSED, unsigned max UNUSED)
{
	return 0;
}

void stored_drop_all(struct service *s UNUSED)
{
}

/* --- fakes: sockets --- */

static int sock_arm(struct hark *h, struct unit *u, char **ret_why UNUSED)
{
	char name[BANK_NAME];
	int slot;

	bank_name(name, u->name, "ListenStream=x");
	for (uint32_t i = 0; i < world->table.high; i++)
		if (strcmp(world->table.name[i], name) == 0)
			return 0;
	slot = bank_take(&h->bank);
	return slot < 0 ? slot
			: bank_store(&h->bank, (uint32_t)slot, bank_token(&h->bank), name, -1, true,
				     1);
}

static void sock_watch(struct hark *h UNUSED, struct unit *u)
{
	inbox.listens[world_unit(u->name) - WORLD_SERVICES] = true;
}

static void sock_disarm(struct hark *h UNUSED, struct unit *u)
{
	inbox.listens[world_unit(u->name) - WORLD_SERVICES] = false;
}

static void sock_drop(struct hark *h, struct unit *u)
{
	char name[BANK_NAME];

	bank_name(name, u->name, "ListenStream=x");
	for (uint32_t i = 0; i < world->table.high; i++)
		if (strcmp(world->table.name[i], name) == 0)
			ck(bank_drop(&h->bank, i) == 0, "drop");
	world->pending[world_unit(u->name) - WORLD_SERVICES] = 0;
}

static unsigned sock_fds(struct hark *h UNUSED, struct unit *u UNUSED, int32_t *slots UNUSED,
			 const char **names UNUSED, unsigned max UNUSED)
{
	return 0;
}

static const struct activator world_sockets = {.type = UNIT_SOCKET,
					       .arm = sock_arm,
					       .watch = sock_watch,
					       .disarm = sock_disarm,
					       .drop = sock_drop,
					       .fds = sock_fds};

/* As activate/socket does it, with TriggerLimitBurst=20. */
static void trigger(struct hark *h, struct socket_unit *k)
{
	inbox.listens[world_unit(k->unit.name) - WORLD_SERVICES] = false;
	if (!k->trigger_begin_us || world->now_us - k->trigger_begin_us >= 2 * US_PER_SEC) {
		k->trigger_begin_us = world->now_us;
		k->trigger_count = 0;
	}
	if (++k->trigger_count <= 20) {
		engine_post_simple(&h->engine, &k->unit, EV_TRIGGER, 0, 0, 0);
		return;
	}
	k->result = SRES_TRIGGER_LIMIT;
	engine_post_simple(&h->engine, &k->unit, EV_ARM_FAILED, ECANCELED, 0, 0);
}

/* Tell the manager what waits for it; false when nothing did. */
static bool world_tell(struct hark *h)
{
	bool any = inbox.notes_n > 0;

	while (inbox.notes_n) {
		struct bank_note note = inbox.note[0];

		memmove(inbox.note, inbox.note + 1, --inbox.notes_n * sizeof(note));
		crashpoint();
		run_on_note(&h->bank, &note);
	}
	for (unsigned i = 0; i < WORLD_UNITS; i++) {
		char name[32];
		struct unit *u;

		world_unit_name(i, name);
		u = registry_find(&h->reg, name);
		if (u && service_of(u) && world->is_ready_sent[i] && service_of(u)->notify_slot) {
			notify_drain(h, service_of(u));
			any = true;
		}
		if (u && i >= WORLD_SERVICES && inbox.listens[i - WORLD_SERVICES] &&
		    world->pending[i - WORLD_SERVICES]) {
			trigger(h, socket_of(u));
			any = true;
		}
		any |= inbox.watches[i] && inbox.has_changed[i];
	}
	run_on_cgroup(&h->cgroup_watch, 0);
	return any;
}
