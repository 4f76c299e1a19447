/* SPDX-License-Identifier: MIT */
/*
 * storm DIR N RATE [DIFFERENT]: mounts and unmounts N times a tmpfs, RATE of them a second (0: as fast as it goes), at DIR/0 ... DIR/DIFFERENT-1 in turn, each
 * place unmounted when its turn comes again. With DIFFERENT = N all stay. Prints the seconds that it took.
 * storm DIR N: all that lies over DIR/0 ... DIR/N-1 is unmounted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_until(double when)
{
	double left = when - now();

	if (left > 0)
		nanosleep(&(struct timespec){.tv_sec = (time_t)left,
					     .tv_nsec =
						     (long)((left - (double)(time_t)left) * 1e9)},
			  NULL);
}

static int clear(const char *dir, long n)
{
	char path[4096];

	for (long i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%ld", dir, i);
		while (umount2(path, MNT_DETACH) == 0)
			;
	}
	return 0;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 0, rate = argc > 3 ? atol(argv[3]) : 0;
	long different = argc > 4 ? atol(argv[4]) : 1;
	double begin;
	char path[4096];

	if (n < 1 || different < 1)
		return 2;
	if (argc == 3)
		return clear(argv[1], n);
	for (long i = 0; i < different; i++) {
		snprintf(path, sizeof(path), "%s/%ld", argv[1], i);
		mkdir(path, 0755);
	}
	begin = now();
	for (long i = 0; i < n; i++) {
		if (rate)
			wait_until(begin + (double)i / (double)rate);
		snprintf(path, sizeof(path), "%s/%ld", argv[1], i % different);
		if (i >= different && umount2(path, MNT_DETACH) < 0)
			return perror(path), 1;
		if (mount("storm", path, "tmpfs", 0, "size=4k") < 0)
			return perror(path), 1;
	}
	printf("%.3f\n", now() - begin);
	return 0;
}
