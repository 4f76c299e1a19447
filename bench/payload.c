/* SPDX-License-Identifier: MIT */
/*
 * payload - the service that is measured: as little as a process can do, so
 * that what is left is the manager. Built with -DPAYLOAD_BARE (x86-64) it uses
 * no libc: 20 kB of memory, one page of code.
 *
 *   payload r:REPORT:ID   append a record to REPORT, stay
 *   payload o:REPORT:ID   append a record to REPORT, exit
 *   payload a             accept on descriptor 3, answer one byte, exit
 * (Accept=no) payload w             the same on descriptor 0 (inetd's "wait")
 *   payload e             answer one byte on descriptor 0, exit (Accept=yes,
 * "nowait") payload x             exit
 *
 * One word, so that a "#!" line can name it: supervisors then pay for no shell.
 */
#include "bare.h"

#include <fcntl.h>
#include <stdint.h>
#include <time.h>

struct record {
	uint64_t ns;
	uint32_t pid;
	uint32_t id;
};

/* "REPORT:ID" */
static int report(char *spec)
{
	struct record rec = {0};
	struct timespec t;
	char *id = spec;
	long fd;

	while (*id && *id != ':')
		id++;
	if (*id)
		*id++ = 0;
	while (*id)
		rec.id = rec.id * 10 + (uint32_t)(*id++ - '0');
	fd = call(SYS_open, (long)spec, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	rec.pid = (uint32_t)call(SYS_getpid, 0, 0, 0);
	call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0);
	rec.ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return call(SYS_write, fd, (long)&rec, sizeof(rec)) == sizeof(rec) ? 0 : 1;
}

static int answer(long fd)
{
	return call(SYS_write, fd, (long)"!", 1) == 1 ? 0 : 1;
}

int main(int argc, char **argv)
{
	char mode = argc > 1 ? argv[1][0] : 'x';
	int r = 0;

	if (mode == 'r' || mode == 'o')
		r = report(argv[1] + (argv[1][1] == ':' ? 2 : 1));
	else if (mode == 'a' || mode == 'w')
		r = answer(call(SYS_accept4, mode == 'a' ? 3 : 0, 0, 0));
	else if (mode == 'e')
		r = answer(0);
	while (mode == 'r')
		call(SYS_pause, 0, 0, 0);
	return r;
}
