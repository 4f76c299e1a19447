/* SPDX-License-Identifier: MIT */
/*
 * world - all that is outside of the manager, for the simulation: clock, PID 1 with its bank, cgroups, processes, clients. It lives in
 * shared memory, so a manager may be killed at any instant and another one finds the world as it was. fakes.h stands between the two.
 *
 * What a process does depends on the seed, its unit, its command and how often that has run before, never on when the manager died.
 */
#pragma once

#include "core/hark.h"

enum {
	WORLD_SERVICES = 10,
	WORLD_SOCKETS = 3, /* of the first services */
	WORLD_UNITS = WORLD_SERVICES + WORLD_SOCKETS,
	WORLD_PROCS = 256,
	WORLD_EVENTS = 24,
	WORLD_KEYS = 32 /* what a unit can run: its states, and the main process */
};
#define WORLD_END_US (120 * US_PER_SEC)

struct world_proc {
	int pid; /* 0: free */
	uint32_t unit;
	uint32_t slot; /* + 1; 0: nobody watches it */
	uint64_t due_us;
	int code, status;
	bool is_dead, ignores_term;
	bool is_daemon; /* a starter: leaves a daemon behind when it ends well */
	uint32_t dice;
};

enum world_act { ACT_REQUEST, ACT_CONNECT, ACT_KILL };

struct world_event {
	uint64_t due_us;
	uint8_t act, unit, type, mode;
};

struct world_facts {
	uint8_t state, result, job_type, last_job_result;
	uint32_t n_restarts, n_activations, limit_count;
	uint64_t state_us;
	uint32_t runs[WORLD_KEYS];
};

struct world {
	uint64_t now_us;
	uint32_t seed, lives, deaths, next_pid;
	struct world_event event[WORLD_EVENTS];
	unsigned event_at, done_at; /* acts of the world done; requests answered */
	unsigned asked_at; /* + 1: the request asked last, and the state's transaction then */
	uint64_t asked_commit;
	struct world_proc proc[WORLD_PROCS];
	uint64_t ready_us[WORLD_UNITS]; /* READY=1 is sent then; 0: not */
	bool is_ready_sent[WORLD_UNITS];
	uint32_t pending[WORLD_SOCKETS]; /* connections that wait */
	uint32_t runs[WORLD_UNITS][WORLD_KEYS];
	/* The run + 1 for which there was no process when it was asked first, and when there is one. */
	uint32_t refused[WORLD_UNITS][WORLD_KEYS];
	uint64_t free_us[WORLD_UNITS][WORLD_KEYS];
	/* Cgroups to which cgroup.kill was written, as long as they are there; those in which somebody was found, until then. */
	bool is_killed[WORLD_UNITS];
	uint64_t busy_us[WORLD_UNITS];
	unsigned doubled; /* a process made beside a living one of the same role */
	struct world_facts facts[WORLD_UNITS];
	struct bank_table table;
};

static struct world *world;

/* What the living manager has been sent and not read: gone with it. */
static struct {
	struct bank_note note[WORLD_PROCS];
	unsigned notes_n;
	bool is_taken[BANK_SLOTS];
	struct bank_seen seen[BANK_SLOTS];
	uint64_t token;
	bool watches[WORLD_UNITS], has_changed[WORLD_UNITS]; /* cgroup.events */
	bool listens[WORLD_SOCKETS];
} inbox;

/* The same throw of n sides for the same words, in every run of a seed. */
static uint32_t world_dice(uint32_t a, uint32_t b, uint32_t c, uint32_t n)
{
	uint64_t x = world->seed * UINT64_C(0x9e3779b97f4a7c15) + a;

	x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + b;
	x = (x ^ x >> 32) * UINT64_C(0x94d049bb133111eb) + c;
	x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(x >> 33) % n;
}

static void world_unit_name(unsigned i, char out[32])
{
	if (i < WORLD_SERVICES)
		snprintf(out, 32, "u%u.service", i);
	else
		snprintf(out, 32, "u%u.socket", i - WORLD_SERVICES);
}

/* Number of the unit whose name begins here. */
static unsigned world_unit(const char *name)
{
	unsigned n = name[1] - '0';

	return strncmp(name + 2, ".service", 8) == 0 ? n : WORLD_SERVICES + n;
}

static unsigned unit_of_path(const char *path)
{
	return world_unit(strrchr(path, '/') + 1);
}

