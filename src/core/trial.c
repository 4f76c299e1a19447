/* SPDX-License-Identifier: MIT */
#include "core/trial.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "core/bank_client.h"
#include "core/fd.h"
#include "core/plan.h"
#include "core/reexec.h"

enum { LOOK_AGAIN_US = 2000 };

static struct trial {
	struct loop loop;
	struct bank bank;
	uint64_t token;
	bool is_over, is_good; /* the process has ended, as it should */
} trial;

static void on_note(struct bank *b, const struct bank_note *note)
{
	struct trial *t = container_of(b, struct trial, bank);

	if (note->token != t->token || (note->kind != BANK_NOTE_EXIT && note->err >= 0))
		return;
	t->is_over = true;
	t->is_good = note->kind == BANK_NOTE_EXIT && note->code == CLD_EXITED &&
		     note->status == BANK_LAYOUT && bank_ack(b, note->slot, note->token) == 0;
}

static void on_gone(struct bank *b)
{
	loop_exit(b->loop, 0);
}

static bool turn(struct trial *t)
{
	return loop_turn(&t->loop, LOOK_AGAIN_US) == 0 && !t->loop.want_exit;
}

/* In its place the same program, with all it had. */
static bool changes_programs(struct trial *t, const char *program)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, program, O_RDONLY, 0);
	const volatile struct bank_table *table = t->bank.table;

	if (fd < 0 || bank_reexec(&t->bank, fd) < 0)
		return false;
	while (!table->reexecs && turn(t))
		continue;
	return table->lives == 2 && !table->reexec_err && !table->faults;
}

static bool keeps_a_process(struct trial *t, const char *program)
{
	char bytes[128];
	struct wbuf plan = {.p = bytes, .cap = sizeof(bytes)};
	int slot = bank_take(&t->bank);
	struct bank_spawn s = {.slot = (uint32_t)slot, .name = "trial/process", .cgroup_fd = -1};

	if (slot < 0)
		return false;
	plan_put_str(&plan, PLAN_ARG, STR("hark-init"));
	plan_put_str(&plan, PLAN_ARG, STR("--layout"));
	plan_put_str(&plan, PLAN_EXEC, str_of(program));
	s.plan = (struct str){plan.p, plan.n};
	s.token = t->token = bank_token(&t->bank);
	if (bank_spawn(&t->bank, &s) < 0)
		return false;
	while (!t->is_over && turn(t))
		continue;
	return t->is_good;
}

int trial_run(const char *program)
{
	struct trial *t = &trial;
	bool is_good;

	t->bank.on_note = on_note;
	t->bank.on_gone = on_gone;
	if (loop_init(&t->loop, NULL, NULL) < 0 || bank_open(&t->bank, &t->loop) < 0)
		return SELF_TEST_LIFE;
	is_good = changes_programs(t, program) && keeps_a_process(t, program);
	if (bank_final(&t->bank, is_good ? SELF_TEST_GOOD : SELF_TEST_LIFE, true, "", NULL) < 0)
		return SELF_TEST_LIFE;
	while (turn(t))
		continue;
	return 0;
}
