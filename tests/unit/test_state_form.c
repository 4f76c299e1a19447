/* SPDX-License-Identifier: MIT */
/*
 * Images of other forms: an older hark's, with fewer and smaller fields in another order and other numbers for the same words, and a
 * newer one's, with more of all. Both are made here by hand, from structs of their own; as they once were they lie in tests/state/.
 */
#include <check.h>
#include <stdlib.h>

#include "core/job.h"
#include "core/state.h"
#include "suite.h"
#include "unit/state_image.h"
#include "units/service.h"
#include "units/socket.h"

enum {
	ALIEN_SLOTS = 16,
	ALIEN_NAMES = 2048,
	ALIEN_RING = 8,
	ALIEN_MAGIC = 0x6b726168,
	COMMITS = 9
};

#define ROW(record, field, by, is_mask)                                                          \
	{                                                                                        \
#field, by, offsetof(struct record, field), sizeof(((struct record *)0)->field), \
			is_mask                                                                  \
	}

/* --- an older form --- */

enum { OLD_SOCKET, OLD_SERVICE };         /* type */
enum { OLD_DEAD, OLD_LISTENING };         /* state of a socket */
enum { OLD_STOP = 1, OLD_START };         /* job_type */
enum { OLD_NOTE = 1, OLD_JOB, OLD_SONG }; /* kind of an entry */
enum { OLD_RUNNING = 2, OLD_FX_SPAWN_MAIN = 2, OLD_FX_DANCE = 4 };
static const char old_words[] = "type\0socket\0service\0\0"
				"state service\0dead\0failed\0running\0\0"
				"state socket\0dead\0listening\0\0"
				"job_type\0none\0stop\0start\0\0"
				"fx\0ARM\0SPAWN_MAIN\0DANCE\0\0"
				"kind\0none\0note\0job\0song\0\0"
				"cause\0none\0user\0\0"
				"a job\0none\0stop\0start\0\0"
				"b job\0fail\0replace\0\0";

struct old_unit {
	uint8_t type, state, job_type, gone;
	uint16_t main_slot, n_restarts; /* 16 bits were enough */
	uint32_t fx;
	uint64_t main_token, state_us, retired;
};
static const struct form_row old_unit_rows[] = {
	ROW(old_unit, type, NULL, false),      ROW(old_unit, state, "type", false),
	ROW(old_unit, job_type, NULL, false),  ROW(old_unit, gone, NULL, false),
	ROW(old_unit, main_slot, NULL, false), ROW(old_unit, n_restarts, NULL, false),
	ROW(old_unit, fx, NULL, true),         ROW(old_unit, main_token, NULL, false),
	ROW(old_unit, state_us, NULL, false),  ROW(old_unit, retired, NULL, false),
};
struct old_manager {
	uint8_t did_boot;
};
static const struct form_row old_manager_rows[] = {ROW(old_manager, did_boot, NULL, false)};
struct old_entry {
	uint64_t seq;
	uint32_t unit;
	uint8_t kind, cause, a, b;
	uint32_t text, pad;
};
struct old_remark {
	uint64_t seq;
	char text[8];
};
static const struct form_row old_remark_rows[] = {ROW(old_remark, seq, NULL, false),
						  ROW(old_remark, text, NULL, false)};
static const struct form_row old_entry_rows[] = {
	ROW(old_entry, seq, NULL, false),  ROW(old_entry, unit, NULL, false),
	ROW(old_entry, kind, NULL, false), ROW(old_entry, cause, NULL, false),
	ROW(old_entry, a, "kind", false),  ROW(old_entry, b, "kind", false),
	ROW(old_entry, text, NULL, false),
};
struct old_text {
	uint32_t sum;
	char status[60];
};
static const struct form_row old_text_rows[] = {ROW(old_text, status, NULL, false)};

#define RECORD(f, what, record, rows) \
	form_record(f, what, sizeof(struct record), rows, ARRAY_SIZE(rows))

static void add_words(struct state_form *f, const char *words, size_t n)
{
	memcpy(f->words + f->words_n, words, n);
	f->words_n += (uint32_t)n;
}

