/* SPDX-License-Identifier: MIT */
/*
 * Restarts units again and again: `again PATH N UNIT...` asks the manager behind the socket PATH for N restarts in all, of all UNITs at
 * once and of each as soon as its last one is over. Prints a line for each of the first that was not done, with what was told, and
 * `restarts=N failed=N ms=N`.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/fd.h"
#include "ctl/rows.h"
#include "ctl/verb.h"

enum { MOST_UNITS = 64, MOST_LINES = 20, PATIENCE_MS = 100000 };

static const char *path;
static unsigned long left, asked, done, failed;

/* A request of its own each time: who asked for the last one would be told for a moment longer whether the unit stays. Or -1. */
static int ask(const char *unit)
{
	static struct wire_out o;
	int fd = left ? wire_connect(path) : -1;

	if (fd < 0)
		return -1;
	left--, asked++;
	wire_begin(&o, FRAME_REQUEST, 1);
	if (!wire_put(&o, TAG_VERB, STR("restart")) || !wire_put(&o, TAG_ARG, str_of(unit)) ||
	    wire_send(fd, &o) < 0)
		fd_close(fd);
	return fd;
}

static void tell(const char *unit, const struct row *row)
{
	if (++failed > MOST_LINES)
		return;
	printf("%lu %s:", done, unit);
	for (unsigned i = 0; row && i < row->n; i++)
		if (row->fields[i].text.n)
			printf(" %s=%.*s", row->fields[i].key, (int)row->fields[i].text.n,
			       row->fields[i].text.p);
	printf("%s\n", row ? "" : " no answer");
	fflush(stdout);
}

/* True: what was asked for is over, one way or the other. */
static bool hear(int fd, const char *unit)
{
	static struct wire_in in;
	struct rows rows;
	struct str value;
	uint16_t tag;
	const struct row *row = NULL;
	bool is_over = wire_recv(fd, &in) < 0 || in.kind == FRAME_END;

	rows_init(&rows);
	while (wire_next(&in, &tag, &value)) {
		const struct row *next = tag == TAG_EXIT ? NULL : rows_add(&rows, tag, value);

		row = next && (row_is(next, "job") || row_is(next, "error")) ? next : row;
	}
	is_over = is_over || row;
	if (is_over && !(row && str_eq_z(row_text(row, "result"), "done")))
		tell(unit, row);
	rows_fini(&rows);
	return is_over;
}

int main(int argc, char **argv)
{
	struct pollfd p[MOST_UNITS];
	int n = argc - 3;
	uint64_t begin_us = clock_mono_us();

	if (n < 1 || n > MOST_UNITS)
		return 2;
	path = argv[1];
	left = strtoul(argv[2], NULL, 10);
	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = ask(argv[3 + i]), .events = POLLIN};
	while (asked > done && poll(p, (nfds_t)n, PATIENCE_MS) > 0)
		for (int i = 0; i < n; i++) {
			if (!p[i].revents || !hear(p[i].fd, argv[3 + i]))
				continue;
			done++;
			fd_close(p[i].fd);
			p[i].fd = ask(argv[3 + i]);
		}
	printf("restarts=%lu failed=%lu ms=%llu\n", done, failed,
	       (unsigned long long)((clock_mono_us() - begin_us) / US_PER_MS));
	return 0;
}
