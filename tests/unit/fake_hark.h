/* SPDX-License-Identifier: MIT */
/*
 * fake_hark - a manager without PID 1, for tests of activators: real loop, bank client, registry and engine; the other end of
 * the bank's channel is in fake_pid1, where the test may read the requests. Units get the configuration the test gives.
 * Tests fork (libcheck), so descriptors and memory end with each of them.
 */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/hark.h"
#include "units/passive.h"
#include "units/service.h"
#include "units/socket.h"

static struct hark fake;
static struct bank_table *fake_table;
static int fake_pid1;
static char fake_dir[] = "/tmp/hark-test-XXXXXX";
static struct service_config fake_service_config;
static struct exec_config fake_exec_config;
static struct socket_config fake_socket_config;
static struct command fake_command = {.list = CMD_START,
				      .path = "/bin/true",
				      .argv = (const char *[]){"/bin/true", NULL},
				      .argc = 1,
				      .file = "x",
				      .line = 1};
static uint32_t fake_fx;                /* effects that were asked for */
static unsigned fake_told[EVENT_KINDS]; /* events that services were given */
static struct unit_type_ops fake_service_ops;

static inline int fake_load(void *arg, struct unit *u)
{
	struct unit_config *c = unit_config_new(NULL);

	(void)arg;
	c->load = LOAD_LOADED;
	c->name = u->name;
	c->description = u->name;
	c->exec = &fake_exec_config;
	c->unit->start_limit_burst = 0;
	if (u->type == UNIT_SERVICE) {
		c->service = &fake_service_config;
		c->commands = &fake_command;
		service_of(u)->socket_unit = UNIT_NONE;
	}
	if (u->type == UNIT_SOCKET)
		c->socket = &fake_socket_config;
	u->config = c;
	return 0;
}

static inline void fake_run(void *arg, struct unit *u, uint32_t fx)
{
	(void)arg;
	(void)u;
	fake_fx |= fx;
}

static inline int fake_condition(void *arg, struct unit *u, bool asserts)
{
	(void)arg;
	(void)u;
	(void)asserts;
	return 1;
}

static inline void fake_changed(void *arg, struct unit *u, uint8_t old_state)
{
	(void)arg;
	(void)u;
	(void)old_state;
}

static inline void fake_job_done(void *arg, struct unit *u, uint32_t id, enum job_type type,
				 enum job_result result)
{
	(void)arg;
	(void)u;
	(void)id;
	(void)type;
	(void)result;
}

static inline void fake_emergency(void *arg, struct unit *u, enum emergency_action action)
{
	(void)arg;
	(void)u;
	(void)action;
}

static inline uint32_t fake_slot(void *arg, struct unit *u)
{
	(void)arg;
	return u->id + 1;
}

static const struct engine_ops fake_ops = {
	.load = fake_load,
	.run = fake_run,
	.condition = fake_condition,
	.changed = fake_changed,
	.job_done = fake_job_done,
	.emergency = fake_emergency,
	.slot = fake_slot,
};

static inline void fake_bank_open(void)
{
	int pair[2], table = memfd_create("table", MFD_CLOEXEC);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(ftruncate(table, sizeof(struct bank_table)), 0);
	fake_table = mmap(NULL, sizeof(*fake_table), PROT_READ | PROT_WRITE, MAP_SHARED, table, 0);
	ck_assert_ptr_ne(fake_table, MAP_FAILED);
	fake_table->layout = BANK_LAYOUT;
	fake_table->slots_n = 256;
	fake_table->generation = 1;
	ck_assert_int_eq(dup2(pair[0], BANK_CHANNEL_FD), BANK_CHANNEL_FD);
	ck_assert_int_eq(dup2(table, BANK_TABLE_FD), BANK_TABLE_FD);
	fake_pid1 = pair[1];
	ck_assert_int_eq(bank_open(&fake.bank, &fake.loop), 0);
}

static inline int fake_remove(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

/* A checked fixture of every test case: what the tests leave in the file system. */
static inline void fake_tidy(void)
{
	if (fake.run_dir)
		(void)nftw(fake_dir, fake_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int fake_classify(struct unit *u, const struct event *e)
{
	fake_told[e->kind]++;
	return service_ops.classify(u, e);
}

static inline void fake_open(void)
{
	static const struct unit_type_ops *const types[] = {&fake_service_ops, &socket_ops,
							    &target_ops};

	fake_service_ops = service_ops;
	fake_service_ops.classify = fake_classify;
	exec_config_defaults(&fake_exec_config);
	service_config_defaults(&fake_service_config);
	socket_config_defaults(&fake_socket_config);
	ck_assert_ptr_nonnull(mkdtemp(fake_dir));
	fake.run_dir = fake_dir;
	fake.final_command = -1;
	fake.cgroups.dir_fd = -1;
	ck_assert_int_eq(loop_init(&fake.loop, NULL, NULL), 0);
	fake_bank_open();
	ck_assert_int_eq(registry_init(&fake.reg, types, ARRAY_SIZE(types)), 0);
	ck_assert_int_eq(state_open(&fake.state, -1), 0);
	ck_assert_int_eq(engine_init(&fake.engine, &fake.loop, &fake.reg, &fake.state.image->ledger,
				     &fake_ops, &fake),
			 0);
}

static inline struct unit *fake_unit(const char *name)
{
	struct unit *u = registry_get(&fake.reg, name);

	ck_assert_ptr_nonnull(u);
	if (!u->config)
		ck_assert_int_eq(fake_load(NULL, u), 0);
	return u;
}

/* Next request to PID 1 of that kind; those before it are passed over. */
static inline struct bank_req fake_request(enum bank_op op)
{
	struct bank_req q;

	do
		ck_assert_int_ge(recv(fake_pid1, &q, sizeof(q), MSG_DONTWAIT), (int)sizeof(q));
	while (q.op != op);
	return q;
}

static inline void fake_turns(unsigned n)
{
	while (n--)
		ck_assert_int_eq(loop_turn(&fake.loop, 0), 0);
}

/* How many events of that kind wait in the engine's queue. */
static inline unsigned fake_posted(enum event_kind kind)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < fake.engine.n; i++)
		n += fake.engine.queue[(fake.engine.head + i) % fake.engine.cap].kind == kind;
	return n;
}
