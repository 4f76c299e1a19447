/* SPDX-License-Identifier: MIT */
/* What an automount makes of requests and of what becomes of its mount unit, and what those who wait are told. */
#include "units/automount.h"

#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "core/graph.h"
#include "core/mem.h"
#include "suite.h"
#include "units/device_unit.h"
#include "units/load.h"
#include "units/mount_unit.h"
#include "units/passive.h"
#include "units/path.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

static struct registry reg;
static struct load load;
static struct automount_unit *point;
static struct unit *mount;

static struct unit *make(const char *name, const char *text)
{
	struct unit *u = registry_get(&reg, name);

	ck_assert_ptr_nonnull(u);
	ck_assert_int_eq(load_unit_text(&load, name, "/test/unit", str_of(text), &u->config), 0);
	ck_assert_int_eq(graph_attach(&reg, u), 0);
	return u;
}

static void setup(void)
{
	static const struct unit_type_ops *const types[] = {
		&service_ops, &socket_ops, &target_ops,    &slice_ops, &mount_ops,
		&timer_ops,   &device_ops, &automount_ops, &swap_ops,  &path_ops,
	};

	ck_assert_int_eq(registry_init(&reg, types, ARRAY_SIZE(types)), 0);
	ck_assert_int_eq(load_init(&load, "/nonexistent", ""), 0);
	make("fsck.service", "[Service]\nExecStart=/bin/true\n");
	mount = make("srv.mount", "[Unit]\nDefaultDependencies=no\nRequires=fsck.service\n"
				  "[Mount]\nWhat=/dev/sda\nType=ext4\nTimeoutSec=5\n");
	make("dev-sda.device", "");
	point = automount_of(make("srv.automount", "[Unit]\nDefaultDependencies=no\n"
						   "[Automount]\nTimeoutIdleSec=30\n"));
	point->reg = &reg;
}

/* The machine by itself: what follows from an event; the new state's own event is taken in, too. */
static const char *after(struct event e)
{
	for (e.unit = point->unit.id;; e = (struct event){.kind = EV_NOTHING}) {
		int event = automount_ops.classify(&point->unit, &e);
		const struct fsm_cell *c =
			event < 0 ? NULL
				  : fsm_cell(&automount_fsm, point->unit.state, (unsigned)event);
		uint8_t old = point->unit.state;

		if (!c)
			break;
		point->unit.state = (uint8_t)(c->go - 1);
		if (point->unit.state == old || automount_ops.entered(&point->unit) == EV_NONE)
			break;
	}
	return unit_substate(&point->unit);
}

#define HEAR(...) after((struct event){__VA_ARGS__})

START_TEST(the_way_in_and_out)
{
	ck_assert_ptr_eq(automount_mount(point), mount);
	ck_assert_str_eq(HEAR(.kind = EV_START), "arming");
	ck_assert_str_eq(HEAR(.kind = EV_ARMED), "laying");
	ck_assert_str_eq(HEAR(.kind = EV_EXITED, .a = CLD_EXITED, .c = ROLE_CONTROL), "waiting");
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGER, .a = 7), "mounting");
	ck_assert_uint_eq(point->token, 7);
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGERED_ALIVE, .a = 1), "running");
	ck_assert_str_eq(HEAR(.kind = EV_TIMEOUT), "asking");
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGER, .a = 8, .b = 1), "expiring");
	ck_assert_uint_eq(point->token, 7); /* that is of who wants in */
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGERED_DEAD), "waiting");
	ck_assert_str_eq(HEAR(.kind = EV_EXITED, .a = CLD_EXITED, .c = ROLE_CONTROL), "waiting");
	ck_assert_str_eq(HEAR(.kind = EV_STOP), "removing");
	ck_assert_str_eq(HEAR(.kind = EV_EXITED, .a = CLD_EXITED, .c = ROLE_CONTROL), "dead");
}
END_TEST

START_TEST(a_point_that_is_stopped)
{
	static const uint8_t armed[] = {AUTO_WAITING, AUTO_MOUNTING, AUTO_RUNNING,
					AUTO_LEAVING, AUTO_ASKING,   AUTO_EXPIRING};

	/* What may have to be written back is hark-mount's to take away; one that still asks has to be gone first. */
	for (size_t i = 0; i < ARRAY_SIZE(armed); i++) {
		point->unit.state = armed[i];
		point->control.slot = 1;
		ck_assert_str_eq(HEAR(.kind = EV_STOP), "abandoning");
		ck_assert_str_eq(HEAR(.kind = EV_EXITED, .a = CLD_KILLED, .b = 9,
				      .c = ROLE_CONTROL),
				 "removing");
		point->control.slot = 1;
		ck_assert_str_eq(HEAR(.kind = EV_TRIGGERED_DEAD), "removing");
		ck_assert_str_eq(HEAR(.kind = i % 2 ? EV_TIMEOUT : EV_SPAWN_FAILED), "dead");
	}
}
END_TEST

