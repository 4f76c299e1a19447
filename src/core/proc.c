/* SPDX-License-Identifier: MIT */
#include "core/proc.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"

/* By number: the C library's wrappers came with glibc 2.36 and are missing in musl. */
int proc_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int proc_signal_fd(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int proc_take_fd(pid_t pid, int fd)
{
	AUTO_FD int pidfd = proc_pidfd(pid);
	int taken = pidfd < 0 ? pidfd : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return taken < 0 && pidfd >= 0 ? -errno : taken;
}

/* A file of /proc/PID; that the directory is missing means that the process is. */
static ssize_t read_proc(pid_t pid, const char *file, char *out, size_t cap)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	n = fd_read_small(-1, path, out, cap);
	return n == -ENOENT ? -ESRCH : n;
}

int proc_stat(pid_t pid, pid_t *ret_ppid, uint64_t *ret_start)
{
	char text[1024];
	ssize_t n = read_proc(pid, "stat", text, sizeof(text));
	struct str rest;
	struct str word;
	uint64_t ppid = 0;
	uint64_t start = 0;
	int r = 0;

	if (n < 0)
		return (int)n;
	/*
	 * Field 2 is the name in parentheses and may hold blanks and parentheses: count from the
	 * last one.
	 */
	rest = (struct str){text, (size_t)n};
	rest = str_sub(rest, str_rindex(rest, ')') + 1, rest.n);
	for (int field = 3; field <= 22 && r == 0; field++) {
		if (!str_word(&rest, &word))
			return err_here(-EBADMSG);
		if (field == 4)
			r = str_to_u64(word, &ppid);
		else if (field == 22)
			r = str_to_u64(word, &start);
	}
	if (r < 0)
		return err_here(r);
	*ret_ppid = (pid_t)ppid;
	*ret_start = start;
	return 0;
}

int proc_comm(pid_t pid, char *out, size_t cap)
{
	ssize_t n = read_proc(pid, "comm", out, cap);

	if (n < 0)
		return (int)n;
	if (n > 0 && out[n - 1] == '\n')
		out[n - 1] = '\0';
	return 0;
}

/* Kernel threads and zombies have no command line. */
static int bracket_comm(pid_t pid, char *out, size_t cap)
{
	char comm[64];
	int r = proc_comm(pid, comm, sizeof(comm));

	if (r == 0)
		snprintf(out, cap, "[%s]", comm);
	return r;
}

int proc_cmdline(pid_t pid, char *out, size_t cap)
{
	ssize_t n = read_proc(pid, "cmdline", out, cap);

	if (n < 0)
		return (int)n;
	while (n > 0 && out[n - 1] == '\0')
		n--;
	if (n == 0)
		return bracket_comm(pid, out, cap);
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)out[i];

		if (c == '\0')
			out[i] = ' ';
		else if (c < 0x20 || c == 0x7f)
			out[i] = '?';
	}
	out[n] = '\0';
	return 0;
}

/*
 * The first number behind `label` in each line that begins with it, summed up. -EBADMSG when there
 * is none.
 */
static int sum_lines(struct str text, struct str label, uint64_t *ret_sum)
{
	struct str line;
	struct str word;
	uint64_t sum = 0;
	bool is_found = false;

	while (str_cut(&text, '\n', &line)) {
		uint64_t value;
		int r;

		if (!str_has_prefix(line, label))
			continue;
		line = str_sub(line, label.n, line.n);
		/* "Private_" is the prefix of two labels: skip what is left of the label. */
		line = str_sub(line, str_index(line, ':') + 1, line.n);
		if (!str_word(&line, &word))
			continue;
		r = str_to_u64(word, &value);
		if (r < 0)
			return err_here(r);
		sum += value;
		is_found = true;
	}
	if (!is_found)
		return err_here(-EBADMSG);
	*ret_sum = sum;
	return 0;
}

int proc_uid(pid_t pid, uid_t *ret_uid)
{
	char text[2048];
	ssize_t n = read_proc(pid, "status", text, sizeof(text));
	uint64_t uid;
	int r;

	if (n < 0)
		return (int)n;
	/*
	 * Not by stat(2) of /proc/PID: that shows root for every process that is not dumpable.
	 * proc(5)
	 */
	r = sum_lines((struct str){text, (size_t)n}, STR("Uid"), &uid);
	if (r == 0)
		*ret_uid = (uid_t)uid;
	return r;
}

int proc_private_kb(pid_t pid, uint64_t *ret_kb)
{
	char text[2048];
	ssize_t n = read_proc(pid, "smaps_rollup", text, sizeof(text));

	if (n < 0)
		return (int)n;
	/* Private_Hugetlb counts as well: it is private. */
	return sum_lines((struct str){text, (size_t)n}, STR("Private_"), ret_kb);
}

/* Signal one process if it belongs to the session: the pidfd is opened first, so what is looked at is what is signalled. */
static bool signal_member(pid_t pid, pid_t sid, int sig)
{
	AUTO_FD int fd = proc_pidfd(pid);

	return fd >= 0 && getsid(pid) == sid && proc_signal_fd(fd, sig) == 0;
}

int proc_signal_session(pid_t sid, int sig, pid_t except)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	uint64_t pid;
	int n = 0;

	if (!proc)
		return err_here(-errno);
	while ((d = readdir(proc)))
		if (str_to_u64(str_of(d->d_name), &pid) == 0 && (pid_t)pid != except &&
		    getsid((pid_t)pid) == sid && signal_member((pid_t)pid, sid, sig))
			n++;
	closedir(proc);
	return n;
}

bool proc_is_in_first_namespace(void)
{
	const ino_t first = 0xEFFFFFFC; /* include/linux/proc_ns.h */
	struct stat ns;

	return stat("/proc/self/ns/pid", &ns) == 0 && ns.st_ino == first;
}
