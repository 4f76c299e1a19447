/* SPDX-License-Identifier: MIT */
/*
 * life - a manager's life in the simulated world: the real engine, effects and takeover over a random house of units. To be included
 * once by a program.
 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "activate/notify.h"
#include "activate/stored.h"
#include "core/bank_client.h"
#include "core/crashpoint.h"
#include "core/describe.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/run.h"
#include "units/passive.h"
#include "units/service.h"
#include "units/socket.h"

static uint32_t seed_told;
static bool is_loud;
static bool is_damaged; /* somebody has written into the state */
static bool is_unbound; /* no BindsTo=: no unit is stopped because another one died */

/* Allocation fail_from of a life (0: none) and those behind it, fail_n in all, find no memory. */
static struct {
	uint64_t from, n;
	unsigned asked_again;
	bool did_fail;
} fail;

static void fail_begin(void)
{
	mem_stats.fail_at = fail.from ? mem_stats.total_n + fail.from : 0;
	mem_stats.fail_persists = fail.n > 1;
}

/* There is memory again. */
static void fail_end(void)
{
	fail.did_fail |= mem_stats.fail_at && mem_stats.total_n >= mem_stats.fail_at;
	mem_stats.fail_at = 0;
}

static void fail_look(void)
{
	if (mem_stats.fail_at && mem_stats.total_n >= mem_stats.fail_at + fail.n)
		fail_end();
}

static void ck(bool is_so, const char *what)
{
	if (is_so)
		return;
	printf("not ok: seed %u: %s\n", seed_told, what);
	fflush(stdout);
	_exit(3);
}

#include "sim/fakes.h"

/* --- a random house, the same for every manager of a story --- */

static void add_dep(struct unit_config *c, enum dep_type type, const char *name)
{
	struct dep *d = arena_get(&c->arena, sizeof(*d));

	*d = (struct dep){.next = c->deps,
			  .name = arena_dup(&c->arena, name, strlen(name)),
			  .type = (uint8_t)type};
	c->deps = d;
}

static void add_commands(struct unit_config *c, unsigned list, uint32_t n)
{
	while (n--) {
		struct command *cmd = arena_get(&c->arena, sizeof(*cmd));

		*cmd = (struct command){
			.behind = c->commands, .path = "/bin/fake", .list = (uint8_t)list};
		c->commands = cmd;
	}
}

static void make_service(struct unit_config *c, unsigned n)
{
	static const uint8_t restarts[] = {RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS};
	struct service_config *s = arena_get(&c->arena, sizeof(*s));

	service_config_defaults(s);
	c->service = s;
	s->type = type_of(n);
	s->notify_access = s->type == SERVICE_NOTIFY ? NOTIFY_ALL : NOTIFY_NONE;
	s->remain_after_exit = s->type == SERVICE_ONESHOT && world_dice(3, n, 1, 2);
	s->restart = s->type == SERVICE_ONESHOT
			     ? RESTART_NO
			     : restarts[world_dice(3, n, 2, ARRAY_SIZE(restarts))];
	s->restart_us = 100000 + n * 1001;
	s->timeout_start_us = 2 * US_PER_SEC + n * 1003;
	s->timeout_start_is_set = true;
	s->timeout_stop_us = US_PER_SEC + n * 1007;
	s->guess_main_pid = true;
	for (unsigned list = CMD_CONDITION; list <= CMD_STOP_POST; list++)
		if (list == CMD_START)
			add_commands(c, list,
				     s->type == SERVICE_ONESHOT ? 1 + world_dice(3, n, 3, 3) : 1);
		else
			add_commands(c, list, world_dice(4, n, list, 5) / 2 % 3);
}