START_TEST(a_point_that_cannot_be_laid)
{
	point->unit.state = AUTO_LAYING;
	point->control.slot = 1;
	ck_assert_str_eq(HEAR(.kind = EV_EXITED, .a = CLD_EXITED, .b = 81, .c = ROLE_CONTROL),
			 "failed");
	ck_assert_uint_eq(point->result, ARES_RESOURCES);
	point->unit.state = AUTO_LAYING;
	ck_assert_str_eq(HEAR(.kind = EV_SPAWN_FAILED), "failed");
	point->unit.state = AUTO_LAYING;
	point->control.slot = 1;
	ck_assert_str_eq(HEAR(.kind = EV_TIMEOUT), "failed");
	ck_assert_str_eq(point->fail_text,
			 "no mount point can be made: the path to it does not answer");
	/* Stopped meanwhile: it may be laid until its process is gone. */
	point->unit.state = AUTO_LAYING;
	ck_assert_str_eq(HEAR(.kind = EV_STOP), "abandoning");
	ck_assert_str_eq(HEAR(.kind = EV_EXITED, .a = CLD_KILLED, .b = 9, .c = ROLE_CONTROL),
			 "removing");
	point->unit.state = AUTO_LAYING;
	ck_assert_str_eq(HEAR(.kind = EV_STOP), "removing");
}
END_TEST

START_TEST(who_comes_while_it_goes)
{
	point->unit.state = AUTO_RUNNING;
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGER, .a = 9), "leaving");
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGERED_DEAD), "waiting");
	/* Nobody has failed yet: the request is looked at again. */
	ck_assert_int_eq(point->err, 0);
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGER, .a = 9), "mounting");
	/* It comes to rest from what it did before, and is to start after that. */
	mount->work->job.id = 3;
	mount->work->job.type = JOB_START;
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGERED_DEAD), "mounting");
	mount->work->job.id = 0;
	ck_assert_str_eq(HEAR(.kind = EV_TIMEOUT), "waiting");
	ck_assert_int_eq(point->err, ETIMEDOUT);
}
END_TEST

START_TEST(one_that_is_needed_is_not_asked)
{
	struct unit *user = make("user.service", "[Unit]\nRequires=srv.mount\n"
						 "[Service]\nExecStart=/bin/true\n");

	point->unit.state = AUTO_RUNNING;
	user->state = SVC_RUNNING;
	ck_assert_str_eq(HEAR(.kind = EV_TIMEOUT), "running");
	user->state = SVC_DEAD;
	ck_assert_str_eq(HEAR(.kind = EV_TIMEOUT), "asking");
	/* It is needed by one that comes before the kernel's answer. */
	user->work->job.id = 5;
	user->work->job.type = JOB_START;
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGER, .a = 8, .b = 1), "running");
	user->work->job.id = 0;
	/* The one before has not ended. */
	point->unit.state = AUTO_RUNNING;
	point->control.slot = 4;
	ck_assert_str_eq(HEAR(.kind = EV_TIMEOUT), "running");
}
END_TEST

static int told(enum job_result result)
{
	mount->last_job_result = (uint8_t)result;
	point->unit.state = AUTO_MOUNTING;
	ck_assert_str_eq(HEAR(.kind = EV_TRIGGERED_DEAD), "waiting");
	return point->err;
}

START_TEST(what_a_helper_said_is_told)
{
	static const struct {
		const char *words;
		int err;
	} helpers[] = {
		{"cannot mount a:/b on /srv (type nfs): mount failed; mount.nfs: Connection timed out",
		 ETIMEDOUT},
		{"cannot mount a:/b on /srv (type nfs): mount failed; mount.nfs: access denied by server while mounting a:/b",
		 EACCES},
		{"cannot mount //a/b on /srv (type cifs): mount failed; mount error(113): No route to host",
		 EHOSTUNREACH},
		{"mount.nfs: Failed to resolve server a: Name or service not known", EHOSTUNREACH},
		{"cannot mount x on /srv: No such device or address", ENXIO},
		{"cannot mount x on /srv: No such file or directory; fuse: Permission denied",
		 EACCES},
		{"cannot mount x on /srv: it did not work", ENODEV},
	};
	struct mount_unit *m = mount_of(mount);

	m->result = MRES_EXIT_CODE;
	m->control.status = 1;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		mem_put((void *)(uintptr_t)m->fail_text);
		m->fail_text = mem_dup(helpers[i].words, strlen(helpers[i].words));
		ck_assert_int_eq(told(JOB_RES_FAILED), helpers[i].err);
	}
	m->control.status = MOUNT_EXIT_ERRNO + EBUSY;
	ck_assert_int_eq(told(JOB_RES_FAILED), EBUSY);
}
END_TEST