static void old_form(struct state_form *f)
{
	RECORD(f, FORM_UNIT, old_unit, old_unit_rows);
	RECORD(f, FORM_MANAGER, old_manager, old_manager_rows);
	RECORD(f, FORM_ENTRY, old_entry, old_entry_rows);
	RECORD(f, FORM_REMARK, old_remark, old_remark_rows);
	RECORD(f, FORM_TEXT, old_text, old_text_rows);
	add_words(f, old_words, sizeof(old_words));
}

/* --- a newer form: ours, with more --- */

struct new_unit {
	uint64_t feature[4], n_restarts; /* 64 bits now */
	struct state_unit known;         /* but not where it was */
	uint8_t more[16];
};

/* Fields of ours at another place, new ones, and one more state before all others of a service. */
static void new_form(struct state_form *f)
{
	struct state_form *ours = calloc(1, sizeof(*ours));
	struct form_field *first = f->field;
	size_t at = 0, service;

	state_record_form(ours);
	state_record_form(f);
	f->record[FORM_UNIT].size = sizeof(struct new_unit);
	for (uint32_t i = 0; i < f->record[FORM_UNIT].n; i++)
		first[i].at += offsetof(struct new_unit, known);
	for (uint32_t i = 0; i < f->record[FORM_UNIT].n; i++)
		if (!strcmp(first[i].name, "n_restarts")) {
			first[i].at = offsetof(struct new_unit, n_restarts);
			first[i].size = sizeof(uint64_t);
		} else if (!strcmp(first[i].name, "last_wall_us")) { /* that one went */
			strcpy(first[i].name, "feature");
			first[i].at = 0;
		}
	while (strcmp(ours->words + at, "state service") != 0)
		at += strlen(ours->words + at) + 1;
	service = at + sizeof("state service");
	f->words_n = 0;
	add_words(f, ours->words, service);
	add_words(f, "resting", sizeof("resting"));
	add_words(f, ours->words + service, ours->words_n - service);
	free(ours);
}

/* --- an image with a form --- */

struct alien {
	struct state_image *head;
	size_t n;
	int fd;
};

static uint64_t stamp(uint64_t seq)
{
	return seq << 16 | (form_sum(ALIEN_MAGIC, &seq, sizeof(seq)) & 0xffff);
}

static char *at(const struct alien *a, size_t offset)
{
	return (char *)a->head + offset;
}

