/* SPDX-License-Identifier: MIT */
/*
 * box - start a manager in a PID namespace of its own and tell the time of its execve.
 *
 *   box CGROUP child|init LOG -- COMMAND...
 *
 * child: PID 1 is a stub that reaps, the manager is PID 2. init: the manager is PID 1, / is
 * read-only, /run is new and CGROUP is the root of a cgroup2 mount (for systemd).
 * Prints "PID T0": PID 1 as seen from outside, the monotonic time in ns. Ends, and all inside with
 * it, at the end of its stdin.
 */
#include "bench.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int time_pipe[2];

static void join(int procs_fd)
{
	if (write(procs_fd, "0", 1) != 1)
		die("cannot enter the cgroup");
}

static void tell_time_and_run(char **command, const char *log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	uint64_t t;

	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		die(log);
	setsid();
	t = now_ns();
	if (write(time_pipe[1], &t, sizeof(t)) == sizeof(t))
		execv(command[0], command);
	die(command[0]);
}

static void make_private(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		die("mount");
}

/* What systemd expects of a container; nothing of the machine can be written. */
static void make_container(void)
{
	const char *const read_only[] = {"/", "/sys", "/proc/sys"};

	if (unshare(CLONE_NEWCGROUP) < 0 ||
	    mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL) < 0 ||
	    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) <
		    0 ||
	    mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		die("container");
	if (!access("/dev/console", F_OK) &&
	    mount("/dev/null", "/dev/console", NULL, MS_BIND, NULL) < 0)
		die("/dev/console");
	for (size_t i = 0; i < sizeof(read_only) / sizeof(*read_only); i++)
		if (mount(NULL, read_only[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
			die(read_only[i]);
}

static void run_inside(int procs_fd, int is_init, char **command, const char *log)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	join(procs_fd);
	make_private();
	if (is_init) {
		make_container();
		tell_time_and_run(command, log);
	}
	if (fork() == 0)
		tell_time_and_run(command, log);
	close(time_pipe[1]);
	for (;;)
		if (waitpid(-1, NULL, 0) < 0)
			pause();
}

int main(int argc, char **argv)
{
	char path[4096], byte;
	uint64_t t0;
	int procs_fd;
	pid_t pid;

	if (argc < 6 || strcmp(argv[4], "--") != 0)
		return 2;
	snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
	procs_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (procs_fd < 0)
		die(path);
	if (pipe2(time_pipe, O_CLOEXEC) < 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		die("namespaces (needs root)");
	pid = fork();
	if (pid == 0)
		run_inside(procs_fd, !strcmp(argv[2], "init"), argv + 5, argv[3]);
	close(time_pipe[1]);
	if (read(time_pipe[0], &t0, sizeof(t0)) != sizeof(t0))
		return 1;
	printf("%d %llu\n", pid, (unsigned long long)t0);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