static int load_fake(void *arg UNUSED, struct unit *u)
{
	static const enum dep_type kinds[] = {DEP_REQUIRES,   DEP_WANTS,    DEP_BINDS_TO,
					      DEP_PART_OF,    DEP_AFTER,    DEP_AFTER,
					      DEP_ON_FAILURE, DEP_CONFLICTS};
	struct unit_config *c = unit_config_new(NULL);
	unsigned n = world_unit(u->name);
	char name[32];

	if (!c)
		return -ENOMEM;
	c->load = LOAD_LOADED;
	c->name = u->name;
	c->unit->allow_isolate = true;
	c->unit->start_limit_burst = 5;
	c->unit->start_limit_interval_us = 10 * US_PER_SEC;
	c->unit->job_timeout_us = world_dice(5, n, 0, 4) ? TIME_NEVER : 3 * US_PER_SEC + n;
	c->unit->failure_exit_status = c->unit->success_exit_status = -1;
	c->exec = arena_get(&c->arena, sizeof(*c->exec));
	exec_config_defaults(c->exec);
	if (u->type == UNIT_SOCKET) {
		c->socket = arena_get(&c->arena, sizeof(*c->socket));
		socket_config_defaults(c->socket);
		world_unit_name(n - WORLD_SERVICES, name);
		add_dep(c, DEP_TRIGGERS, name);
	} else {
		make_service(c, n);
		service_of(u)->socket_unit = UNIT_NONE;
	}
	for (unsigned i = 0; i < 2 && u->type == UNIT_SERVICE; i++) {
		unsigned other = world_dice(6, n, i, WORLD_SERVICES);
		enum dep_type type = kinds[world_dice(7, n, i, ARRAY_SIZE(kinds))];

		/* No cycles: which edge was dropped to break one is no part of the state. */
		if (other == n || (type == DEP_AFTER && other > n) ||
		    (type == DEP_BINDS_TO && is_unbound))
			continue;
		world_unit_name(other, name);
		add_dep(c, type, name);
	}
	u->config = c;
	return 0;
}

/* --- one life of a manager --- */

static struct hark hark;

static uint64_t world_clock(void *arg UNUSED)
{
	return world->now_us;
}

static void open_manager(int state_fd)
{
	static const struct unit_type_ops *const types[] = {&service_ops, &socket_ops, &target_ops};
	static struct engine_ops ops;
	struct hark *h = &hark;

	ops = run_ops;
	ops.load = load_fake;
	*h = (struct hark){.run_dir = "/run", .default_unit = "none.target", .final_command = -1};
	h->cgroups.has_cgroups = true;
	h->activators[UNIT_SOCKET] = &world_sockets;
	h->bank.table = &world->table;
	h->bank.seen = inbox.seen;
	h->did_boot = true;
	ck(loop_init(&h->loop, world_clock, NULL) == 0, "loop");
	if (state_open(&h->state, state_fd) < 0) { /* as main() does */
		ck(is_damaged && state_open(&h->state, -1) == 0, "the state is adopted");
		h->did_boot = true;
	}
	ck(is_damaged || h->state.damaged_n == 0, "the state is whole");
	ck(registry_init(&h->reg, types, ARRAY_SIZE(types)) == 0, "registry");
	ck(engine_init(&h->engine, &h->loop, &h->reg, &h->state.image->ledger, &ops, h) == 0,
	   "engine");
	world_join();
}

/* A unit that somebody only looked at passes stops on; which those are is no part of the state, so here all are loaded. */
static void load_all(struct hark *h)
{
	for (unsigned i = 0; i < WORLD_UNITS; i++) {
		char name[32];
		struct unit *u;

		world_unit_name(i, name);
		u = registry_get(&h->reg, name);
		ck(u && engine_load(&h->engine, u) == 0, "a unit is loaded");
	}
}

static void ask(struct hark *h, const struct world_event *e)
{
	struct cause cause = {.kind = CAUSE_USER, .unit = UNIT_NONE};
	struct unit *u;
	char name[32];

	world_unit_name(e->unit, name);
	u = registry_get(&h->reg, name);
	if (is_loud)
		log_at(LOG_INFO, "a client asks: %s %s (%s)", job_type_names[e->type], name,
		       job_mode_names[e->mode]);
	while (engine_request(&h->engine, u, (enum job_type)e->type, (enum job_mode)e->mode, &cause,
			      true, NULL) < 0) {
		ck(mem_stats.fail_at, "a request fails though there is memory");
		fail_end();
		fail.asked_again++;
	}
	engine_digest(&h->engine);
}

