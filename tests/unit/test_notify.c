/* SPDX-License-Identifier: MIT */
#include "activate/notify.h"
#include "activate/stored.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fake_hark.h"
#include "suite.h"

/* --- the text --- */

static char parsed[512];

static void collect(void *arg, struct str key, struct str value)
{
	(void)arg;
	snprintf(parsed + strlen(parsed), sizeof(parsed) - strlen(parsed),
		 "[" STR_FMT "|" STR_FMT "]", STR_ARG(key), STR_ARG(value));
}

START_TEST(messages_are_taken_apart)
{
	static const struct {
		struct str text;
		const char *want; /* NULL: refused */
	} cases[] = {
		{STR("READY=1"), "[READY|1]"},
		{STR("READY=1\n"), "[READY|1]"},
		{STR("READY=1\nSTATUS=a=b c\nMAINPID=7"), "[READY|1][STATUS|a=b c][MAINPID|7]"},
		{STR("READY=1\0"), "[READY|1]"},
		{STR("STATUS=\nX_OWN=y"), "[STATUS|][X_OWN|y]"},
		{STR("nonsense\n=1\nREADY=1"), "[READY|1]"},
		{STR(""), ""},
		{STR("\n\n"), ""},
		{STR("READY=1\0STOPPING=1"), NULL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		parsed[0] = '\0';
		r = notify_parse(cases[i].text, collect, NULL);
		ck_assert_int_eq(r, cases[i].want ? 0 : -EBADMSG);
		ck_assert_str_eq(parsed, cases[i].want ? cases[i].want : "");
	}
}
END_TEST

START_TEST(too_long_is_refused)
{
	static char text[5000];

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(notify_parse((struct str){text, 4096}, collect, NULL), 0);
	ck_assert_int_eq(notify_parse((struct str){text, 4098}, collect, NULL), -EBADMSG);
}
END_TEST

/* --- the socket --- */

static char address[128];

static struct service *open_service(enum notify_access access)
{
	struct service *s;

	fake_open();
	s = service_of(fake_unit("a.service"));
	fake_service_config.notify_access = (uint8_t)access;
	fake_service_config.fd_store_max = 2;
	ck_assert_int_eq(notify_open(&fake, s, address, sizeof(address)), 0);
	s->main.pid = getpid();
	return s;
}

static void tell(const char *text, int fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = sizeof(sa), .msg_iov = &iov, .msg_iovlen = 1};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_uint_lt(strlen(address), sizeof(sa.sun_path));
	memcpy(sa.sun_path, address, strlen(address));
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS,
						.cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	ck_assert_int_eq(sendmsg(s, &m, 0), (int)strlen(text));
	close(s);
}

