/* SPDX-License-Identifier: MIT */
/*
 * Managers that die at any instant, in a simulated world: every story is told twice by the real engine, effects and takeover, once by
 * one manager and once by many that are killed behind a random act. In the end every unit is in the same state since the same
 * instant, and every command has run as often.
 *
 *	HARK_SIM_SEED=N   only that story, with what the managers say     HARK_FULL=1   10,000 stories, else as many as 15 s take
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "activate/notify.h"
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

static void ck(bool is_so, const char *what)
{
	if (is_so)
		return;
	printf("not ok: seed %u: %s\n", seed_told, what);
	fflush(stdout);
	_exit(3);
}

#include "sim/fakes.h"

enum { SEEDS_FULL = 10000, DEATHS_MOST = 6, LIFE_END = 40, SHORT_MS = 15000 };

/* --- a random house, the same for every manager of a story --- */

static void add_dep(struct unit_config *c, enum dep_type type, const char *name)
{
	struct dep *d = arena_get(&c->arena, sizeof(*d));

	*d = (struct dep){.next = c->deps,
			  .name = arena_dup(&c->arena, name, strlen(name)),
			  .type = (uint8_t)type};
	c->deps = d;
}

static struct command *commands(struct unit_config *c, uint32_t n)
{
	struct command *first = NULL;

	while (n--) {
		struct command *cmd = arena_get(&c->arena, sizeof(*cmd));

		*cmd = (struct command){.next = first, .path = "/bin/fake"};
		first = cmd;
	}
	return first;
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
			c->commands[list] = commands(
				c, s->type == SERVICE_ONESHOT ? 1 + world_dice(3, n, 3, 3) : 1);
		else
			c->commands[list] = commands(c, world_dice(4, n, list, 5) / 2 % 3);
}

static int load_fake(void *arg UNUSED, struct unit *u)
{
	static const enum dep_type kinds[] = {DEP_REQUIRES,   DEP_WANTS,    DEP_BINDS_TO,
					      DEP_PART_OF,    DEP_AFTER,    DEP_AFTER,
					      DEP_ON_FAILURE, DEP_CONFLICTS};
	struct unit_config *c = mem_get(sizeof(*c));
	unsigned n = world_unit(u->name);
	char name[32];

	if (!c)
		return -ENOMEM;
	diag_init(&c->diags, &c->arena);
	c->load = LOAD_LOADED;
	c->name = u->name;
	c->allow_isolate = true;
	c->start_limit_burst = 5;
	c->start_limit_interval_us = 10 * US_PER_SEC;
	c->job_timeout_us = world_dice(5, n, 0, 4) ? TIME_NEVER : 3 * US_PER_SEC + n;
	c->failure_exit_status = c->success_exit_status = -1;
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
		if (other == n || (type == DEP_AFTER && other > n))
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
	h->did_boot = true;
	ck(loop_init(&h->loop, world_clock, NULL) == 0, "loop");
	ck(state_open(&h->state, state_fd) == 0, "the state is adopted");
	ck(h->state.damaged_n == 0, "the state is whole");
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
	ck(engine_request(&h->engine, u, (enum job_type)e->type, (enum job_mode)e->mode, &cause,
			  true, NULL) >= 0,
	   "request");
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

static void note_facts(struct hark *h)
{
	for (unsigned i = 0; i < WORLD_UNITS; i++) {
		struct world_facts *f = &world->facts[i];
		char name[32];
		struct unit *u;

		world_unit_name(i, name);
		u = registry_find(&h->reg, name);
		memset(f, 0, sizeof(*f));
		memcpy(f->runs, world->runs[i], sizeof(f->runs));
		if (!u)
			continue;
		f->state = u->state;
		f->job_type = u->job.type;
		f->last_job_result = u->last_job_result;
		f->n_activations = u->n_activations;
		f->limit_count = u->start_limit_count;
		f->state_us = u->state_us;
		f->result = u->type == UNIT_SERVICE ? service_of(u)->result : socket_of(u)->result;
		f->n_restarts = u->type == UNIT_SERVICE ? service_of(u)->n_restarts : 0;
	}
}

static void live_on(int state_fd, uint32_t crash_at)
{
	struct hark *h = &hark;

	open_manager(fcntl(state_fd, F_DUPFD_CLOEXEC, 3));
	load_all(h);
	crashpoint_left = crash_at;
	if (world->lives > 1)
		run_takeover(h);
	for (;;) {
		uint64_t next;

		serve_clients(h);
		settle(h);
		next = world_next_us();
		if (h->loop.heap && h->loop.heap->due_us < next)
			next = h->loop.heap->due_us;
		if (next > WORLD_END_US)
			break;
		world->now_us = next;
		world_happen();
	}
	crashpoint_left = 0;
	note_facts(h);
}

/* --- a story --- */

static void fork_life(int state_fd, uint32_t crash_at)
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
		_exit(LIFE_END);
	}
	ck(waitpid(pid, &status, 0) == pid, "waitpid");
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		world->deaths++;
	else
		ck(WIFEXITED(status) && WEXITSTATUS(status) == LIFE_END, "the manager ends well");
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

