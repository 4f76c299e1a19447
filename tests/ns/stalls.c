/* SPDX-License-Identifier: MIT */
/*
 * stalls FILE: when the machine kept programs from running that wanted to. One process for each processor sleeps PERIOD_US again and
 * again; where it came too late FILE gets a line, "UNTIL US": when it ran again (CLOCK_BOOTTIME, in us) and how much too late. Delays
 * below LATE_US, as any program has them beside others, are not told. It runs until it is ended.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_US = 2000, LATE_US = 5000 };

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int watch(int fd, int cpu)
{
	cpu_set_t own;

	CPU_ZERO(&own);
	CPU_SET(cpu, &own);
	if (sched_setaffinity(0, sizeof(own), &own) < 0)
		return 1;
	for (;;) {
		uint64_t due_us = now_us() + PERIOD_US, until_us;

		usleep(PERIOD_US);
		until_us = now_us();
		if (until_us - due_us >= LATE_US)
			dprintf(fd, "%llu %llu\n", (unsigned long long)until_us,
				(unsigned long long)(until_us - due_us));
	}
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
	cpu_set_t all;

	if (fd < 0 || sched_getaffinity(0, sizeof(all), &all) < 0) {
		perror("stalls");
		return 1;
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			return watch(fd, cpu);
		}
	pause();
	return 0;
}
