/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/state.h"
#include "suite.h"

static const char *const names[] = {"ssh.service", "cups.socket", "a.service"};

static struct state_unit unit_of(unsigned i, unsigned version)
{
	struct state_unit u;

	memset(&u, (int)(version * 16 + i), sizeof(u));
	u.type = (uint8_t)i;
	u.job_type = JOB_START;
	u.last_job_result = 0;
	u.job_cause = CAUSE_USER;
	u.main_slot = u.control_slot = u.notify_slot = u.conn_slot = (uint16_t)(i + 1);
	u.out_slot = 7;
	return u;
}

static void put_version(struct state_table *t, unsigned i, unsigned version)
{
	struct state_unit u = unit_of(i, version);

	state_put(t, i + 1, &u);
	state_commit(t);
}

static void fill(struct state_table *t)
{
	ck_assert_int_eq(state_open(t, -1), 0);
	ck_assert(!t->was_adopted);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		uint32_t slot = state_slot_of(t, names[i]);

		ck_assert_uint_eq(slot, i + 1);
		for (unsigned version = 1; version <= 3; version++)
			put_version(t, i, version);
	}
}

START_TEST(what_was_put_is_found)
{
	struct state_table t;
	struct state_unit got, want = unit_of(1, 3);

	fill(&t);
	ck_assert_uint_eq(state_slot_of(&t, "cups.socket"), 2);
	ck_assert_uint_eq(state_find(&t, "nobody.service"), 0);
	ck_assert_str_eq(state_name(&t, 2), "cups.socket");
	ck_assert_ptr_null(state_name(&t, 0));
	ck_assert_ptr_null(state_name(&t, 4));
	ck_assert_int_eq(state_get(&t, 2, &got), 0);
	ck_assert_mem_eq(&got, &want, sizeof(got));
	ck_assert_int_eq(state_get(&t, 9, &got), -ENOENT);
	state_close(&t);
}
END_TEST

START_TEST(a_new_manager_finds_it)
{
	struct state_table t, again;
	struct state_unit got, want = unit_of(2, 3);

	fill(&t);
	ck_assert_int_eq(state_open(&again, fcntl(t.fd, F_DUPFD_CLOEXEC, 3)), 0);
	state_close(&t); /* the old one is gone */
	ck_assert(again.was_adopted);
	ck_assert_int_eq(state_get(&again, state_slot_of(&again, "a.service"), &got), 0);
	ck_assert_mem_eq(&got, &want, sizeof(got));
	ck_assert_uint_eq(state_slot_of(&again, "new.service"), 4);
	state_close(&again);
}
END_TEST

START_TEST(only_what_is_used_takes_memory)
{
	struct state_table t;
	struct stat st;

	fill(&t);
	ck_assert_int_eq(fstat(t.fd, &st), 0);
	ck_assert_int_gt(st.st_size, 16 * 1024 * 1024);
	ck_assert_int_le(st.st_blocks * 512, 64 * 1024);
	state_close(&t);
}
END_TEST

START_TEST(size_is_sealed)
{
	struct state_table t;
	int plain = memfd_create("plain", MFD_CLOEXEC);

	fill(&t);
	ck_assert_int_lt(ftruncate(t.fd, 0), 0);
	state_close(&t);
	ck_assert_int_eq(ftruncate(plain, sizeof(struct state_image)), 0);
	ck_assert_int_eq(state_open(&t, plain), -EBADMSG);
	ck_assert_int_ge(fcntl(plain, F_GETFD), 0); /* still the caller's */
}
END_TEST

