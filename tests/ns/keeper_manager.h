/* SPDX-License-Identifier: MIT */
/* keeper_test in the manager's place: what it has asked of PID 1 and heard from it. */
#pragma once

#include "core/bank_client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "core/plan.h"

enum { WAIT_US = 20 * 1000 * 1000, PLAN_ROOM = 4096 };

static struct loop loop;
static struct bank bank;
static char self[PATH_MAX];
static struct bank_note last[BANK_NOTE_COUNT][BANK_SLOTS]; /* newest of each kind for each slot */
static unsigned seen[BANK_NOTE_COUNT][BANK_SLOTS];
static bool want_acks;
static unsigned acks_n;
static int failed;

static void check(bool ok, const char *name, const char *why)
{
	printf(ok ? "ok %s\n" : "not ok %s: %s\n", name, why);
	fflush(stdout);
	failed |= !ok;
}

static void on_note(struct bank *b, const struct bank_note *note)
{
	last[note->kind][note->slot] = *note;
	seen[note->kind][note->slot]++;
	if (want_acks && note->kind == BANK_NOTE_EXIT) {
		acks_n++;
		if (bank_ack(b, note->slot, note->token) < 0)
			exit(70);
	}
}

static bool wait_note(enum bank_note_kind kind, uint32_t slot)
{
	uint64_t end_us = loop_now_us(&loop) + WAIT_US;

	while (!seen[kind][slot] && loop_now_us(&loop) < end_us)
		if (loop_turn(&loop, 100000) < 0)
			return false;
	return seen[kind][slot] > 0;
}

static uint32_t new_slot(void)
{
	int slot = bank_take(&bank);

	if (slot < 0)
		exit(71);
	for (unsigned kind = 0; kind < BANK_NOTE_COUNT; kind++)
		seen[kind][slot] = 0;
	return (uint32_t)slot;
}

/* Start `path word arg` in a new slot. */
static uint32_t start(const char *path, const char *word, const char *arg, const int32_t *refs,
		      uint32_t refs_n, uint32_t flags, int cgroup_fd)
{
	char bytes[PLAN_ROOM];
	struct wbuf w = {.p = bytes, .cap = sizeof(bytes)};
	struct bank_spawn s = {
		.slot = new_slot(), .token = bank_token(&bank), .name = word ? word : path};

	plan_put_str(&w, PLAN_SETSID, STR(""));
	plan_put_str(&w, PLAN_ARG, str_of(path));
	if (word)
		plan_put_str(&w, PLAN_ARG, str_of(word));
	if (arg)
		plan_put_str(&w, PLAN_ARG, str_of(arg));
	plan_put_str(&w, PLAN_ENV_PID, STR("LISTEN_PID="));
	plan_put_str(&w, PLAN_EXEC, str_of(path));
	s.cgroup_fd = cgroup_fd;
	s.flags = flags;
	s.refs = refs;
	s.refs_n = refs_n;
	s.plan = (struct str){bytes, w.n};
	if (w.bad || plan_check(bytes, w.n) < 0 || bank_spawn(&bank, &s) < 0)
		exit(72);
	return s.slot;
}

static int32_t out_slot = -1;

static uint32_t start_self(const char *word, const char *arg, uint32_t flags)
{
	int32_t refs[] = {-1, out_slot, out_slot};

	return start(self, word, arg, refs, 3, flags, -1);
}

static int finish(uint32_t slot)
{
	struct bank_note *exit_note = &last[BANK_NOTE_EXIT][slot];

	if (!wait_note(BANK_NOTE_EXIT, slot))
		return -1;
	if (bank_ack(&bank, slot, exit_note->token) < 0)
		return -2;
	return exit_note->code == CLD_EXITED ? exit_note->status : 1000 + exit_note->status;
}
