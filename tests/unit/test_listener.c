/* SPDX-License-Identifier: MIT */
/* Sockets made where others may change things meanwhile. */
#include "activate/listener.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"
#include "suite.h"

static char dir[] = "/tmp/hark-listener-XXXXXX";
static char path[64], secret[64];

/* Puts another file in the place of the socket, again and again. */
static pid_t start_replacing(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (;;)
		if (unlink(path) == 0 && link(secret, path) < 0 && errno != EEXIST)
			_exit(1);
}

START_TEST(only_the_socket_gets_the_owner)
{
	struct listener l = {.kind = LISTEN_STREAM, .text = path, .file = "x.socket", .line = 3};
	struct socket_config config;
	struct stat st;
	pid_t pid;

	if (getuid() != 0)
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.sock", dir);
	snprintf(secret, sizeof(secret), "%s/secret", dir);
	close(open(secret, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	socket_config_defaults(&config);
	config.user = "12345";
	l.addr.un.sun_family = AF_UNIX;
	strcpy(l.addr.un.sun_path, path);
	l.addr_n = sizeof(l.addr.un);
	pid = start_replacing();
	ck_assert_int_gt(pid, 0);
	for (unsigned i = 0; i < 2000; i++) {
		char *why = NULL;
		int fd = listener_open("a.socket", &l, &config, &why);

		if (fd >= 0)
			close(fd);
		unlink(path);
		mem_put(why);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	ck_assert_int_eq(stat(secret, &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	unlink(secret);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("listener");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, only_the_socket_gets_the_owner);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
