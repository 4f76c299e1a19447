/* SPDX-License-Identifier: MIT */
#include "core/reexec.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/log.h"
#include "core/plan.h"

/* Descriptors of the child. */
enum { TEST_PROGRAM = 3, TEST_STATE };

enum { TEST_MOST_US = 5 * 1000 * 1000, CONTENT_US = 500 * 1000 };

/* A manager tests itself; of a hark-init first its layout, then a life with us as the manager. */
enum test { TEST_SELF, TEST_LAYOUT, TEST_LIFE };

/* What lies now where that process was started from. The descriptor or -errno. */
static int open_program(pid_t pid)
{
	char path[PATH_MAX], link[32];
	struct str name = {path, 0}, gone = STR(" (deleted)");
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	name.n = n < 0 ? 0 : (size_t)n;
	if (n < 0)
		return err_here(-errno);
	if (name.n > gone.n && str_eq(str_sub(name, name.n - gone.n, name.n), gone))
		name.n -= gone.n;
	path[name.n] = '\0';
	return fd_open(AT_FDCWD, path, O_RDONLY, 0);
}

/* Of a script PID 1 would become the shell. */
static bool is_binary(int fd)
{
	char magic[SELFMAG];

	return pread(fd, magic, SELFMAG, 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* program: its slot of the bank, of which we have the descriptor, too. */
static void make_plan(struct wbuf *plan, enum test test, int program)
{
	char path[32], layout[16], manager[32], again[48];
	const char *const args[][4] = {
		[TEST_SELF] = {"harkd", "--self-test", layout},
		[TEST_LAYOUT] = {"hark-init", "--layout"},
		[TEST_LIFE] = {"hark-init", manager, "--try-init", again},
	};

	snprintf(path, sizeof(path), "/proc/self/fd/%d", TEST_PROGRAM);
	snprintf(layout, sizeof(layout), "%d", BANK_LAYOUT);
	snprintf(manager, sizeof(manager), "/proc/%d/exe", getpid());
	snprintf(again, sizeof(again), "/proc/%d/fd/%d", getpid(), bank_fd((uint32_t)program));
	plan_put_str(plan, PLAN_SETSID, STR(""));
	for (unsigned i = 0; i < ARRAY_SIZE(args[test]) && args[test][i]; i++)
		plan_put_str(plan, PLAN_ARG, str_of(args[test][i]));
	/* A hark-init opens the path it was started by, and has closed what it was given by then. */
	plan_put_str(plan, PLAN_EXEC, str_of(test == TEST_LIFE ? again : path));
}

static int spawn_test(struct hark *h, enum test test, int program)
{
	char bytes[256];
	struct wbuf plan = {.p = bytes, .cap = sizeof(bytes)};
	int slot = bank_take(&h->bank), r;
	int32_t refs[] = {-1, -1, -1, program, bank_find(&h->bank, "state")};
	struct bank_spawn s = {.slot = (uint32_t)slot,
			       .token = bank_token(&h->bank),
			       .name = "reexec/self-test",
			       .cgroup_fd = -1,
			       .refs = refs,
			       .refs_n = ARRAY_SIZE(refs)};

	if (slot < 0)
		return slot;
	make_plan(&plan, test, program);
	s.plan = (struct str){plan.p, plan.n};
	r = bank_spawn(&h->bank, &s);
	if (r < 0)
		return r;
	h->reexec.slot = s.slot;
	h->reexec.token = s.token;
	h->reexec.due_us = time_add(loop_now_us(&h->loop), TEST_MOST_US);
	h->reexec.state = REEXEC_TESTING;
	h->reexec.test = (int)test;
	return 0;
}

int reexec_begin(struct hark *h, enum reexec_what what)
{
	AUTO_FD int fd = -1;
	int slot;

	if (h->reexec.state == REEXEC_TESTING)
		return -EBUSY;
	fd = open_program(what == REEXEC_INIT ? h->bank.table->pid : getpid());
	if (fd < 0)
		return fd;
	if (what == REEXEC_INIT && !is_binary(fd))
		return err_here(-ENOEXEC);
	slot = bank_keep(&h->bank, bank_find(&h->bank, "reexec"), "reexec", fd);
	h->reexec.what = (int)what;
	return slot < 0 ? slot : spawn_test(h, what == REEXEC_INIT ? TEST_LAYOUT : TEST_SELF, slot);
}

static void end_test(struct hark *h, enum reexec state, const char *why)
{
	h->reexec.state = (int)state;
	h->reexec.why = why;
	h->reexec.token = 0;
}

/* NULL: it passed. */
static const char *why_refused(enum test test, const struct bank_note *note)
{
	if (note->code != CLD_EXITED)
		return "its self-test did not end well";
	if (note->status == plan_exit_code(PLAN_EXEC))
		return "it cannot be executed";
	if (test == TEST_LAYOUT)
		return note->status == BANK_LAYOUT
			       ? NULL
			       : "it cannot read the table of the running one; that takes a reboot";
	switch (note->status) {
	case SELF_TEST_GOOD:
		return NULL;
	case SELF_TEST_LAYOUT:
		return "it does not understand this hark-init; that one is to be replaced first";
	case SELF_TEST_STATE:
		return "it cannot read the state of the running manager";
	case SELF_TEST_UNITS:
		return "it cannot read the unit directories";
	case SELF_TEST_LIFE:
		return "it does not keep a process and itself through a change of programs";
	default:
		return "its self-test did not end well";
	}
}

/* What was tested. */
static int kept_program(const struct hark *h)
{
	int slot = bank_find(&h->bank, "reexec");

	return slot < 0 ? slot : bank_fd((uint32_t)slot);
}

bool reexec_on_note(struct hark *h, const struct bank_note *note)
{
	enum reexec_what what = (enum reexec_what)h->reexec.what;
	const char *why;

	if (!h->reexec.token || note->token != h->reexec.token)
		return false;
	if (note->kind != BANK_NOTE_EXIT)
		return true;
	if (bank_ack(&h->bank, note->slot, note->token) < 0)
		log_at(LOG_ERROR, "PID 1 does not take an acknowledgement");
	why = why_refused((enum test)h->reexec.test, note);
	if (!why && h->reexec.test == TEST_LAYOUT) {
		if (spawn_test(h, TEST_LIFE, bank_find(&h->bank, "reexec")) == 0)
			return true;
		why = "its self-test cannot be started";
	}
	end_test(h, why ? REEXEC_REFUSED : REEXEC_GOOD, why);
	/* At once: until here no other program can have come into its place. */
	if (!why && what == REEXEC_INIT && bank_reexec(&h->bank, kept_program(h)) < 0)
		end_test(h, REEXEC_REFUSED, "hark-init does not hear");
	return true;
}

enum reexec reexec_progress(struct hark *h, enum reexec_what what, const char **ret_why)
{
	if (h->reexec.what != (int)what)
		return REEXEC_NONE;
	if (h->reexec.state == REEXEC_TESTING && loop_now_us(&h->loop) >= h->reexec.due_us) {
		if (bank_signal(&h->bank, h->reexec.slot, h->reexec.token, SIGKILL) < 0)
			log_at(LOG_ERROR, "the self-test of a new program cannot be ended");
		h->reexec.due_us = TIME_NEVER;
	}
	*ret_why = h->reexec.why;
	return (enum reexec)h->reexec.state;
}

static void be_content(struct timer *t)
{
	struct hark *h = container_of(t, struct hark, reexec.timer);
	AUTO_FD int fd = fd_open(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
	int r = fd < 0 ? fd : bank_keep_binary(&h->bank, fd);

	if (r < 0)
		log_at(LOG_WARN, "PID 1 does not keep our program: %s; it starts what lies on disk",
		       strerror(-r));
	h->reexec.is_content = true;
}

void reexec_watch(struct hark *h)
{
	h->reexec.was_rolled_back = bank_was_rolled_back(&h->bank);
	if (h->reexec.was_rolled_back)
		log_at(LOG_ERROR,
		       "the program that was to take over died at once; the one before is back");
	h->reexec.timer.fn = be_content;
	loop_timer_arm(&h->loop, &h->reexec.timer, time_add(loop_now_us(&h->loop), CONTENT_US));
}

void reexec_go(struct hark *h)
{
	int fd = kept_program(h);

	if (fd < 0 || bank_try_binary(&h->bank, fd) < 0)
		log_at(LOG_ERROR, "PID 1 does not take the new program; it starts what it has");
	log_at(LOG_INFO, "the program on disk takes over");
	h->is_leaving = true;
	loop_exit(&h->loop, 0);
}

/* --- in the child --- */

/* What is written of a sparse file. 0 or -errno. */
static int copy_data(int from, int to)
{
	off_t at = 0, end;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (lseek(to, at, SEEK_SET) < 0)
			return -errno;
		while (at < end) {
			ssize_t n = sendfile(to, from, &at, (size_t)(end - at));

			if (n <= 0)
				return n < 0 ? -errno : -EIO;
		}
	}
	return errno == ENXIO ? 0 : -errno;
}

int reexec_test_state(const char *layout)
{
	struct state_table state;
	struct state_unit u;
	uint64_t number = 0;
	struct stat st;
	void *map;
	int fd;

	if (str_to_u64(str_of(layout), &number) < 0 || number != BANK_LAYOUT)
		return SELF_TEST_LAYOUT;
	if (fstat(TEST_STATE, &st) < 0 || !S_ISREG(st.st_mode))
		return SELF_TEST_GOOD;
	fd = fd_memory("hark-self-test", (size_t)st.st_size, -1, &map);
	if (fd < 0 || copy_data(TEST_STATE, fd) < 0 || state_open(&state, fd) < 0)
		return SELF_TEST_STATE;
	/* A damaged unit is no worse for it than for us: what counts is that reading does not end it. */
	for (uint32_t i = 0; i < state.image->slots_n; i++)
		(void)!state_get(&state, state_at(&state, i), &u);
	return SELF_TEST_GOOD;
}
