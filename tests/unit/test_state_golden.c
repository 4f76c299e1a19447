/* SPDX-License-Identifier: MIT */
/* The images of tests/state/ (see the README there): that of our layout is read to the last field, all others are refused. */
#include <check.h>
#include <dirent.h>
#include <stdlib.h>

#include "core/state.h"
#include "suite.h"
#include "unit/state_image.h"

/* Every field has a value of its own. */
static struct state_unit unit_of(uint8_t type, uint8_t seed)
{
	struct state_unit u;
	uint8_t *p = (uint8_t *)&u;

	for (size_t i = 0; i < sizeof(u); i++)
		p[i] = (uint8_t)(seed + i);
	u.type = type;
	u.state = 5;
	u.job_type = JOB_RESTART;
	u.job_cause = CAUSE_USER;
	u.last_job_result = JOB_RES_FAILED;
	u.main_slot = 7;
	u.control_slot = 8;
	u.notify_slot = 9;
	u.out_slot = 10;
	u.conn_slot = 12;
	u.result = 1;
	u.reload_result = 2;
	u.fx = FX_SPAWN_MAIN | FX_WATCH;
	u.flags = STATE_READY | STATE_HAS_TEXT;
	return u;
}

static const struct {
	const char *name;
	uint8_t type, seed;
} units[] = {{"ssh.service", UNIT_SERVICE, 3}, {"cups.socket", UNIT_SOCKET, 40}};
static const struct state_manager manager = {.did_boot = 1,
					     .is_ending = 1,
					     .final_command = 0x1234567,
					     .exit_code = 3,
					     .ready_us = 99,
					     .looked_us = 77};
static const struct state_text text = {
	.status_errno = 5, .remote = "10.0.0.7:51344", .status = "listening"};

START_TEST(an_image_is_written)
{
	struct state_table t;
	struct state_text words = text;
	char name[32];

	ck_assert_int_eq(state_open(&t, -1), 0);
	for (unsigned version = 0; version < 2; version++) {
		for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
			struct state_unit u =
				unit_of(units[i].type, (uint8_t)(units[i].seed + !version));

			state_put(&t, state_slot_of(&t, units[i].name), &u);
		}
		state_put_manager(&t, &manager);
		state_commit(&t);
	}
	state_put_text(&t, 1, &words);
	snprintf(name, sizeof(name), "layout-%d.image", STATE_LAYOUT);
	image_write(name, t.image, sizeof(*t.image));
	state_close(&t);
}
END_TEST

static void check_ours(struct state_table *t)
{
	const size_t fields = offsetof(struct state_unit, exit_code) + 1; /* then comes padding */
	struct state_manager m;

	ck_assert_uint_eq(t->damaged_n, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		struct state_unit want = unit_of(units[i].type, units[i].seed), got;

		ck_assert_int_eq(state_get(t, state_find(t, units[i].name), &got), 0);
		ck_assert_mem_eq(&got, &want, fields);
	}
	ck_assert_int_eq(state_get_manager(t, &m), 0);
	ck_assert_mem_eq(&m, &manager, sizeof(m));
	ck_assert_ptr_nonnull(state_get_text(t, 1));
	ck_assert_str_eq(state_get_text(t, 1)->status, text.status);
	ck_assert_str_eq(state_get_text(t, 1)->remote, text.remote);
}

START_TEST(images_of_every_layout)
{
	DIR *d = opendir(image_dir);
	unsigned ours = 0, others = 0;

	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e; (e = readdir(d));) {
		int layout, fd, r;
		struct state_table t;

		if (sscanf(e->d_name, "layout-%d.image", &layout) != 1)
			continue;
		fd = image_read(e->d_name);
		r = state_open(&t, fd);
		if (layout == STATE_LAYOUT) {
			ck_assert_int_eq(r, 0);
			check_ours(&t);
			state_close(&t);
			ours++;
		} else {
			ck_assert_int_eq(r, -EBADMSG);
			close(fd);
			others++;
		}
	}
	closedir(d);
	ck_assert_uint_eq(ours, 1);
	ck_assert_uint_ge(others, 1);
	printf("state: %u image of our layout read, %u of others refused\n", ours, others);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state_golden");
	TCase *t = tcase_create("state_golden");

	tcase_set_timeout(t, 60);
	if (getenv("HARK_WRITE_GOLDEN"))
		tcase_add_test(t, an_image_is_written);
	tcase_add_test(t, images_of_every_layout);
	suite_add_tcase(s, t);
	return suite_run(s);
}
