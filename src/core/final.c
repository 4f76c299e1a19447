/* SPDX-License-Identifier: MIT */
#include "core/final.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mountinfo.h"
#include "core/proc.h"

enum {
	WAIT_MS = 2000,
	DISKS_MS = 20000,
	ROUNDS = 8, /* of unmounting: a mount may be kept by one that came before it */
	MOUNTS_MOST = 8192,
	TEXT_MOST = 4 * 1024 * 1024,
	WORDS_MOST = 64,
	WORDS_BYTES = 8192,
};

/* Until no child is left; all processes are ours by now. False: the time was not enough. */
static bool wait_all(unsigned most_ms)
{
	pid_t pid = 0;

	while (most_ms && (pid = waitpid(-1, NULL, WNOHANG)) >= 0)
		if (pid == 0)
			poll(NULL, 0, most_ms-- ? 1 : 0);
	return pid < 0;
}

static struct str read_all(const char *path, char *text, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < cap && (got = read(fd, text + n, cap - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	return (struct str){text, n};
}

/* What the kernel keeps in no disk and no other machine. */
static bool is_of_kernel(struct str type)
{
	static const char *const types[] = {
		"proc",    "sysfs",      "devtmpfs", "devpts",  "cgroup",     "cgroup2",
		"mqueue",  "hugetlbfs",  "debugfs",  "tracefs", "securityfs", "pstore",
		"bpf",     "configfs",   "efivarfs", "rootfs",  "ramfs",      "selinuxfs",
		"fusectl", "rpc_pipefs", "nfsd",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq_z(type, types[i]))
			return true;
	return false;
}

static void end_swap(void)
{
	static char text[64 * 1024];
	struct str rest = read_all("/proc/swaps", text, sizeof(text)), line, file;
	char path[PATH_MAX];

	(void)str_cut(&rest, '\n', &line); /* the heading */
	while (str_cut(&rest, '\n', &line))
		if (str_word(&line, &file) && mountinfo_unescape(file, path, sizeof(path)) &&
		    swapoff(path) < 0)
			fprintf(stderr, "hark: swap on %s stays: %m\n", path);
}

static bool let_go(const char *path)
{
	if (strcmp(path, "/") != 0 && umount2(path, UMOUNT_NOFOLLOW) == 0)
		return true;
	/* Kept by something: whole on the disk is what counts. */
	(void)!mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	return false;
}

/* Newest first. How many were unmounted; loud: name those that stay writable. */
static unsigned unmount_all(bool loud)
{
	static char text[TEXT_MOST];
	static struct mount_line mounts[MOUNTS_MOST];
	struct str rest = read_all("/proc/self/mountinfo", text, sizeof(text));
	char path[PATH_MAX];
	unsigned n = 0, gone = 0;

	while (n < MOUNTS_MOST && mountinfo_next(&rest, &mounts[n]))
		if (!is_of_kernel(mounts[n].type))
			n++;
	while (n-- > 0) {
		struct str options = mounts[n].super_options;

		if (!mountinfo_unescape(mounts[n].point, path, sizeof(path)))
			continue;
		if (!loud)
			gone += let_go(path);
		else if (!str_has_prefix(options, STR("ro")) &&
			 !str_eq(mounts[n].type, STR("tmpfs")))
			fprintf(stderr, "hark: %s could not be unmounted nor made read-only\n",
				path);
	}
	return gone;
}

static void let_go_of_disks(void)
{
	sync();
	/* In a container the mounts may be somebody else's too; those of its own go with it. */
	if (!proc_is_in_first_namespace())
		return;
	end_swap();
	for (int i = 0; i < ROUNDS && unmount_all(false) > 0; i++)
		continue;
	unmount_all(true);
	sync();
}

/* --- the kernel stays --- */

/* hark-init beside us: path gets PATH_MAX bytes. */
static bool find_init(char *path)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof("hark-init"));
	char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;

	if (slash)
		strcpy(slash + 1, "hark-init");
	return slash;
}

/* What is mounted for all comes along; the old root goes with whatever is left on it. switch_root(8) */
static void enter_next_root(const char *init)
{
	static const char *const along[] = {"proc", "sys", "dev", "run"};

	if (chdir("/run/nextroot") < 0 || access(init + 1, X_OK) < 0)
		return;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(".", ".", NULL, MS_BIND | MS_REC, NULL) < 0 || chdir("/run/nextroot") < 0)
		goto stay;
	for (size_t i = 0; i < ARRAY_SIZE(along); i++) {
		char from[8] = "/";

		strcat(from, along[i]);
		if (mount(from, along[i], NULL, MS_BIND | MS_REC, NULL) < 0)
			fprintf(stderr, "hark: the next root has no %s: %m\n", from);
	}
	if (syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0)
		return;
stay:
	fprintf(stderr,
		"hark: /run/nextroot cannot become the root: %m; going on with the old one\n");
}

/* Returns only when there is no hark-init to be executed. */
static void begin_anew(const char *words)
{
	static char init[PATH_MAX], text[WORDS_BYTES];
	static char *argv[WORDS_MOST + 1] = {init};
	struct str all = words ? read_all(words, text, sizeof(text) - 1) : STR("");
	size_t n = 0;

	if (!find_init(init))
		return;
	/* The first is the name of who wrote them. */
	for (char *at = text; at < all.p + all.n && n < WORDS_MOST; at += strlen(at) + 1, n++)
		argv[n] = n ? at : init;
	sync();
	enter_next_root(init);
	(void)!chdir("/");
	execv(init, argv);
	fprintf(stderr, "hark: cannot execute %s: %m; the machine starts again\n", init);
}

int final_run(int command, const char *words)
{
	static const int signals[] = {SIGTERM, SIGKILL};

	if (getpid() != 1)
		return 1;
	/* PID 1 has left all that it kept: had we not come to be, it would have gone on. */
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		kill(-1, signals[i]);
		kill(-1, SIGCONT);
		wait_all(WAIT_MS);
	}
	(void)!chdir("/");
	if (command == FINAL_SOFT)
		begin_anew(words);
	if (fork() == 0) {
		let_go_of_disks();
		_exit(0);
	}
	if (!wait_all(DISKS_MS))
		fprintf(stderr, "hark: some disk does not answer; going down without it\n");
	if (command != FINAL_SOFT)
		reboot(command);
	/* No kernel is loaded for kexec after all, or no hark-init there. The end of PID 1 would be a panic. */
	reboot(RB_AUTOBOOT);
	return 1;
}
