/* SPDX-License-Identifier: MIT */
/*
 * Managers that PID 1 does not deserve; `hark-init garble WORD ...` starts one:
 *   garble refused              every request that makes no sense, once, with the answer it gets; then all ends
 *   garble crash                a crash; the life after it ends well, so that the pause does not grow
 *   garble final                the end of the machine by a program and a command that are none
 *   garble random DIR HARKD...  records at random, lives of random length that end in every way, until DIR/sane is there: then it
 *                               becomes HARKD with the words behind it. What it sent is counted in DIR/counts.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/bank.h"
#include "core/fd.h"
#include "core/plan.h"

enum { QUIET_NAPS = 100, HEAR_NAPS = 3000 };
enum { NOBODY = 65534, WAIT_US = 10 * 1000 * 1000, LIFE_MOST_US = 60 * 1000, ROOM = 300 * 40 };

static const struct bank_table *table;
static uint64_t tokens;

/* --- asking --- */

static int send_bytes(const void *bytes, size_t n, int fd)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} passed = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(CMSG_DATA(&passed.head), &fd, sizeof(fd));
	if (fd >= 0) {
		m.msg_control = &passed;
		m.msg_controllen = sizeof(passed);
	}
	return sendmsg(BANK_CHANNEL_FD, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

struct packet {
	struct bank_req req;
	_Alignas(8) char plan[ROOM];
};

static int ask(struct packet *p, int fd)
{
	return send_bytes(p, sizeof(p->req) + p->req.plan_n, fd);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

/* Why the request for a slot failed, as the table says; 0: it did not. */
static int answer(uint32_t slot)
{
	uint64_t end_us = clock_mono_us() + WAIT_US;

	while (clock_mono_us() < end_us) {
		uint32_t n = __atomic_load_n(&table->changed_n, __ATOMIC_ACQUIRE);

		for (uint32_t i = n > BANK_CHANGES ? n - BANK_CHANGES : 0; i < n; i++)
			if (table->changed[i % BANK_CHANGES] == slot)
				return table->slot[slot].kind == BANK_FREE ? table->slot[slot].code
									   : 0;
		nap();
	}
	return -ETIMEDOUT;
}

static void expect(const char *name, int want, int got)
{
	if (want == got)
		printf("ok %s\n", name);
	else
		printf("not ok %s: expected %s, got %s\n", name, strerror(-want), strerror(-got));
	fflush(stdout);
}

/* --- what makes no sense --- */

static struct packet packet(enum bank_op op, uint32_t slot)
{
	struct packet p = {.req = {.op = op, .slot = slot, .token = ++tokens}};

	return p;
}

static struct packet spawn_of(uint32_t slot, unsigned args, unsigned pids, bool is_nobody)
{
	struct packet p = packet(BANK_SPAWN, slot);
	struct wbuf w = {.p = p.plan, .cap = PLAN_INLINE};
	uint64_t nobody = NOBODY;

	for (unsigned i = 0; i < args; i++)
		plan_put_str(&w, PLAN_ARG, STR("x"));
	for (unsigned i = 0; i < pids; i++)
		plan_put_str(&w, PLAN_ENV_PID, STR("PID="));
	if (is_nobody) {
		plan_put(&w, PLAN_GROUPS, &nobody, 1, (struct str){0});
		plan_put_u64(&w, PLAN_GID, nobody);
		plan_put_u64(&w, PLAN_UID, nobody);
	}
	plan_put_str(&w, PLAN_EXEC, STR("/bin/true"));
	p.req.plan_n = (uint32_t)w.n;
	return p;
}

/* The errno with which its child never became a program; 0: it did. */
static int child_error(uint32_t slot)
{
	const struct bank_slot *s = &table->slot[slot];
	uint64_t end_us = clock_mono_us() + WAIT_US;

	while (s->kind != BANK_DEAD && clock_mono_us() < end_us)
		nap();
	return s->kind == BANK_DEAD ? -s->said.err : -ETIMEDOUT;
}

/* Plans that do not add up, each in a way of its own. */
static void broken_plans(uint32_t slot)
{
	static const struct {
		const char *what;
		uint16_t step, flags;
		uint32_t length, plan_n;
	} broken[] = {
		{"ends at once", PLAN_END, 0, 0, 0},
		{"is cut off", PLAN_ARG, 0, 2, 4},
		{"has a step that is none", PLAN_STEP_COUNT, 0, 0, 8},
		{"is shorter than it says", PLAN_ARG, 0, 4000, 32},
		{"has a step without its words", PLAN_DUP, 0, 8, 16},
		{"has a step with words too many", PLAN_DUP, 0, 24, 32},
		{"has a word without an end", PLAN_ARG, 0, 8, 16},
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct packet p = packet(BANK_SPAWN, slot + (uint32_t)i);
		char name[64];

		memset(p.plan, 'x', 64);
		memcpy(p.plan, &broken[i].step, sizeof(uint16_t));
		memcpy(p.plan + 2, &broken[i].flags, sizeof(uint16_t));
		memcpy(p.plan + 4, &broken[i].length, sizeof(uint32_t));
		p.req.plan_n = broken[i].plan_n;
		ask(&p, -1);
		snprintf(name, sizeof(name), "a plan that %s fails", broken[i].what);
		expect(name, -EBADMSG, child_error(slot + (uint32_t)i));
	}
}

/* A descriptor opened where another is, and one put elsewhere. */
static void plan_with_files(uint32_t slot)
{
	struct packet p = packet(BANK_SPAWN, slot);
	struct wbuf w = {.p = p.plan, .cap = PLAN_INLINE};

	plan_put(&w, PLAN_OPEN, (uint64_t[]){7, O_RDWR, 0}, 3, STR("/dev/null"));
	plan_put(&w, PLAN_DUP, (uint64_t[]){7, 1}, 2, (struct str){0});
	plan_put_str(&w, PLAN_ARG, STR("true"));
	plan_put_str(&w, PLAN_EXEC, STR("/bin/true"));
	p.req.plan_n = (uint32_t)w.n;
	ask(&p, -1);
	expect("a child opens its files", 0, child_error(slot));
}

static void refused(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct packet p = packet(BANK_STORE, 100);

	(void)send_bytes("", 0, null);
	nap();
	p.req.flags = BANK_F_LISTEN;
	ask(&p, null);
	expect("an empty packet is not the end; listening on what is no socket is refused",
	       -ENOTSOCK, answer(100));
	p = packet(BANK_STORE, 101);
	ask(&p, -1);
	expect("storing nothing is refused", -EBADF, answer(101));
	p = packet(BANK_ACCEPT, 102);
	ask(&p, -1);
	expect("accepting from nowhere is refused", -EBADF, answer(102));
	p = packet(BANK_ADOPT, 103);
	p.req.arg = 1;
	ask(&p, -1);
	expect("adopting who is no child is refused", -ECHILD, answer(103));
	p = spawn_of(table->slots_n - 1, 1, 0, false);
	ask(&p, -1);
	expect("a child in the reserve is refused", -ENOSPC, answer(table->slots_n - 1));
	p = spawn_of(104, 1, 0, false);
	p.req.refs_n = 1;
	p.req.refs[0] = 9999;
	ask(&p, -1);
	expect("a child with what is not kept is refused", -EBADF, answer(104));
	p = spawn_of(105, PLAN_ARGS_INLINE + 1, 0, false);
	ask(&p, -1);
	expect("a child with too many words fails", -E2BIG, child_error(105));
	p = spawn_of(106, 1, 9, false);
	ask(&p, -1);
	expect("a child that is told its pid too often fails", -E2BIG, child_error(106));
	p = spawn_of(107, 1, 0, true);
	ask(&p, -1);
	expect("a child becomes another user", geteuid() == 0 ? 0 : -EPERM, child_error(107));
	plan_with_files(109);
	broken_plans(110);
	p = packet(BANK_FINAL, 0);
	ask(&p, null);
	p = packet(BANK_SIGNAL, 108);
	ask(&p, -1);
	expect("a signal to nobody is refused", -ESRCH, answer(108) ? answer(108) : -ESRCH);
	p = packet(BANK_FINAL, 0);
	p.req.flags = BANK_F_EXIT;
	ask(&p, null);
	pause();
}

/* hark-exec is no program and the command is none: PID 1 has ended everything else, and goes on. */
static void final(void)
{
	struct packet p = packet(BANK_FINAL, 0);

	if (table->generation > 1) {
		expect("an end that fails leaves PID 1 alive", 1, table->lives == 1);
		p.req.flags = BANK_F_EXIT;
	} else {
		p.req.arg = 77;
	}
	ask(&p, open("/dev/null", O_RDONLY | O_CLOEXEC));
	pause();
}

/* --- at random --- */

static struct counts {
	uint64_t records, lives;
} * counts;

static uint32_t dice(uint32_t n)
{
	return n ? (uint32_t)rand() % n : 0;
}

/* What its length says, or not; a real operation, or not; slots that are there, or not. Never one that ends PID 1 for good. */
static size_t roll(struct packet *p)
{
	uint32_t op = dice(8) ? dice(BANK_OP_COUNT) : (uint32_t)rand();

	*p = dice(2) ? spawn_of(0, dice(3), dice(6), false) : packet(BANK_NONE, 0);
	p->req.op = op == BANK_FINAL ? BANK_PONG : op;
	p->req.slot = dice(16) ? 16 + dice(200) : (uint32_t)rand();
	p->req.token = dice(4) ? dice(64) : (uint64_t)rand() << 32;
	p->req.flags = dice(2) ? dice(16) : 0;
	p->req.arg = dice(3) ? (int32_t)dice(70) : rand();
	p->req.refs_n = dice(20) ? dice(6) : (uint32_t)rand();
	for (unsigned i = 0; i < 6; i++)
		p->req.refs[i] = dice(10) ? (int32_t)dice(220) - 4 : rand();
	for (uint32_t i = dice(3) ? 0 : dice(40); i; i--)
		((char *)p)[offsetof(struct packet, plan) + dice(256)] = (char)rand();
	if (dice(20) == 0)
		p->req.plan_n = (uint32_t)rand();
	return dice(20) == 0 ? dice(sizeof(*p)) : sizeof(p->req) + (p->req.plan_n % ROOM);
}

static int roll_fd(void)
{
	int p[2] = {-1, -1};

	switch (dice(6)) {
	case 0:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 2:
		if (pipe2(p, O_CLOEXEC) < 0)
			return -1;
		close(p[1]);
		return p[0];
	default:
		return -1;
	}
}

static void die(void)
{
	switch (dice(5)) {
	case 0:
		exit(0);
	case 1:
		exit(3);
	case 2:
		abort();
	case 3:
		sleep(1); /* says nothing, hears nothing */
		exit(0);
	default:
		kill(getpid(), SIGKILL);
	}
}

static struct counts *map_counts(const char *dir)
{
	char path[256];
	void *map = MAP_FAILED;
	int fd;

	snprintf(path, sizeof(path), "%s/counts", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0 && ftruncate(fd, sizeof(struct counts)) == 0)
		map = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		exit(2);
	return map;
}

/* What the signals ask for counts as done, or the manager to come would power off: until none is left for some time. */
static void hear_all(void)
{
	for (unsigned quiet = 0, n = 0; quiet < QUIET_NAPS && n < HEAR_NAPS; n++, nap()) {
		uint64_t left = table->signal_set;

		quiet = left ? 0 : quiet + 1;
		for (; left; left &= left - 1) {
			struct packet p = {.req = {.op = BANK_HEARD,
						   .arg = __builtin_ctzll(left) + 1,
						   .token = table->signals}};

			(void)ask(&p, -1);
		}
	}
}

static void at_random(char **argv)
{
	static struct packet p;
	uint64_t end_us = clock_mono_us() + dice(LIFE_MOST_US);
	char sane[256];

	snprintf(sane, sizeof(sane), "%s/sane", argv[0]);
	counts = map_counts(argv[0]);
	counts->lives++;
	while (clock_mono_us() < end_us) {
		size_t n = roll(&p);
		int fd = roll_fd();

		counts->records += send_bytes(&p, n, fd) == 0;
		if (fd >= 0)
			close(fd);
		if (dice(64) == 0 && access(sane, F_OK) == 0) {
			hear_all();
			execv(argv[1], argv + 1);
		}
	}
	die();
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	void *map = mmap(NULL, sizeof(*table), PROT_READ, MAP_SHARED, BANK_TABLE_FD, 0);

	if (map == MAP_FAILED)
		return 1;
	table = map;
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	tokens = clock_mono_us();
	srand((unsigned)tokens);
	if (!strcmp(word, "crash"))
		table->crashes ? exit(0) : abort();
	if (!strcmp(word, "refused"))
		refused();
	else if (!strcmp(word, "final"))
		final();
	else if (!strcmp(word, "random") && argc > 3)
		at_random(argv + 2);
	return 2;
}