/* HARK_DEBUG=world */
#define world_log(format, ...) \
	log_debug("world", "%llu: " format, (unsigned long long)world->now_us, __VA_ARGS__)

/* --- processes --- */

static void send_note(const struct bank_note *note)
{
	ck(inbox.notes_n < ARRAY_SIZE(inbox.note), "the inbox is full");
	inbox.note[inbox.notes_n++] = *note;
}

static void send_exit(uint32_t slot)
{
	const struct bank_slot *b = &world->table.slot[slot];

	send_note(&(struct bank_note){.kind = BANK_NOTE_EXIT,
				      .slot = slot,
				      .token = b->token,
				      .pid = b->pid,
				      .code = b->code,
				      .status = b->status});
}

static void end_process(struct world_proc *p)
{
	world_log("a process of u%u ends: %d %d", p->unit, p->code, p->status);
	p->is_dead = true;
	p->due_us = TIME_NEVER;
	inbox.has_changed[p->unit] = true;
	if (!p->slot) {
		p->pid = 0;
		return;
	}
	world->table.slot[p->slot - 1].kind = BANK_DEAD;
	world->table.slot[p->slot - 1].code = p->code;
	world->table.slot[p->slot - 1].status = p->status;
	send_exit(p->slot - 1);
}

static struct world_proc *new_process(unsigned unit)
{
	struct world_proc *p = world->proc;

	while (p->pid)
		ck(++p < world->proc + WORLD_PROCS, "too many processes");
	*p = (struct world_proc){.pid = (int)++world->next_pid,
				 .unit = unit,
				 .due_us = TIME_NEVER,
				 .code = CLD_EXITED};
	return p;
}

static void signal_process(struct world_proc *p, int sig)
{
	uint64_t due = world->now_us + 1 + p->dice % (sig == SIGKILL ? 50 : 3000);

	if (p->is_dead || sig == SIGCONT || (sig != SIGKILL && p->ignores_term) || due >= p->due_us)
		return;
	p->due_us = due;
	p->code = CLD_KILLED;
	p->status = sig;
}

/* A daemon or a daemon's main process: ends after a while in one of three cases, badly more often than not. */
static void live_long(struct world_proc *p, uint32_t dice)
{
	if (dice % 3)
		return;
	p->due_us = world->now_us + 1000 + dice / 3 % 3000000;
	p->status = dice % 4 == 0;
	if (dice % 5 == 0) {
		p->code = CLD_KILLED;
		p->status = SIGSEGV;
	}
}

static void live_short(struct world_proc *p, uint32_t dice, unsigned fails)
{
	p->due_us = world->now_us + 100 + dice % 20000;
	p->status = dice % fails == 0;
	if (dice % 13 == 0)
		p->due_us = TIME_NEVER; /* it hangs */
}

static uint8_t type_of(unsigned unit)
{
	static const uint8_t types[] = {SERVICE_SIMPLE, SERVICE_ONESHOT, SERVICE_NOTIFY,
					SERVICE_FORKING};

	return types[world_dice(1, unit, 0, ARRAY_SIZE(types))];
}

static void live(struct world_proc *p, bool is_main, bool is_starter, uint32_t dice)
{
	uint8_t type = type_of(p->unit);

	p->dice = dice;
	p->ignores_term = dice % 6 == 0;
	if (!is_main || type == SERVICE_ONESHOT)
		live_short(p, dice, is_main ? 5 : 8);
	else
		live_long(p, dice);
	if (is_main && type == SERVICE_NOTIFY && dice % 9) {
		world->ready_us[p->unit] = world->now_us + 100 + dice % 5000;
		world->is_ready_sent[p->unit] = false;
	}
	if (is_main && p->unit < WORLD_SOCKETS)
		world->pending[p->unit] = 0; /* it takes them all */
	if (is_main && dice % 5 == 1) {      /* with a child that is left over */
		struct world_proc *child = new_process(p->unit);

		child->dice = dice / 7;
		child->ignores_term = dice % 4 == 0;
	}
	p->is_daemon = is_starter;
}

/* The starter of a forking service has ended: what it leaves becomes PID 1's child. */
static void leave_daemon(const struct world_proc *starter)
{
	struct world_proc *p = new_process(starter->unit);

	p->dice = starter->dice / 11;
	live_long(p, p->dice);
}