START_TEST(what_is_told)
{
	struct unit *device = registry_get(&reg, "dev-sda.device"),
		    *fsck = registry_get(&reg, "fsck.service");

	device->state = DEVICE_PLUGGED;
	fsck->state = SVC_RUNNING;
	mount->state = MNT_FAILED;
	ck_assert_int_eq(told(JOB_RES_FAILED), ENODEV);
	mount_of(mount)->result = MRES_EXIT_CODE;
	mount_of(mount)->control.status = MOUNT_EXIT_ERRNO + EACCES;
	ck_assert_int_eq(told(JOB_RES_FAILED), EACCES);
	mount_of(mount)->control.status = 1;
	ck_assert_int_eq(told(JOB_RES_FAILED), ENODEV);
	mount_of(mount)->result = MRES_TIMEOUT;
	ck_assert_int_eq(told(JOB_RES_FAILED), ETIMEDOUT);
	mount_of(mount)->result = MRES_SUCCESS;
	ck_assert_int_eq(told(JOB_RES_TIMEOUT), ETIMEDOUT);
	ck_assert_int_eq(told(JOB_RES_CANCELED), ECANCELED);
	ck_assert_int_eq(told(JOB_RES_SKIPPED), ENOENT);
	fsck->state = SVC_FAILED;
	ck_assert_int_eq(told(JOB_RES_DEPENDENCY), EIO);
	service_of(fsck)->result = RESULT_TIMEOUT;
	ck_assert_int_eq(told(JOB_RES_DEPENDENCY), ETIMEDOUT);
	fsck->state = SVC_RUNNING;
	device->state = 0;
	ck_assert_int_eq(told(JOB_RES_DEPENDENCY), ENODEV);
	mount->config->load = LOAD_MASKED;
	ck_assert_int_eq(told(JOB_RES_DONE), ENOENT);
}
END_TEST

START_TEST(a_failure_holds_the_others_off)
{
	uint64_t now_us = 100 * US_PER_SEC, sum_s = 0;

	for (unsigned n = 0; n < 8; n++) {
		automount_hold(point, now_us);
		sum_s += (point->hold_until_us - now_us) / US_PER_SEC;
	}
	ck_assert_uint_eq(sum_s, 1 + 2 + 4 + 8 + 16 + 32 + 64 + 64);
	ck_assert_ptr_nonnull(point->unit.status_note);
	point->unit.state = AUTO_WAITING;
	HEAR(.kind = EV_TRIGGERED_ALIVE, .a = 1);
	ck_assert_uint_eq(point->hold_until_us, 0);
	automount_hold(point, now_us);
	ck_assert_uint_eq(point->hold_until_us, now_us + US_PER_SEC);
	automount_ops.reset(&point->unit);
	ck_assert_uint_eq(point->hold_until_us, 0);
}
END_TEST

static uint64_t timeout_in(uint8_t state)
{
	return automount_ops.timeout_us(&point->unit, automount_fsm.states[state].timeout);
}

START_TEST(how_long_they_wait)
{
	ck_assert_uint_eq(timeout_in(AUTO_MOUNTING), 95 * US_PER_SEC);
	mount->config->own->mount->timeout_us = TIME_NEVER;
	ck_assert_uint_eq(timeout_in(AUTO_MOUNTING), 180 * US_PER_SEC);
	ck_assert_uint_eq(timeout_in(AUTO_RUNNING), 10 * US_PER_SEC);
	point->unit.config->own->automount->idle_us = 0;
	ck_assert_uint_eq(timeout_in(AUTO_RUNNING), TIME_NEVER);
	ck_assert_uint_eq(timeout_in(AUTO_WAITING), TIME_NEVER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("automount");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_way_in_and_out);
	tcase_add_test(t, a_point_that_is_stopped);
	tcase_add_test(t, a_point_that_cannot_be_laid);
	tcase_add_test(t, who_comes_while_it_goes);
	tcase_add_test(t, one_that_is_needed_is_not_asked);
	tcase_add_test(t, what_is_told);
	tcase_add_test(t, what_a_helper_said_is_told);
	tcase_add_test(t, a_failure_holds_the_others_off);
	tcase_add_test(t, how_long_they_wait);
	suite_add_tcase(s, t);
	return suite_run(s);
}
