/* SPDX-License-Identifier: MIT */
/*
 * A service and its logger, with a FIFO between them that neither of them owns:
 *   chain write FILE N   lines "RUN.1", "RUN.2" ... to stdout until N were written by all runs together, then "end"; FILE counts
 *   chain log FILE       moves what comes on descriptor 3 to the end of FILE, taking nothing out that is not there
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIPE_MOST = 65536, LINE = 64 };

/* Shared by all runs of the writer; each changes it right after the line it counts is in the pipe. */
struct count {
	long runs, lines;
};

static int write_lines(const char *path, long n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	volatile struct count *c;
	long run;

	if (fd < 0 || ftruncate(fd, sizeof(*c)) < 0)
		return 1;
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		return 1;
	run = ++c->runs;
	for (long i = 1; c->lines < n; i++) {
		char line[LINE];
		int length = snprintf(line, sizeof(line), "%ld.%ld\n", run, i);

		if (write(STDOUT_FILENO, line, (size_t)length) != length)
			return 1;
		c->lines++;
	}
	printf("# %ld lines in %ld runs\n", c->lines, run);
	puts("end");
	return 0;
}

static int log_lines(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		return 1;
	while (splice(3, NULL, fd, NULL, PIPE_MOST, 0) > 0)
		continue;
	return 1;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "write"))
		return write_lines(argv[2], atol(argv[3]));
	if (argc > 2 && !strcmp(argv[1], "log"))
		return log_lines(argv[2]);
	return 2;
}