/* --- the course of the world --- */

static void world_begin(uint32_t seed)
{
	uint64_t t = US_PER_SEC;

	memset(world, 0, offsetof(struct world, table));
	memset(world->table.slot, 0, sizeof(world->table.slot));
	memset(world->table.name, 0, sizeof(world->table.name));
	world->table.high = 0;
	world->table.slots_n = 256;
	world->seed = seed;
	world->now_us = US_PER_SEC;
	for (unsigned i = 0; i < WORLD_EVENTS; i++) {
		static const uint8_t types[] = {JOB_START,   JOB_START,  JOB_STOP,
						JOB_RESTART, JOB_RELOAD, JOB_TRY_RESTART};
		static const uint8_t modes[] = {MODE_REPLACE,
						MODE_REPLACE,
						MODE_REPLACE,
						MODE_FAIL,
						MODE_IGNORE_DEPENDENCIES,
						MODE_ISOLATE};
		uint32_t dice = world_dice(90, i, 0, 1u << 30);

		t += 1 + dice % 700000;
		world->event[i] =
			(struct world_event){.due_us = t,
					     .act = (uint8_t)(dice % 5 < 3    ? ACT_REQUEST
							      : dice % 5 == 3 ? ACT_CONNECT
									      : ACT_KILL),
					     .unit = (uint8_t)(dice / 5 % WORLD_UNITS),
					     .type = types[dice / 70 % ARRAY_SIZE(types)],
					     .mode = modes[dice / 500 % ARRAY_SIZE(modes)]};
	}
}

/* A manager is there: what PID 1 repeats is told to it. */
static void world_join(void)
{
	memset(&inbox, 0, sizeof(inbox));
	world->table.generation = ++world->lives;
	for (uint32_t i = 0; i < world->table.high; i++) {
		inbox.is_taken[i] = world->table.slot[i].kind != BANK_FREE;
		if (world->table.slot[i].kind == BANK_DEAD)
			send_exit(i);
	}
}

static void earlier(uint64_t *us, uint64_t other)
{
	if (other < *us)
		*us = other;
}

/* Next instant at which something happens in the world. */
static uint64_t world_next_us(void)
{
	uint64_t next = TIME_NEVER;

	for (const struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid && !p->is_dead)
			earlier(&next, p->due_us);
	for (unsigned i = 0; i < WORLD_UNITS; i++)
		if (world->ready_us[i])
			earlier(&next, world->ready_us[i]);
	if (world->event_at < WORLD_EVENTS)
		earlier(&next, world->event[world->event_at].due_us);
	return next;
}

static struct world_proc *main_process(unsigned unit)
{
	char name[BANK_NAME], unit_name[32];

	world_unit_name(unit, unit_name);
	bank_name(name, unit_name, "main");
	for (struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++)
		if (p->pid && !p->is_dead && p->slot && p->unit == unit &&
		    strcmp(world->table.name[p->slot - 1], name) == 0)
			return p;
	return NULL;
}

static void act(const struct world_event *e)
{
	struct world_proc *p = main_process(e->unit % WORLD_SERVICES);

	if (e->act == ACT_KILL && p) {
		p->due_us = world->now_us;
		p->code = CLD_KILLED;
		p->status = SIGKILL;
	}
	if (e->act == ACT_CONNECT && !main_process(e->unit % WORLD_SOCKETS))
		world->pending[e->unit % WORLD_SOCKETS]++;
}

/* What is due by now happens. */
static void world_happen(void)
{
	for (; world->event_at < WORLD_EVENTS &&
	       world->event[world->event_at].due_us <= world->now_us;
	     world->event_at++)
		act(&world->event[world->event_at]);
	for (unsigned i = 0; i < WORLD_UNITS; i++)
		if (world->ready_us[i] && world->ready_us[i] <= world->now_us) {
			world->is_ready_sent[i] = main_process(i) != NULL;
			world->ready_us[i] = 0;
		}
	for (unsigned unit = 0; unit < WORLD_UNITS; unit++) /* in the same order in every run */
		for (struct world_proc *p = world->proc; p < world->proc + WORLD_PROCS; p++) {
			if (!p->pid || p->is_dead || p->unit != unit || p->due_us > world->now_us)
				continue;
			if (p->is_daemon && p->code == CLD_EXITED && p->status == 0)
				leave_daemon(p);
			end_process(p);
		}
}