/*
 * A client asks until it is answered. Whether a manager that died had heard it is seen here by the transaction that follows from it: a
 * client sees the job, and does not ask again.
 */
static void serve_clients(struct hark *h)
{
	const uint64_t *committed = &h->state.image->committed;

	for (; world->done_at < world->event_at; world->done_at++) {
		const struct world_event *e = &world->event[world->done_at];
		bool was_heard = world->asked_at == world->done_at + 1 &&
				 world->asked_commit != *committed;

		if (e->act != ACT_REQUEST || was_heard)
			continue;
		world->asked_at = world->done_at + 1;
		world->asked_commit = *committed;
		ask(h, e);
	}
}

static bool is_busy(const struct hark *h)
{
	return h->engine.n || !list_is_empty(&h->engine.fx_queue) ||
	       !list_is_empty(&h->loop.tasks) ||
	       (h->loop.heap && h->loop.heap->due_us <= world->now_us);
}

static void settle(struct hark *h)
{
	unsigned turns = 0;

	do {
		ck(++turns < 100000, "it comes to rest");
		ck(loop_turn(&h->loop, 0) == 0, "turn");
	} while (world_tell(h) || is_busy(h));
}

static void (*after_takeover)(const struct hark *h); /* when it has come to rest; or NULL */

/* From the manager's start until nothing happens any more. */
static void live_on(int state_fd, uint32_t crash_at)
{
	struct hark *h = &hark;

	open_manager(fcntl(state_fd, F_DUPFD_CLOEXEC, 3));
	load_all(h);
	crashpoint_left = crash_at;
	fail_begin();
	mem_stats.patience = 1; /* as main() does, which waits longer */
	if (world->lives > 1 && run_takeover(h) < 0) {
		ck(mem_stats.fail_at && fail.n > 1, "it takes over");
		crashpoint_die(); /* as main() does */
	}
	mem_stats.patience = 0;
	if (world->lives > 1 && after_takeover) {
		settle(h);
		after_takeover(h);
	}
	for (;;) {
		uint64_t next;

		serve_clients(h);
		settle(h);
		next = world_next_us();
		if (h->loop.heap && h->loop.heap->due_us < next)
			next = h->loop.heap->due_us;
		if (next > WORLD_END_US)
			break;
		fail_look();
		world->now_us = next;
		world_happen();
	}
	crashpoint_left = 0;
	fail_end();
}

enum { LIFE_END = 40 };

/* One life in a process of its own; done is called at its end. True: it was killed before. */
static bool fork_life(int state_fd, uint32_t crash_at, void (*done)(struct hark *h))
{
	pid_t pid = fork();
	int status;

	ck(pid >= 0, "fork");
	if (pid == 0) {
		if (is_loud)
			log_init("sim", LOG_TRACE, -1);
		else
			ck(dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO) >= 0,
			   "silence");
		live_on(state_fd, crash_at);
		done(&hark);
		_exit(LIFE_END);
	}
	ck(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	ck(WIFEXITED(status) && WEXITSTATUS(status) == LIFE_END, "the manager ends well");
	return false;
}

static int new_state(void)
{
	struct state_table t;
	int fd;

	ck(state_open(&t, -1) == 0, "state");
	fd = fcntl(t.fd, F_DUPFD_CLOEXEC, 3);
	state_close(&t);
	return fd;
}

static void make_world(void)
{
	const char *only = getenv("HARK_SIM_SEED");

	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ck(world != MAP_FAILED, "mmap");
	setvbuf(stdout, NULL, _IOLBF,
		0); /* or what is not written yet is written by each child as well */
	is_loud = only != NULL;
}