START_TEST(ready_becomes_an_event)
{
	struct service *s = open_service(NOTIFY_MAIN);
	struct stat st;

	ck_assert_int_eq(stat(address, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0666);
	ck_assert_uint_eq(fake_request(BANK_STORE).slot, s->notify_slot - 1);
	engine_restore(&fake.engine, &s->unit, SVC_START, loop_now_us(&fake.loop) + 1, 0);
	tell("READY=1\nSTATUS=fine\nERRNO=2\nEXTEND_TIMEOUT_USEC=5000000", -1);
	notify_drain(&fake, s);
	ck_assert_uint_eq(fake_told[EV_READY], 1);
	ck_assert_uint_gt(s->unit.work->due_us[DUE_STATE], loop_now_us(&fake.loop) + 4000000);
	ck_assert_str_eq(s->status_text, "fine");
	ck_assert_int_eq(s->status_errno, 2);
	notify_drain(&fake, s); /* consumed */
	ck_assert_uint_eq(fake_told[EV_READY], 1);
	notify_close(&fake, s);
	ck_assert_int_lt(stat(address, &st), 0);
}
END_TEST

START_TEST(the_loop_finds_it)
{
	(void)open_service(NOTIFY_ALL);
	tell("STOPPING=1", -1);
	ck_assert_int_eq(loop_turn(&fake.loop, US_PER_SEC), 0);
	/* the engine's turn has digested the event already: what the message did is all there is to see */
	ck_assert_uint_eq(fake.engine.n, 0);
}
END_TEST

START_TEST(strangers_are_not_believed)
{
	struct service *s = open_service(NOTIFY_MAIN);

	s->main.pid = getppid();
	tell("READY=1", -1);
	notify_drain(&fake, s);
	ck_assert_uint_eq(fake_told[EV_READY], 0);
	fake_service_config.notify_access = NOTIFY_EXEC;
	s->control.pid = getpid();
	tell("READY=1", -1);
	notify_drain(&fake, s);
	ck_assert_uint_eq(fake_told[EV_READY], 1);
}
END_TEST

START_TEST(descriptors_are_kept)
{
	struct service *s = open_service(NOTIFY_ALL);
	int a = open("/dev/zero", O_RDONLY | O_CLOEXEC),
	    b = open("/dev/zero", O_RDONLY | O_CLOEXEC),
	    c = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const char *names[4];
	int32_t slots[4];

	tell("FDSTORE=1\nFDNAME=one", a);
	tell("FDSTORE=1\nFDNAME=one", a); /* told again by a sender that was not sure */
	tell("FDSTORE=1", b);
	tell("FDSTORE=1\nFDNAME=too-many", c);
	notify_drain(&fake, s);
	ck_assert_uint_eq(s->fd_store_n, 2);
	ck_assert_uint_eq(stored_list(s, slots, names, 4), 2);
	ck_assert_str_eq(names[0], "one");
	ck_assert_str_eq(names[1], "stored");
	(void)fake_request(BANK_STORE); /* the notify socket */
	ck_assert_str_eq(fake_request(BANK_STORE).name, "a.service/store=one");
	tell("FDSTOREREMOVE=1\nFDNAME=one", -1);
	notify_drain(&fake, s);
	ck_assert_uint_eq(stored_list(s, slots, names, 4), 1);
	stored_drop_all(s);
	ck_assert_uint_eq(s->fd_store_n, 0);
}
END_TEST

/* As long as its other end is there; where FDPOLL=0 was said, for ever. */
START_TEST(a_descriptor_that_hangs_up_is_dropped)
{
	struct service *s = open_service(NOTIFY_ALL);
	int polled[2], kept[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, polled), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, kept), 0);
	tell("FDSTORE=1\nFDNAME=polled", polled[0]);
	tell("FDSTORE=1\nFDNAME=kept\nFDPOLL=0", kept[0]);
	notify_drain(&fake, s);
	(void)fake_request(BANK_STORE); /* the notify socket */
	ck_assert_str_eq(fake_request(BANK_STORE).name, "a.service/store=polled");
	ck_assert_str_eq(fake_request(BANK_STORE).name, "a.service/kept=kept");
	ck_assert_int_eq(loop_turn(&fake.loop, 0), 0);
	ck_assert_uint_eq(s->fd_store_n, 2);
	close(polled[1]);
	close(kept[1]);
	ck_assert_int_eq(loop_turn(&fake.loop, US_PER_SEC), 0);
	ck_assert_uint_eq(s->fd_store_n, 1);
	ck_assert_str_eq(s->fd_store->name, "kept");
	stored_drop_all(s);
}
END_TEST

START_TEST(a_barrier_is_lifted)
{
	struct service *s = open_service(NOTIFY_ALL);
	int p[2];
	char byte;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	tell("BARRIER=1", p[1]);
	close(p[1]);
	ck_assert_int_lt(read(p[0], &byte, 1), 0); /* the message holds the other end */
	notify_drain(&fake, s);
	ck_assert_int_eq(read(p[0], &byte, 1), 0);
}
END_TEST

START_TEST(long_names_get_a_short_one)
{
	char name[200];
	struct service *s;
	struct stat st;

	fake_open();
	memset(name, 'n', sizeof(name));
	memcpy(name + 180, ".service", 9);
	s = service_of(fake_unit(name));
	ck_assert_int_eq(notify_open(&fake, s, address, sizeof(address)), 0);
	ck_assert_int_eq(address[0], '/');
	ck_assert_int_eq(stat(address, &st), 0);
	notify_close(&fake, s);
	ck_assert_int_lt(stat(address, &st), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");

	tcase_add_checked_fixture(t, NULL, fake_tidy);
	tcase_add_test(t, messages_are_taken_apart);
	tcase_add_test(t, too_long_is_refused);
	tcase_add_test(t, ready_becomes_an_event);
	tcase_add_test(t, the_loop_finds_it);
	tcase_add_test(t, strangers_are_not_believed);
	tcase_add_test(t, descriptors_are_kept);
	tcase_add_test(t, a_descriptor_that_hangs_up_is_dropped);
	tcase_add_test(t, a_barrier_is_lifted);
	tcase_add_test(t, long_names_get_a_short_one);
	suite_add_tcase(s, t);
	return suite_run(s);
}