/* Cut off at any length, or longer: refused before anything of it is mapped. */
START_TEST(any_other_size_is_refused)
{
	struct state_table t;
	unsigned tried = 0;

	for (size_t n = 0; n < 2 * sizeof(struct state_image); n += n < 4096 ? 7 : 99991) {
		int fd = memfd_create("cut", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
		if (n != sizeof(struct state_image))
			ck_assert_int_eq(state_open(&t, fd), -EBADMSG);
		close(fd);
		tried++;
	}
	printf("state: %u sizes refused\n", tried);
}
END_TEST

/* Each unit is as it was put last, or not known, or said to be damaged: never an older one, a mixture or another unit's. */
static void check_whole(int fd)
{
	struct state_table t;

	if (state_open(&t, fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
		return;
	for (uint32_t slot = 0; slot <= ARRAY_SIZE(names) + 1; slot++) {
		const char *name = state_name(&t, slot);
		struct state_unit got;
		bool is_known = false;

		if (state_get(&t, slot, &got) < 0)
			continue;
		ck_assert_ptr_nonnull(name);
		for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
			struct state_unit u = unit_of(i, 3);

			is_known |= !strcmp(name, names[i]) && !memcmp(&u, &got, sizeof(u));
		}
		ck_assert(is_known);
	}
	ck_assert_uint_gt(state_slot_of(&t, "more.service"), 0);
	state_close(&t);
}

START_TEST(any_byte_may_be_wrong)
{
	struct state_table t;
	struct {
		size_t from, n;
		char saved[8192];
	} parts[] = {
		{0, offsetof(struct state_image, form) + 64, ""},
		{offsetof(struct state_image, form.words) + 1000, 64, ""},
		{offsetof(struct state_image, slot), 4 * sizeof(struct state_slot), ""},
		{offsetof(struct state_image, names), 96, ""},
		{offsetof(struct state_image, ledger), 256, ""},
	};
	char *image;

	fill(&t);
	image = (char *)t.image;
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		ck_assert_uint_le(parts[i].n, sizeof(parts[i].saved));
		memcpy(parts[i].saved, image + parts[i].from, parts[i].n);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		for (size_t at = 0; at < parts[i].n; at++)
			for (unsigned flip = 1; flip < 256; flip = flip * 4 + 3) {
				image[parts[i].from + at] ^= (char)flip;
				check_whole(t.fd);
				for (unsigned k = 0; k < ARRAY_SIZE(parts); k++)
					memcpy(image + parts[k].from, parts[k].saved, parts[k].n);
			}
	state_close(&t);
}
END_TEST

/* The first was not touched by the transaction. */
/* A form that is ours but for a byte costs nothing. */
START_TEST(a_wrong_byte_in_the_form_is_mended)
{
	struct state_table t, next;
	struct state_unit u;

	fill(&t);
	for (unsigned i = 0; i < 2; i++) {
		if (i)
			t.image->form.field[3].at ^= 1;
		else
			t.image->form_sum ^= 1;
		ck_assert_int_eq(state_open(&next, fcntl(t.fd, F_DUPFD_CLOEXEC, 3)), 0);
		ck_assert(!next.is_new_form);
		ck_assert_int_eq(state_get(&next, 1, &u), 0);
		ck_assert_uint_eq(next.damaged_n, 0);
		state_close(&next);
		ck_assert_uint_eq(t.image->form_sum,
				  form_sum_of(&t.image->form, sizeof(t.image->form)));
	}
	state_close(&t);
}
END_TEST

static void check_pair(const struct state_table *t, unsigned version)
{
	for (unsigned i = 0; i < 2; i++) {
		struct state_unit got, want = unit_of(i, i ? version : 2);

		ck_assert_int_eq(state_get(t, i + 1, &got), 0);
		ck_assert_mem_eq(&got, &want, sizeof(got));
	}
}

/* A copy of the image as a new manager finds it. */
static void check_successor(const struct state_table *t, unsigned version)
{
	struct state_table next;

	ck_assert_int_eq(state_open(&next, fcntl(t->fd, F_DUPFD_CLOEXEC, 3)), 0);
	check_pair(&next, version);
	ck_assert_uint_eq(next.damaged_n, 0);
	state_close(&next);
}

/*
 * Death after any byte of a transaction over two units, one of them new: all is as before it. What is written in which order is
 * what put() says: what there was, then its number; whether there was nothing, the number of the transaction, the rest.
 */
struct write {
	void *at;
	const void *from;
	size_t n;
};

static size_t perform(const struct write *writes, unsigned writes_n, size_t most)
{
	size_t done = 0;

	for (unsigned i = 0; i < writes_n; i++)
		for (size_t at = 0; at < writes[i].n && done < most;) {
			/* A stamp is one word. */
			size_t n = writes[i].n == sizeof(uint64_t) ? writes[i].n : 1;

			memcpy((char *)writes[i].at + at, (const char *)writes[i].from + at, n);
			at += n;
			done += n;
		}
	return done;
}

START_TEST(any_instant_may_be_the_last)
{
	struct state_table t;
	struct state_slot before[3], after[3], *slot;
	struct state_undo before_undo, after_undo, *undo;
	size_t most = 0, done;
	unsigned tried = 0;
	bool is_more;

	ck_assert_int_eq(state_open(&t, -1), 0);
	slot = t.image->slot;
	undo = t.image->undo;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(state_slot_of(&t, names[i]), i + 1);
	for (unsigned version = 1; version <= 2; version++)
		for (unsigned i = 0; i < 2; i++)
			put_version(&t, i, version);
	memcpy(before, slot, sizeof(before));
	before_undo = *undo;
	for (unsigned i = 1; i < 3; i++) {
		struct state_unit u = unit_of(i, 3);

		state_put(&t, i + 1, &u);
		state_put(&t, i + 1, &u); /* again in the same transaction */
	}
	memcpy(after, slot, sizeof(after));
	after_undo = *undo;
	ck_assert_uint_eq(t.undo_n, 1);
	do {
		const struct write writes[] = {
			{&undo->slot, &after_undo.slot,
			 sizeof(*undo) - offsetof(struct state_undo, slot)},
			{&undo->stamp, &after_undo.stamp, sizeof(undo->stamp)},
			{&slot[1].copy.first, &after[1].copy.first, 4},
			{&slot[1].copy.stamp, &after[1].copy.stamp, sizeof(uint64_t)},
			{&slot[1].copy, &after[1].copy, sizeof(after[1].copy)},
			{&slot[2].copy.first, &after[2].copy.first, 4},
			{&slot[2].copy.stamp, &after[2].copy.stamp, sizeof(uint64_t)},
			{&slot[2].copy, &after[2].copy, sizeof(after[2].copy)},
		};
		struct state_unit got;

		memcpy(slot, before, sizeof(before));
		*undo = before_undo;
		done = perform(writes, ARRAY_SIZE(writes), most);
		check_successor(&t, 2);
		ck_assert_int_eq(state_get(&t, 3, &got), -ENOENT);
		tried++;
		is_more = done >= most;
		most = done + 1;
	} while (is_more);
	memcpy(slot, after, sizeof(after));
	state_commit(&t);
	check_successor(&t, 3);
	state_close(&t);
	printf("state: %u instants of a transaction\n", tried);
}
END_TEST

START_TEST(the_manager_is_remembered)
{
	struct state_table t;
	struct state_manager m = {.did_boot = 1, .final_command = 7}, got;

	ck_assert_int_eq(state_open(&t, -1), 0);
	ck_assert_int_eq(state_get_manager(&t, &got), -ENOENT);
	state_put_manager(&t, &m);
	ck_assert_int_eq(state_get_manager(&t, &got), -ENOENT); /* not committed */
	state_commit(&t);
	ck_assert_int_eq(state_get_manager(&t, &got), 0);
	ck_assert(got.did_boot && got.final_command == 7);
	state_close(&t);
}
END_TEST

START_TEST(a_text_is_whole_or_none)
{
	struct state_table t;
	struct state_text text = {.status_errno = 5, .status = "all is well"};
	uint32_t slot;

	ck_assert_int_eq(state_open(&t, -1), 0);
	slot = state_slot_of(&t, names[0]);
	ck_assert_ptr_null(state_get_text(&t, slot));
	state_put_text(&t, slot, &text);
	ck_assert_ptr_nonnull(state_get_text(&t, slot));
	ck_assert_str_eq(state_get_text(&t, slot)->status, "all is well");
	t.image->text[slot - 1].status[3] ^= 1;
	ck_assert_ptr_null(state_get_text(&t, slot));
	state_close(&t);
}
END_TEST

START_TEST(a_full_table_says_so)
{
	struct state_table t;
	char name[64];

	ck_assert_int_eq(state_open(&t, -1), 0);
	for (unsigned i = 0; i < STATE_SLOTS; i++) {
		snprintf(name, sizeof(name), "unit-%u.service", i);
		ck_assert_uint_eq(state_slot_of(&t, name), i + 1);
	}
	ck_assert_uint_eq(state_slot_of(&t, "one-too-many.service"), 0);
	ck_assert_uint_eq(state_slot_of(&t, "unit-77.service"), 78);
	ck_assert_uint_eq(state_slot_of(&t, ""), 0);
	state_close(&t);
}
END_TEST

/* Any allocation fails, or all from then on, of a life with a takeover: told, nothing lost, and right the next time. */
START_TEST(memory_may_be_short)
{
	unsigned failed = 0;
	struct state_table t;

	fill(&t);
	for (unsigned persists = 0; persists < 2; persists++)
		for (unsigned n = 1;; n++) {
			size_t live_n = mem_stats.live_n;
			int fd = fcntl(t.fd, F_DUPFD_CLOEXEC, 3), r;
			struct state_table next;
			uint32_t slot = 0;
			char name[32];

			snprintf(name, sizeof(name), "more-%u-%u.service", persists, n);
			mem_stats.fail_persists = persists;
			mem_stats.fail_at = mem_stats.total_n + n;
			r = state_open(&next, fd);
			if (r == 0)
				slot = state_slot_of(&next, name);
			mem_stats.fail_at = 0;
			if (r < 0) {
				ck_assert_int_eq(r, -ENOMEM);
				ck_assert_uint_eq(mem_stats.live_n, live_n);
				ck_assert_int_eq(state_open(&next, fd), 0);
			}
			for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
				struct state_unit got, want = unit_of(i, 3);

				ck_assert_int_eq(state_get(&next, i + 1, &got), 0);
				ck_assert_mem_eq(&got, &want, sizeof(got));
			}
			ck_assert_uint_eq(next.damaged_n, 0);
			ck_assert_uint_gt(state_slot_of(&next, name), 0);
			state_close(&next);
			if (r == 0 && slot)
				break;
			failed++;
		}
	ck_assert_uint_ge(failed, 4);
	state_close(&t);
	ck_assert_uint_eq(mem_stats.live_n, 0);
	printf("state: %u failing allocations\n", failed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("state");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_was_put_is_found);
	tcase_add_test(t, a_new_manager_finds_it);
	tcase_add_test(t, only_what_is_used_takes_memory);
	tcase_add_test(t, size_is_sealed);
	tcase_add_test(t, any_other_size_is_refused);
	tcase_add_test(t, any_byte_may_be_wrong);
	tcase_add_test(t, a_wrong_byte_in_the_form_is_mended);
	tcase_add_test(t, any_instant_may_be_the_last);
	tcase_add_test(t, the_manager_is_remembered);
	tcase_add_test(t, a_text_is_whole_or_none);
	tcase_add_test(t, a_full_table_says_so);
	tcase_add_test(t, memory_may_be_short);
	suite_add_tcase(s, t);
	return suite_run(s);
}
