/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/wire.h"
#include "suite.h"

static struct wire_out out;
static struct wire_in in;
static char dir[] = "/tmp/hark-test-wire-XXXXXX";

static void make_frame(void)
{
	wire_begin(&out, 7, 42);
	ck_assert(wire_put(&out, 1, STR("ssh.service")));
	ck_assert(wire_put(&out, 2, STR("")));
	ck_assert(wire_put_u64(&out, 3, UINT64_C(0x1122334455667788)));
	ck_assert(wire_put(&out, 4, STR("any\0bytes\n")));
}

/* Reads an accepted frame to its end: every value must lie within it. */
static void drain(void)
{
	uint16_t tag;
	struct str value;
	unsigned n = 0;

	while (wire_next(&in, &tag, &value)) {
		ck_assert(value.p >= in.bytes);
		ck_assert(value.p + value.n <= in.bytes + sizeof(in.bytes));
		n++;
	}
	ck_assert_uint_le(n, WIRE_FRAME / 8);
	ck_assert(!in.r.bad);
}

START_TEST(round_trip)
{
	uint16_t tag;
	struct str value;

	make_frame();
	memcpy(in.bytes, out.bytes, out.w.n);
	ck_assert_int_eq(wire_parse(&in, out.w.n), 0);
	ck_assert_uint_eq(in.kind, 7);
	ck_assert_uint_eq(in.request, 42);
	ck_assert(wire_next(&in, &tag, &value));
	ck_assert_uint_eq(tag, 1);
	ck_assert(str_eq_z(value, "ssh.service"));
	ck_assert_uint_eq(wire_u64(value), 0);
	ck_assert(wire_next(&in, &tag, &value));
	ck_assert_uint_eq(value.n, 0);
	ck_assert(wire_next(&in, &tag, &value));
	ck_assert_uint_eq(wire_u64(value), UINT64_C(0x1122334455667788));
	ck_assert(wire_next(&in, &tag, &value));
	ck_assert(str_eq(value, STR("any\0bytes\n")));
	ck_assert(!wire_next(&in, &tag, &value));
}
END_TEST

START_TEST(every_truncation_is_refused_or_shorter)
{
	unsigned good = 0;

	make_frame();
	for (size_t n = 0; n < out.w.n; n++) {
		memcpy(in.bytes, out.bytes, n);
		if (wire_parse(&in, n) == 0) {
			good++;
			drain();
		}
	}
	/* Only at the four field boundaries, the header's included. */
	ck_assert_uint_eq(good, 4);
	ck_assert_int_eq(wire_parse(&in, WIRE_FRAME + 1), -EBADMSG);
}
END_TEST

START_TEST(every_flipped_byte_stays_in_bounds)
{
	make_frame();
	for (size_t i = 0; i < out.w.n; i++) {
		for (unsigned bits = 1; bits < 256; bits++) {
			memcpy(in.bytes, out.bytes, out.w.n);
			in.bytes[i] = (char)((unsigned char)in.bytes[i] ^ bits);
			if (wire_parse(&in, out.w.n) == 0)
				drain();
			else
				ck_assert_msg(i < 2 || i >= 8, "kind and request may be anything");
		}
	}
}
END_TEST

START_TEST(full_frame_keeps_what_it_has)
{
	static char big[WIRE_FRAME];
	size_t n;

	wire_begin(&out, 1, 1);
	ck_assert(!wire_put(&out, 1, (struct str){big, WIRE_FRAME - 15}));
	ck_assert(!wire_put(&out, 1, (struct str){big, SIZE_MAX}));
	ck_assert(wire_put(&out, 1, (struct str){big, WIRE_FRAME - 16 - 10}));
	n = out.w.n;
	ck_assert(!wire_put_u64(&out, 2, 5));
	ck_assert(wire_put(&out, 2, STR("ab")));
	ck_assert(!wire_put(&out, 3, STR("")));
	ck_assert_uint_eq(out.w.n, n + 10);
	ck_assert(!out.w.bad);
	memcpy(in.bytes, out.bytes, out.w.n);
	ck_assert_int_eq(wire_parse(&in, out.w.n), 0);
	drain();
}
END_TEST

