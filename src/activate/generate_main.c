/* SPDX-License-Identifier: MIT */
/*
 * hark-generate: units that the machine's packages make of its configuration (systemd.generator(7)), and those that the kernel's command line asks for.
 *
 *	hark-generate STAGING
 *
 * All generators run at once and write into three directories of STAGING, which are made anew. When they have ended, or their time is over, what
 * they made is brought into /run/systemd/generator.early, generator and generator.late: until then, and where nothing has changed, whoever looks
 * there finds what was there before. Exits with 0, or 1 when something was not done.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "activate/unit_tree.h"
#include "core/fd.h"
#include "core/tree.h"
#include "units/boot_words.h"
#include "units/conf_files.h"

enum { WAIT_US = 20 * 1000 * 1000, PAUSE_MS = 1, OUTPUTS = 3, PATH = 512 };

static const char *const generator_dirs[] = {
	"/run/systemd/system-generators",           "/etc/systemd/system-generators",
	"/usr/local/lib/systemd/system-generators", "/usr/lib/systemd/system-generators",
	"/lib/systemd/system-generators",
};
/* Their work is done by another program, if that is there; NULL: by this one. */
static const struct replaced {
	const char *name, *by;
} replaced[] = {
	{"systemd-fstab-generator", "/usr/lib/hark/hark-mount"}, /* as hark-fstab.service has it */
	{"systemd-debug-generator", NULL},
};
/* In the order of a generator's arguments. */
static const char *const outputs[OUTPUTS] = {"generator", "generator.early", "generator.late"};
enum { EARLY = 1 };

struct run {
	char path[PATH];
	pid_t pid; /* 0: it has ended, or never began */
};

static bool is_replaced(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(replaced); i++)
		if (strcmp(name, replaced[i].name) == 0)
			return !replaced[i].by || access(replaced[i].by, X_OK) == 0;
	return false;
}

static void start(struct run *run, const char *staging)
{
	char dirs[OUTPUTS][PATH];
	char *argv[] = {run->path, dirs[0], dirs[1], dirs[2], NULL};

	for (size_t i = 0; i < OUTPUTS; i++)
		snprintf(dirs[i], sizeof(dirs[i]), "%s/%s", staging, outputs[i]);
	run->pid = fork();
	if (run->pid == 0) {
		execv(run->path, argv);
		fprintf(stderr, "hark-generate: cannot run %s: %m\n", run->path);
		_exit(127);
	}
	if (run->pid < 0)
		fprintf(stderr, "hark-generate: cannot run %s: %m\n", run->path);
}

static bool note_end(struct run *runs, size_t n, pid_t pid, int status)
{
	for (size_t i = 0; i < n; i++) {
		if (runs[i].pid != pid)
			continue;
		runs[i].pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return true;
		fprintf(stderr, "hark-generate: %s failed (%s %d); what it made counts\n",
			runs[i].path, WIFEXITED(status) ? "status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		return false;
	}
	return true;
}

/* Those that take too long end with the unit. */
static bool wait_all(struct run *runs, size_t n)
{
	uint64_t end_us = clock_mono_us() + WAIT_US;
	bool is_good = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0 && clock_mono_us() < end_us) {
		if (pid == 0)
			poll(NULL, 0, PAUSE_MS);
		else
			is_good &= note_end(runs, n, pid, status);
	}
	for (size_t i = 0; i < n; i++)
		if (runs[i].pid > 0)
			fprintf(stderr,
				"hark-generate: %s takes too long; what it has made counts\n",
				runs[i].path);
	return is_good && pid < 0;
}

/* 0, 1 (some failed) or -ENOMEM. */
static int run_all(const char *staging)
{
	struct arena arena = {0};
	struct conf_file *list = NULL;
	struct run *runs = NULL;
	size_t n = 0, most = 0;
	int r = conf_files_list("", generator_dirs, ARRAY_SIZE(generator_dirs), "", &arena, &list);

	for (const struct conf_file *f = list; f; f = f->next)
		most++;
	if (r == 0 && most)
		runs = arena_get(&arena, most * sizeof(*runs));
	if (most && !runs)
		r = -ENOMEM;
	for (const struct conf_file *f = list; f && r == 0; f = f->next) {
		struct stat st;

		snprintf(runs[n].path, sizeof(runs[n].path), "%s/%s", f->dir, f->name);
		/* A mask is a link to /dev/null, or an empty file. */
		if (!is_replaced(f->name) && stat(runs[n].path, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size > 0 && access(runs[n].path, X_OK) == 0)
			start(&runs[n++], staging);
	}
	if (r == 0)
		r = wait_all(runs, n) ? 0 : 1;
	arena_fini(&arena);
	return r;
}

/* What the command line leaves out is masked, and what it takes along is wanted by what the boot goes to. */
static int heed_words(struct unit_tree *tree)
{
	struct boot_words w;
	int r = boot_words_get(&w);

	for (const struct boot_unit *u = w.list; u; u = u->next) {
		if (u->is_skipped)
			unit_tree_point(tree, u->name, "/dev/null");
		else
			unit_tree_link(tree, w.unit[0] ? w.unit : "default.target", "wants",
				       u->name, NULL);
	}
	boot_words_fini(&w);
	return r;
}

static int make_staging(const char *staging)
{
	int r = tree_remove(staging);

	r = r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < OUTPUTS && r == 0; i++) {
		char path[PATH];

		snprintf(path, sizeof(path), "%s/%s", staging, outputs[i]);
		r = fd_mkdir_parents(path, true, 0755);
	}
	return r;
}

static int put_in_place(const char *staging, size_t which)
{
	char from[PATH], to[PATH];
	struct unit_tree tree = {0};
	int r = which == EARLY ? heed_words(&tree) : 0;

	snprintf(from, sizeof(from), "%s/%s", staging, outputs[which]);
	snprintf(to, sizeof(to), "/run/systemd/%s", outputs[which]);
	if (r == 0)
		r = unit_tree_read(&tree, from);
	if (r == 0)
		r = unit_tree_write(&tree, to);
	unit_tree_fini(&tree);
	if (r < 0)
		fprintf(stderr, "hark-generate: cannot make the units in %s: %s\n", to,
			strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc != 2) {
		fprintf(stderr, "hark-generate: started by hark-generate.service, not by hand\n");
		return 2;
	}
	umask(022);
	r = make_staging(argv[1]);
	if (r == 0)
		r = run_all(argv[1]);
	if (r < 0)
		fprintf(stderr, "hark-generate: cannot run generators in %s: %s\n", argv[1],
			strerror(-r));
	for (size_t i = 0; i < OUTPUTS; i++)
		r |= put_in_place(argv[1], i);
	(void)!tree_remove(argv[1]);
	return r != 0;
}