static void tell(uint32_t seed, uint32_t deaths)
{
	int fd = new_state();

	world_begin(seed);
	seed_told = seed;
	for (uint32_t life = 1; life == 1 || world->deaths == life - 1; life++) {
		uint32_t at = life <= deaths ? 1 + world_dice(8, life, 0, life == 1 ? 400 : 120)
					     : 0;

		fork_life(fd, at);
	}
	fd_close(fd);
}

static bool is_equal(uint32_t seed, const struct world_facts *want)
{
	bool same = true;

	for (unsigned i = 0; i < WORLD_UNITS; i++) {
		const struct world_facts *f = &world->facts[i];
		const struct fsm *m = i < WORLD_SERVICES ? &service_fsm : &socket_fsm;
		char name[32];

		if (memcmp(f, &want[i], sizeof(*f)) == 0)
			continue;
		same = false;
		world_unit_name(i, name);
		printf("# seed %u, %s: %s since %llu, result %u, job %u (%u), restarts %u, activations %u, limit %u; undisturbed: %s since %llu, result %u, job %u (%u), restarts %u, activations %u, limit %u\n",
		       seed, name, fsm_state_name(m, f->state), (unsigned long long)f->state_us,
		       f->result, f->job_type, f->last_job_result, f->n_restarts, f->n_activations,
		       f->limit_count, fsm_state_name(m, want[i].state),
		       (unsigned long long)want[i].state_us, want[i].result, want[i].job_type,
		       want[i].last_job_result, want[i].n_restarts, want[i].n_activations,
		       want[i].limit_count);
		for (unsigned k = 0; k < WORLD_KEYS; k++)
			if (f->runs[k] != want[i].runs[k])
				printf("#   %s ran %u times, undisturbed %u\n",
				       k == WORLD_KEYS - 1 ? "main" : fsm_state_name(m, k),
				       f->runs[k], want[i].runs[k]);
	}
	return same;
}

static struct {
	unsigned stories, deaths, runs, differ, doubled;
} sums;

static bool play(uint32_t seed)
{
	struct world_facts want[WORLD_UNITS];
	bool same;

	tell(seed, 0);
	memcpy(want, world->facts, sizeof(want));
	if (is_loud)
		fprintf(stderr, "--- again, with deaths\n");
	tell(seed, 1 + world_dice(9, 0, 0, DEATHS_MOST));
	same = is_equal(seed, want) && world->doubled == 0;
	sums.stories++;
	sums.deaths += world->deaths;
	sums.differ += !same;
	sums.doubled += world->doubled;
	for (unsigned i = 0; i < WORLD_UNITS; i++)
		for (unsigned k = 0; k < WORLD_KEYS; k++)
			sums.runs += world->runs[i][k];
	return same;
}

int main(void)
{
	const char *only = getenv("HARK_SIM_SEED");
	bool is_full = getenv("HARK_FULL") != NULL;
	uint64_t end = clock_mono_us() + SHORT_MS * UINT64_C(1000);

	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ck(world != MAP_FAILED, "mmap");
	setvbuf(stdout, NULL, _IOLBF,
		0); /* or what is not written yet is written by each child as well */
	is_loud = only != NULL;
	if (only)
		play((uint32_t)strtoul(only, NULL, 10));
	for (uint32_t seed = 1;
	     !only && seed <= SEEDS_FULL && sums.differ < 5 && (is_full || clock_mono_us() < end);
	     seed++)
		play(seed);
	printf("survival: %u stories, %u deaths of the manager, %u processes; %u stories end otherwise, %u processes doubled\n",
	       sums.stories, sums.deaths, sums.runs, sums.differ, sums.doubled);
	if (sums.differ || sums.doubled)
		return 1;
	printf("rows: B20 A16\n");
	return 0;
}