/* Parts in another order than ours, bodies of body_n bytes. */
static void make_alien(struct alien *a, void (*make)(struct state_form *), uint32_t body_n)
{
	struct state_form *f = calloc(1, sizeof(*f));
	uint32_t next = 8192;

	make(f);
	f->body_n = body_n;
	f->text_at = next;
	f->text_n = f->record[FORM_TEXT].size;
	next += ALIEN_SLOTS * f->text_n;
	f->ring_at = (next + 63) / 64 * 64;
	f->ring_n = ALIEN_RING;
	next = f->ring_at + ALIEN_RING * f->record[FORM_ENTRY].size;
	f->remarks_at = next;
	f->remarks_n = ALIEN_RING;
	next += ALIEN_RING * f->record[FORM_REMARK].size;
	f->names_at = next;
	f->names_n = ALIEN_NAMES;
	f->slot_at = (next + ALIEN_NAMES + 63) / 64 * 64;
	f->slots_n = ALIEN_SLOTS;
	f->undo_at = f->slot_at + ALIEN_SLOTS * (FORM_SLOT_HEAD + FORM_COPY_HEAD + body_n);
	f->image_n = f->undo_at + ALIEN_SLOTS * (FORM_UNDO_HEAD + FORM_COPY_HEAD + body_n);
	a->n = f->image_n;
	a->fd = memfd_create("alien", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(ftruncate(a->fd, (off_t)a->n), 0);
	ck_assert_int_eq(fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	a->head = mmap(NULL, a->n, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	ck_assert_ptr_ne(a->head, MAP_FAILED);
	a->head->magic = ALIEN_MAGIC;
	a->head->layout = STATE_LAYOUT;
	a->head->names_n = 1;
	a->head->committed = stamp(COMMITS);
	a->head->form = *f;
	a->head->form_sum = form_sum_of(f, sizeof(*f));
	free(f);
}

static uint64_t *body(const struct alien *a, uint32_t slot)
{
	const struct state_form *f = &a->head->form;

	return (uint64_t *)(void *)at(
		a, f->slot_at + slot * (FORM_SLOT_HEAD + FORM_COPY_HEAD + f->body_n) +
			   FORM_SLOT_HEAD + FORM_COPY_HEAD);
}

static const char *name_at(const struct alien *a, uint32_t slot)
{
	const uint32_t *s =
		(const void *)((const char *)body(a, slot) - FORM_COPY_HEAD - FORM_SLOT_HEAD);

	return at(a, a->head->form.names_at + s[0]);
}

static void add_unit(const struct alien *a, uint32_t slot, const char *name)
{
	uint32_t *s = (void *)((char *)body(a, slot) - FORM_COPY_HEAD - FORM_SLOT_HEAD);

	s[0] = a->head->names_n;
	s[1] = 3; /* generation */
	strcpy(at(a, a->head->form.names_at + s[0]), name);
	a->head->names_n += 128;
	a->head->slots_n = slot + 1;
}

static void put_body(const struct alien *a, uint32_t slot, uint64_t seq, const void *bytes,
		     size_t n)
{
	uint64_t *b = body(a, slot);
	const char *name = name_at(a, slot);

	memcpy(b, bytes, n);
	b[-2] = stamp(seq);
	*(uint32_t *)(void *)(b - 1) =
		(uint32_t)form_sum(form_sum(b[-2], name, strlen(name)), b, a->head->form.body_n);
}

/* A transaction that will never be committed overwrites the slot. */
static void overwrite(const struct alien *a, uint32_t slot, const void *bytes, size_t n)
{
	const struct state_form *f = &a->head->form;
	uint64_t *undo = (uint64_t *)(void *)at(a, f->undo_at);
	uint32_t number[2] = {slot + 1, 0};

	undo[0] = stamp(COMMITS + 1);
	number[1] = (uint32_t)form_sum(undo[0], number, sizeof(number[0]));
	memcpy(undo + 1, number, sizeof(number));
	memcpy(undo + 2, body(a, slot) - 2, FORM_COPY_HEAD + f->body_n);
	put_body(a, slot, COMMITS + 1, bytes, n);
}

static void put_text(const struct alien *a, uint32_t slot, const void *text)
{
	const struct state_form *f = &a->head->form;
	const char *name = name_at(a, slot);
	uint32_t *to = (void *)at(a, f->text_at + (size_t)slot * f->text_n);

	memcpy(to, text, f->text_n);
	*to = (uint32_t)form_sum(form_sum(ALIEN_MAGIC, name, strlen(name)), to + 1,
				 f->text_n - sizeof(*to));
}

static const struct old_unit old_ssh = {
	OLD_SERVICE, OLD_RUNNING, OLD_START, 7, 12, 345, OLD_FX_SPAWN_MAIN | OLD_FX_DANCE,
	99,          1234567,     5};
static const struct old_unit old_cups = {
	.type = OLD_SOCKET, .state = OLD_LISTENING, .main_token = 1};

static void make_older(struct alien *a)
{
	static const struct old_manager manager = {1};
	static const struct old_text text = {0, "listening"};
	struct old_unit stale = old_ssh;
	struct old_entry *e;

	make_alien(a, old_form, 64);
	/* No unit has the first slot any more: the others keep their places. */
	a->head->slots_n = 1;
	add_unit(a, 1, "ssh.service");
	put_body(a, 1, COMMITS, &old_ssh, sizeof(old_ssh));
	stale.n_restarts = 1;
	overwrite(a, 1, &stale, sizeof(stale));
	put_text(a, 1, &text);
	add_unit(a, 2, "cups.socket");
	put_body(a, 2, COMMITS, &old_cups, sizeof(old_cups));
	add_unit(a, 3, "hark");
	put_body(a, 3, 2, &manager, sizeof(manager));
	add_unit(a, 4, "damaged.service");
	put_body(a, 4, 3, &old_ssh, sizeof(old_ssh));
	body(a, 4)[0] ^= 256;
	e = (struct old_entry *)(void *)at(a, a->head->form.ring_at);
	e[1] = (struct old_entry){1, 2 | 3 << 16, OLD_JOB, 1, OLD_START, 1, 3, 0};
	e[2] = (struct old_entry){2, 2 | 3 << 16, OLD_SONG, 1, 0, 0, 0, 0};
	e[3] = (struct old_entry){3, 2 | 3 << 16, OLD_NOTE, 1, 0, 0, 0, 0};
	*(uint64_t *)(void *)at(a, a->head->form.ring_at - FORM_RING_HEAD) = 4;
	*(struct old_remark *)(void *)at(a,
					 a->head->form.remarks_at + 2 * sizeof(struct old_remark)) =
		(struct old_remark){1, "seven c"};
}

static void make_newer(struct alien *a)
{
	static const struct state_text text = {
		.status_errno = 5, .remote = "10.0.0.7", .status = "all is well"};
	struct new_unit u = {.feature = {1, 2, 3, 4}, .n_restarts = 77, .more = {8}};

	make_alien(a, new_form, 512);
	u.known = (struct state_unit){.type = UNIT_SERVICE,
				      .state = SVC_RUNNING + 1,
				      .job_type = JOB_RELOAD,
				      .job_cause = CAUSE_USER,
				      .main_slot = 4,
				      .last_wall_us = 6,
				      .exit_status = -3,
				      .flags = STATE_READY | STATE_HAS_TEXT};
	add_unit(a, 0, "ssh.service");
	put_body(a, 0, COMMITS, &u, sizeof(u));
	put_text(a, 0, &text);
	u.known.state = 0; /* resting: we know no such state */
	add_unit(a, 1, "rests.service");
	put_body(a, 1, COMMITS, &u, sizeof(u));
	u.known.state = SVC_FAILED + 1;
	u.n_restarts = UINT64_C(1) << 40; /* more than we can say */
	add_unit(a, 2, "restless.service");
	put_body(a, 2, COMMITS, &u, sizeof(u));
}

static const struct {
	const char *name;
	void (*make)(struct alien *);
} aliens[] = {{"older.image", make_older}, {"newer.image", make_newer}};

START_TEST(images_are_written)
{
	for (unsigned i = 0; i < ARRAY_SIZE(aliens); i++) {
		struct alien a;

		aliens[i].make(&a);
		image_write(aliens[i].name, a.head, a.n);
	}
}
END_TEST

/* --- read --- */

static void take_over(struct state_table *t, int fd)
{
	ck_assert_int_eq(state_open(t, fd), 0);
	ck_assert(t->was_adopted && t->is_new_form && t->fd != fd);
	close(fd);
}

/* It goes on: what is put now is found by the next manager, of our form. */
static void goes_on(struct state_table *t)
{
	struct state_unit u = {.type = UNIT_SERVICE, .state = SVC_FAILED, .n_restarts = 3}, got;
	struct state_table next;

	state_put(t, state_slot_of(t, "more.service"), &u);
	state_put(t, state_find(t, "ssh.service"), &u);
	state_commit(t);
	ck_assert_int_eq(state_open(&next, fcntl(t->fd, F_DUPFD_CLOEXEC, 3)), 0);
	ck_assert(!next.is_new_form);
	ck_assert_int_eq(state_get(&next, state_find(&next, "ssh.service"), &got), 0);
	ck_assert_mem_eq(&got, &u, sizeof(u));
	ck_assert_int_eq(state_get(&next, state_find(&next, "more.service"), &got), 0);
	state_close(&next);
}

static void check_older(int fd)
{
	struct state_table t;
	struct state_manager m;
	struct state_unit u;
	uint32_t ssh;

	take_over(&t, fd);
	ck_assert_uint_eq(t.damaged_n, 1);
	ssh = state_find(&t, "ssh.service");
	ck_assert_uint_eq(ssh, 2 | 3 << 16);
	ck_assert_int_eq(state_get(&t, ssh, &u), 0);
	ck_assert(u.type == UNIT_SERVICE && u.state == SVC_RUNNING && u.job_type == JOB_START);
	ck_assert(u.main_slot == 12 && u.n_restarts == 345 && u.main_token == 99 &&
		  u.state_us == 1234567);
	ck_assert_uint_eq(u.fx, FX_SPAWN_MAIN); /* nobody here can dance */
	ck_assert(u.control_slot == 0 && u.timer_us == 0 && u.flags == 0);
	ck_assert_str_eq(state_get_text(&t, ssh)->status, "listening");
	ck_assert_int_eq(state_get(&t, state_find(&t, "cups.socket"), &u), 0);
	ck_assert(u.type == UNIT_SOCKET && u.state == SOCK_LISTENING && u.n_restarts == 0);
	ck_assert_int_eq(state_get(&t, state_find(&t, "damaged.service"), &u), -EBADMSG);
	ck_assert_int_eq(state_get_manager(&t, &m), 0);
	ck_assert(m.did_boot && !m.is_ending);
	ck_assert_uint_eq(t.image->ledger.next, 4);
	ck_assert_uint_eq(ledger_get(&t.image->ledger, 1)->kind, LEDGER_JOB);
	ck_assert_uint_eq(ledger_get(&t.image->ledger, 1)->a, JOB_START);
	ck_assert_uint_eq(ledger_get(&t.image->ledger, 1)->b, MODE_REPLACE);
	ck_assert_uint_eq(ledger_get(&t.image->ledger, 1)->unit, ssh);
	ck_assert_ptr_null(ledger_get(&t.image->ledger, 2)); /* nor sing */
	ck_assert_str_eq(ledger_text(&t.image->ledger, ledger_get(&t.image->ledger, 1)), "seven c");
	ck_assert_str_eq(ledger_text(&t.image->ledger, ledger_get(&t.image->ledger, 3)), "");
	ck_assert_uint_eq(state_next_commit(&t), COMMITS + 1);
	goes_on(&t);
	state_close(&t);
}

static void check_newer(int fd)
{
	struct state_table t;
	struct state_unit u;

	take_over(&t, fd);
	ck_assert_int_eq(state_get(&t, state_find(&t, "ssh.service"), &u), 0);
	ck_assert(u.type == UNIT_SERVICE && u.state == SVC_RUNNING && u.job_type == JOB_RELOAD);
	ck_assert(u.n_restarts == 77 && u.main_slot == 4 && u.exit_status == -3 &&
		  u.last_wall_us == 0);
	ck_assert_uint_eq(u.flags, STATE_READY | STATE_HAS_TEXT);
	ck_assert_str_eq(state_get_text(&t, state_find(&t, "ssh.service"))->remote, "10.0.0.7");
	ck_assert_int_eq(state_get(&t, state_find(&t, "rests.service"), &u), -EBADMSG);
	ck_assert_int_eq(state_get(&t, state_find(&t, "restless.service"), &u), -EBADMSG);
	ck_assert_int_eq(state_get(&t, state_slot_of(&t, "new.service"), &u), -ENOENT);
	goes_on(&t);
	state_close(&t);
}

START_TEST(an_older_form_is_read)
{
	struct alien a;

	make_older(&a);
	check_older(a.fd);
	check_older(image_read("older.image"));
}
END_TEST

START_TEST(a_newer_form_is_read)
{
	struct alien a;

	make_newer(&a);
	check_newer(a.fd);
	check_newer(image_read("newer.image"));
}
END_TEST

/* From the old hark to this one and back: the old one finds what it knew. */
START_TEST(there_and_back)
{
	struct state_form *old = calloc(1, sizeof(*old));
	struct form_reading back;
	struct state_table t;
	struct old_unit u, want = old_ssh;
	struct old_entry e;
	struct alien a;

	make_older(&a);
	take_over(&t, a.fd);
	old_form(old);
	ck_assert_int_eq(form_read(&back, (const char *)t.image, sizeof(*t.image),
				   offsetof(struct state_image, form), old),
			 0);
	ck_assert(form_take(&back, FORM_UNIT, &t.image->slot[1].copy.u, &u));
	want.gone = 0;
	want.retired = 0;
	want.fx = OLD_FX_SPAWN_MAIN;
	ck_assert_mem_eq(&u, &want, sizeof(u));
	ck_assert(form_take(&back, FORM_ENTRY, ledger_get(&t.image->ledger, 1), &e));
	ck_assert(e.kind == OLD_JOB && e.a == OLD_START && e.b == 1);
	state_close(&t);
	free(old);
}
END_TEST

/* --- damaged --- */

/* Whatever it is: refused, or it serves. */
static void try(const struct alien *a)
{
	struct state_table t;
	struct state_unit u;
	int fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 3);

	if (state_open(&t, fd) < 0) {
		close(fd);
		return;
	}
	for (uint32_t i = 0; i < t.image->slots_n; i++)
		(void)!state_get(&t, state_at(&t, i), &u);
	u = (struct state_unit){.n_restarts = 7};
	state_put(&t, state_slot_of(&t, "more.service"), &u);
	state_commit(&t);
	ck_assert_int_eq(state_get(&t, state_find(&t, "more.service"), &u), 0);
	ck_assert_uint_eq(u.n_restarts, 7);
	if (t.is_new_form)
		close(fd);
	state_close(&t);
}

/* Any byte of the form is wrong, and its sum is or is not: never more than a refused image. */
START_TEST(any_form)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(aliens); i++) {
		struct state_image *saved = malloc(sizeof(*saved));
		struct alien a;
		size_t end;

		aliens[i].make(&a);
		end = offsetof(struct state_image, form.words) + a.head->form.words_n;
		memcpy(saved, a.head, end);
		for (size_t byte = offsetof(struct state_image, slots_n); byte < end;
		     byte += 1 + byte % 9)
			for (unsigned flip = 1; flip < 256; flip = flip * 4 + 3) {
				struct state_form *f = &a.head->form;

				((char *)a.head)[byte] ^= (char)flip;
				try(&a);
				a.head->form_sum =
					form_sum_of(f, a.n - offsetof(struct state_image, form));
				try(&a);
				memcpy(a.head, saved, end);
				tried += 2;
			}
		free(saved);
		munmap(a.head, a.n);
		close(a.fd);
	}
	printf("state: %u wrong forms\n", tried);
	printf("rows: E35\n");
}
END_TEST

