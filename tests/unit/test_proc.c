/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/proc.h"
#include "suite.h"

/* A child that sleeps under the given argv; back when the exec is done. */
static pid_t spawn(const char *const argv[])
{
	int fds[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execv("/bin/sleep", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	fd_close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	fd_close(fds[0]);
	return pid;
}

START_TEST(pidfd_signals)
{
	pid_t pid = spawn((const char *const[]){"sleep", "100", NULL});
	AUTO_FD int fd = proc_pidfd(pid);
	int status;

	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(proc_signal_fd(fd, 0), 0);
	ck_assert_int_eq(proc_signal_fd(fd, SIGUSR1), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WTERMSIG(status), SIGUSR1);
	ck_assert_int_eq(proc_signal_fd(fd, 0), -ESRCH);
	ck_assert_int_eq(proc_pidfd(pid), -ESRCH);
	ck_assert_int_eq(proc_signal_fd(-1, 0), -EBADF);
}
END_TEST

START_TEST(stat_survives_strange_names)
{
	pid_t ppid = 0;
	uint64_t start = 0;
	uint64_t start_1 = 0;
	char comm[32];

	prctl(PR_SET_NAME, ") R 1 2 (x y)");
	ck_assert_int_eq(proc_stat(getpid(), &ppid, &start), 0);
	ck_assert_int_eq(ppid, getppid());
	ck_assert_int_eq(proc_stat(1, &ppid, &start_1), 0);
	ck_assert_int_eq(ppid, 0);
	ck_assert_uint_ge(start, start_1);
	ck_assert_int_eq(proc_comm(getpid(), comm, sizeof(comm)), 0);
	ck_assert_str_eq(comm, ") R 1 2 (x y)");
	ck_assert_int_eq(proc_comm(getpid(), comm, 4), 0);
	ck_assert_str_eq(comm, ") R");
}
END_TEST

START_TEST(cmdline_is_one_printable_line)
{
	pid_t pid = spawn((const char *const[]){"sleep\n\x1b", "100", NULL});
	char text[64];
	siginfo_t info;

	ck_assert_int_eq(proc_cmdline(pid, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "sleep?? 100");
	ck_assert_int_eq(proc_cmdline(pid, text, 4), 0);
	ck_assert_str_eq(text, "sle");
	/* A zombie has none. */
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(proc_cmdline(pid, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "[sleep]");
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(proc_cmdline(pid, text, sizeof(text)), -ESRCH);
}
END_TEST

START_TEST(owner_and_memory)
{
	uid_t uid = 12345;
	uint64_t kb = 0;

	ck_assert_int_eq(proc_uid(getpid(), &uid), 0);
	ck_assert_uint_eq(uid, getuid());
	/* Not dumpable: /proc/self now belongs to root, the process still to its user. */
	prctl(PR_SET_DUMPABLE, 0);
	if (getuid() == 0)
		ck_assert_int_eq(setuid(65534), 0);
	ck_assert_int_eq(proc_uid(getpid(), &uid), 0);
	ck_assert_uint_eq(uid, getuid());
	prctl(PR_SET_DUMPABLE, 1);
	ck_assert_int_eq(proc_private_kb(getpid(), &kb), 0);
	ck_assert_uint_gt(kb, 10);
}
END_TEST

START_TEST(nobody_there)
{
	pid_t ppid;
	uint64_t number;
	uid_t uid;
	char text[16];

	for (pid_t pid = -1; pid < 1; pid++) {
		ck_assert_int_lt(proc_pidfd(pid), 0);
		ck_assert_int_eq(proc_stat(pid, &ppid, &number), -ESRCH);
		ck_assert_int_eq(proc_cmdline(pid, text, sizeof(text)), -ESRCH);
		ck_assert_int_eq(proc_comm(pid, text, sizeof(text)), -ESRCH);
		ck_assert_int_eq(proc_uid(pid, &uid), -ESRCH);
		ck_assert_int_eq(proc_private_kb(pid, &number), -ESRCH);
	}
	ck_assert_int_eq(proc_cmdline(getpid(), text, 0), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proc");
	TCase *tc = tcase_create("core");

	tcase_add_test(tc, pidfd_signals);
	tcase_add_test(tc, stat_survives_strange_names);
	tcase_add_test(tc, cmdline_is_one_printable_line);
	tcase_add_test(tc, owner_and_memory);
	tcase_add_test(tc, nobody_there);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
