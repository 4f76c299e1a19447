/* SPDX-License-Identifier: MIT */
/*
 * client - measures from outside; prints one JSON object.
 *
 *   client first ADDRESS COUNT GAP_US     connect to first byte, one after the other
 *   client rate ADDRESS COUNT CONCURRENT  connections answered per second
 *   client kill REPORT ROUNDS N           SIGKILL services 0..N-1 to the report of the last new one
 *   client time COUNT COMMAND...          wall time of a command
 */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/wait.h>

enum { MOST = 1024, SECONDS = 20, POLL_US = 100 };

static uint64_t *sample; /* ns */
static int sample_n, fail_n;

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_samples(uint64_t wall_ns)
{
	size_t n = (size_t)sample_n;

	qsort(sample, n, sizeof(*sample), compare);
	if (!n)
		printf("{\"n\": 0, \"fail\": %d}\n", fail_n);
	else
		printf("{\"n\": %zu, \"fail\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"per_s\": %.1f}\n",
		       n, fail_n, (double)sample[n / 2] / 1e3,
		       (double)sample[(n - 1) * 99 / 100] / 1e3, (double)sample[n - 1] / 1e3,
		       (double)n * 1e9 / (double)wall_ns);
}

static int dial(const struct address *a, int flags)
{
	struct timeval limit = {.tv_sec = SECONDS};
	int fd = socket(a->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (connect(fd, &a->u.any, a->len) < 0) {
		if (errno == EINPROGRESS)
			break;
		if (errno != EAGAIN && errno != EINTR) {
			close(fd);
			return -1;
		}
		usleep(50); /* the backlog of a UNIX socket is full */
	}
	return fd;
}

static void measure_first(const struct address *a, int count, int gap_us)
{
	char byte;

	for (int i = 0; i < count; i++) {
		uint64_t t = now_ns();
		int fd = dial(a, 0);

		if (fd >= 0 && read(fd, &byte, 1) == 1)
			sample[sample_n++] = now_ns() - t;
		else if (++fail_n > 20)
			break;
		if (fd >= 0)
			close(fd);
		usleep((useconds_t)gap_us);
	}
	print_samples(1);
}

struct flight {
	int fd;
	uint64_t since_ns;
};

static int start_flight(struct flight *f, uint32_t i, const struct address *a, int epoll_fd)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = i};

	f->since_ns = now_ns();
	f->fd = dial(a, SOCK_NONBLOCK);
	if (f->fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, f->fd, &e) < 0) {
		fail_n++;
		return 0;
	}
	return 1;
}

static void end_flight(struct flight *f)
{
	char byte;

	if (read(f->fd, &byte, 1) == 1)
		sample[sample_n++] = now_ns() - f->since_ns;
	else
		fail_n++;
	close(f->fd);
}

static void measure_rate(const struct address *a, int count, int concurrent)
{
	static struct flight flight[MOST];
	static struct epoll_event events[MOST];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), left = count, live = 0;
	uint64_t start = now_ns();

	for (int i = 0; i < concurrent && i < MOST && left > 0; i++, left--)
		live += start_flight(&flight[i], (uint32_t)i, a, epoll_fd);
	while (live > 0) {
		int n = epoll_wait(epoll_fd, events, MOST, SECONDS * 1000);

		if (n <= 0) {
			fail_n += live;
			break;
		}
		for (int k = 0; k < n; k++) {
			uint32_t i = events[k].data.u32;

			end_flight(&flight[i]);
			live--;
			if (left-- > 0)
				live += start_flight(&flight[i], i, a, epoll_fd);
		}
	}
	print_samples(now_ns() - start);
}

/* Takes new records from the report; returns how many there were, the time of the latest in *last. */
static int read_report(int fd, pid_t *pids, uint64_t *ret_last_ns)
{
	struct record rec;
	int n = 0;

	while (read(fd, &rec, sizeof(rec)) == sizeof(rec)) {
		if (rec.id < MOST)
			pids[rec.id] = (pid_t)rec.pid;
		if (rec.ns > *ret_last_ns)
			*ret_last_ns = rec.ns;
		n++;
	}
	return n;
}

static void measure_kill(const char *report, int rounds, int n)
{
	static pid_t pids[MOST];
	int fd = open(report, O_RDONLY | O_CLOEXEC);
	uint64_t last = 0;

	read_report(fd, pids, &last);
	for (int i = 0; i < rounds && n <= MOST; i++) {
		uint64_t t;
		int back = 0;

		usleep(50000);
		t = now_ns();
		for (int k = 0; k < n; k++)
			if (kill(pids[k], SIGKILL) < 0)
				die("kill");
		while (back < n && now_ns() - t < SECONDS * 1000000000ull) {
			usleep(POLL_US);
			back += read_report(fd, pids, &last);
		}
		if (back < n)
			fail_n++;
		else
			sample[sample_n++] = last - t;
	}
	print_samples(1);
}

static void measure_command(int count, char **command)
{
	posix_spawn_file_actions_t quiet;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	for (int i = 0; i < count; i++) {
		uint64_t t = now_ns();
		int status = -1;
		pid_t pid;

		if (posix_spawn(&pid, command[0], &quiet, NULL, command, environ) == 0)
			waitpid(pid, &status, 0);
		if (status != 0)
			fail_n++;
		sample[sample_n++] = now_ns() - t;
	}
	print_samples(1);
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? to_int(argv[strcmp(argv[1], "time") ? 3 : 2]) : 0;
	struct address a;

	if (count <= 0 || argc < 4)
		return 2;
	sample = calloc((size_t)count, sizeof(*sample));
	if (!strcmp(argv[1], "time")) {
		measure_command(count, argv + 3);
		return 0;
	}
	if (argc != 5)
		return 2;
	if (!strcmp(argv[1], "kill")) {
		measure_kill(argv[2], count, to_int(argv[4]));
		return 0;
	}
	a = to_address(argv[2]);
	if (!strcmp(argv[1], "first"))
		measure_first(&a, count, to_int(argv[4]));
	else
		measure_rate(&a, count, to_int(argv[4]));
	return 0;
}