/* Any allocation fails, or all from then on: nothing is taken over, nothing is left behind, and the next time it is. */
START_TEST(memory_may_be_short)
{
	unsigned failed = 0;

	for (unsigned persists = 0; persists < 2; persists++)
		for (unsigned n = 1;; n++) {
			size_t live_n = mem_stats.live_n;
			struct state_table t;
			struct alien a;
			int r;

			make_older(&a);
			mem_stats.fail_persists = persists;
			mem_stats.fail_at = mem_stats.total_n + n;
			r = state_open(&t, a.fd);
			mem_stats.fail_at = 0;
			if (r == 0) {
				ck_assert(t.is_new_form);
				state_close(&t);
				close(a.fd);
				break;
			}
			ck_assert_int_eq(r, -ENOMEM);
			ck_assert_uint_eq(mem_stats.live_n, live_n);
			check_older(a.fd);
			munmap(a.head, a.n);
			failed++;
		}
	ck_assert_uint_ge(failed, 4);
	printf("state: %u failing allocations of a takeover from another form\n", failed);
}
END_TEST

/* What a form has no room for would be missed in silence. */
START_TEST(ours_has_room)
{
	struct state_form *f = calloc(1, sizeof(*f));

	state_record_form(f);
	ck_assert_uint_lt(f->fields_n, FORM_FIELDS);
	ck_assert_uint_lt(f->words_n + 256, FORM_WORDS);
	for (unsigned i = 0; i < f->fields_n; i++)
		ck_assert_uint_lt(strlen(f->field[i].name), FORM_NAME - 1);
	free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state_form");
	TCase *t = tcase_create("state_form");

	tcase_set_timeout(t, 100);
	if (getenv("HARK_WRITE_GOLDEN"))
		tcase_add_test(t, images_are_written);
	tcase_add_test(t, ours_has_room);
	tcase_add_test(t, an_older_form_is_read);
	tcase_add_test(t, a_newer_form_is_read);
	tcase_add_test(t, there_and_back);
	tcase_add_test(t, memory_may_be_short);
	tcase_add_test(t, any_form);
	suite_add_tcase(s, t);
	return suite_run(s);
}
