/* SPDX-License-Identifier: MIT */
/*
 * Makes a running hark-init fault: `strike PID N MIN_US MAX_US`. Real ones, at whatever instruction it has come to: a write
 * to NULL, an illegal instruction and a division by zero are written behind its text by ptrace(2), which is gone before
 * they are executed; SIGSEGV, SIGBUS and SIGABRT come as signals. After each the same process must count one life more in the bank's table,
 * within 20 s. Prints `struck=N survived=N worst_ms=N`.
 */
#include "core/bank.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	POLL_US = 200,
	LONGEST_US = 20000000,
	IDLE_US = 200000,  /* without requests for so long it has gone round its loop, too */
	TURN_REQUESTS = 26 /* more than it handles in one turn, and the one it had in hand */
};

/* Machine code for a fault, at most one word; signals where there is none. */
static const struct {
	int sig;
	unsigned long code;
} kinds[] = {
#ifdef __x86_64__
	{0, 0x008900000000b8}, /* mov $0, %eax; mov %eax, (%rax) */
	{0, 0x0b0f},           /* ud2 */
	{0, 0xf1f7c931},       /* xor %ecx, %ecx; div %ecx */
#endif
	{SIGSEGV, 0},          {SIGBUS, 0}, {SIGABRT, 0},
};

#ifdef __x86_64__
/* The end of its text, where no code is: 0 or the address. */
static unsigned long end_of_text(pid_t pid)
{
	char path[64], line[512], flags[8];
	unsigned long start, end = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, flags) == 3 && flags[2] == 'x')
			break;
	if (f)
		fclose(f);
	return end ? end - sizeof(long) : 0;
}

/* Have it execute that code next, in the place of what it was about to do. */
static bool divert(pid_t pid, unsigned long code)
{
	struct user_regs_struct regs;
	unsigned long place = end_of_text(pid);
	bool is_done;

	if (!place || ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return false;
	is_done = ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 &&
		  waitpid(pid, NULL, __WALL) == pid &&
		  ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0;
	regs.rip = place;
	regs.orig_rax = (unsigned long)-1; /* no system call is to be restarted */
	is_done = is_done && ptrace(PTRACE_POKETEXT, pid, (void *)place, (void *)code) == 0 &&
		  ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0;
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 && is_done;
}
#else
static bool divert(pid_t pid, unsigned long code)
{
	return kill(pid, code ? SIGSEGV : SIGABRT) == 0;
}
#endif

static void await_turn(const volatile struct bank_table *t)
{
	uint64_t first = t->handled;

	for (useconds_t us = 0; us < IDLE_US && t->handled < first + TURN_REQUESTS; us += POLL_US)
		usleep(POLL_US);
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 4 ? atoi(argv[1]) : 0;
	int n = argc > 4 ? atoi(argv[2]) : 0, survived = 0, fd;
	useconds_t min_us = argc > 4 ? (useconds_t)atoi(argv[3]) : 0,
		   max_us = argc > 4 ? (useconds_t)atoi(argv[4]) : 0;
	const struct bank_table *t;
	useconds_t worst_us = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, BANK_TABLE_FD);
	fd = open(path, O_RDONLY);
	t = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*t), PROT_READ, MAP_SHARED, fd, 0);
	if (t == MAP_FAILED) {
		fprintf(stderr, "strike: no table of %d\n", pid);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		size_t kind = (size_t)i % ARRAY_SIZE(kinds);
		uint32_t before = *(volatile const uint32_t *)&t->lives;
		useconds_t took_us = 0;

		if (kinds[kind].sig ? kill(pid, kinds[kind].sig) < 0
				    : !divert(pid, kinds[kind].code))
			break;
		while (*(volatile const uint32_t *)&t->lives == before && took_us < LONGEST_US) {
			usleep(POLL_US);
			took_us += POLL_US;
		}
		survived += took_us < LONGEST_US && kill(pid, 0) == 0;
		worst_us = took_us > worst_us ? took_us : worst_us;
		await_turn(t);
		usleep(min_us + (useconds_t)(random() % (long)(max_us - min_us + 1)));
	}
	printf("struck=%d survived=%d worst_ms=%u\n", n, survived, worst_us / 1000);
	return survived == n ? 0 : 1;
}