static void enter(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void leave(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(packets_travel)
{
	AUTO_FD int listener = wire_listen("run/hark/control", 0620);
	AUTO_FD int client = wire_connect("run/hark/control");
	AUTO_FD int server = -1;
	struct stat st;
	uid_t uid = 1;
	pid_t pid = 1;

	ck_assert_int_ge(listener, 0);
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(stat("run/hark/control", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0620);
	ck_assert(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(client, F_GETFD) & FD_CLOEXEC);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ck_assert_int_ge(server, 0);
	ck_assert_int_eq(wire_peer(server, &uid, &pid), 0);
	ck_assert_uint_eq(uid, geteuid());
	ck_assert_int_eq(pid, getpid());

	ck_assert_int_eq(wire_recv(server, &in), -EAGAIN);
	make_frame();
	ck_assert_int_eq(wire_send(client, &out), 0);
	ck_assert_int_eq(wire_send(client, &out), 0);
	ck_assert_int_eq(wire_recv(server, &in), 0);
	ck_assert_uint_eq(in.request, 42);
	ck_assert_int_eq(wire_recv(server, &in), 0);
	ck_assert_int_eq((int)send(client, "not a frame", 11, 0), 11);
	ck_assert_int_eq(wire_recv(server, &in), -EBADMSG);
	fd_close(take_fd(client));
	ck_assert_int_eq(wire_recv(server, &in), -ECONNRESET);
	ck_assert_int_eq(wire_send(server, &out), -EPIPE);
	ck_assert_int_eq(wire_peer(-1, &uid, &pid), -EBADF);
}
END_TEST

START_TEST(too_long_a_packet_is_refused)
{
	static char big[WIRE_FRAME + 1];
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	wire_begin(&out, 1, 1);
	memcpy(big, out.bytes, out.w.n);
	ck_assert_int_eq((int)send(fds[0], big, sizeof(big), 0), (int)sizeof(big));
	ck_assert_int_eq(wire_recv(fds[1], &in), -EBADMSG);
	fd_close(fds[0]);
	fd_close(fds[1]);
}
END_TEST

START_TEST(listen_replaces_only_what_is_dead)
{
	int fd = wire_listen("s", 0600);
	AUTO_FD int again = -1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(wire_listen("s", 0600), -EADDRINUSE);
	fd_close(fd);
	ck_assert_int_eq(wire_connect("s"), -ECONNREFUSED);
	again = wire_listen("s", 0600);
	ck_assert_int_ge(again, 0);

	ck_assert_int_eq(mkdir("d", 0700), 0);
	fd_close(wire_listen("d", 0600));
	ck_assert_int_eq(wire_connect("d"), -ECONNREFUSED);
	ck_assert_int_eq(mkdir("full", 0700) | mkdir("full/x", 0700), 0);
	ck_assert_int_eq(wire_listen("full", 0600), -ENOTEMPTY);
	fd_close(open("f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	fd = wire_listen("f", 0600);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
	ck_assert_int_eq(wire_connect("none"), -ENOENT);
	ck_assert_int_eq(wire_listen("f/below", 0600), -ENOTDIR);
}
END_TEST

START_TEST(path_must_fit_the_address)
{
	char path[200];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(wire_listen(path, 0600), -ENAMETOOLONG);
	ck_assert_int_eq(wire_connect(path), -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire");
	TCase *tc = tcase_create("frames");
	TCase *sockets = tcase_create("sockets");

	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, every_truncation_is_refused_or_shorter);
	tcase_add_test(tc, every_flipped_byte_stays_in_bounds);
	tcase_add_test(tc, full_frame_keeps_what_it_has);
	tcase_add_checked_fixture(sockets, enter, leave);
	tcase_add_test(sockets, packets_travel);
	tcase_add_test(sockets, too_long_a_packet_is_refused);
	tcase_add_test(sockets, listen_replaces_only_what_is_dead);
	tcase_add_test(sockets, path_must_fit_the_address);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, sockets);
	return suite_run(s);
}
