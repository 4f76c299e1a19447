/* SPDX-License-Identifier: MIT */
/*
 * More than anybody has to say:
 *   flood signals PID N SIGNAL...   N signals to PID, the kinds in turn
 *   flood notify N                  N datagrams to NOTIFY_SOCKET: a status, nothing at all, no text, a status with descriptors; prints "done"
 *   flood orphans N MOST    N processes lose their parent, at most MOST at a time, and then end all at once; prints "done"
 *   flood tree              processes that double fork and end, a few at a time, until it is ended
 *   flood strangers FILE    as long as FILE is there, short-lived processes of nobody's, which are sent no signal; prints how many there
 *                           were, and how many were sent one
 *   flood requests PATH N PID       N requests of which none is answered before all have been sent, for PID stands still until then;
 *                                   prints how many were answered, when it went on (CLOCK_MONOTONIC) and how long all took
 */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "ctl/verb.h"

enum { PASSED_FDS = 8, CONNECTIONS = 100, SEND_BYTES = 8 << 20 };

static int send_signals(int argc, char **argv)
{
	pid_t pid = atoi(argv[0]);
	long n = atol(argv[1]);

	for (long i = 0; i < n; i++)
		if (kill(pid, atoi(argv[2 + i % (argc - 2)])) < 0) {
			perror("flood: kill");
			return 1;
		}
	printf("sent=%ld\n", n);
	return 0;
}

static int send_messages(long n)
{
	static char garbage[] = "\0\1\2=\0\n\n", status[] = "STATUS=more and more";
	struct iovec kinds[] = {{status, sizeof(status) - 1},
				{garbage, 0},
				{garbage, sizeof(garbage)},
				{status, sizeof(status) - 1}};
	const char *where = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(PASSED_FDS * sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(PASSED_FDS * sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(CMSG_DATA(&control.head), 0,
	       PASSED_FDS * sizeof(int)); /* all of them descriptor 0 */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", where ? where : "");
	for (long i = 0; i < n; i++) {
		struct msghdr m = {.msg_name = &sa,
				   .msg_namelen = sizeof(sa),
				   .msg_iov = &kinds[i % 4],
				   .msg_iovlen = 1};

		if (i % 4 == 3) {
			m.msg_control = &control;
			m.msg_controllen = sizeof(control);
		}
		if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
			perror("flood: sendmsg");
			return 1;
		}
	}
	puts("done");
	return 0;
}

static bool ask(int fd, unsigned long n)
{
	static struct wire_out o;
	char id[24];

	snprintf(id, sizeof(id), "%lu", n + 1);
	wire_begin(&o, FRAME_REQUEST, (uint32_t)n + 1);
	return wire_put(&o, TAG_VERB, str_of(n % 2 ? "start" : "is-active")) &&
	       wire_put(&o, TAG_ID, str_of(id)) && wire_put(&o, TAG_ARG, str_of("test.target")) &&
	       wire_send(fd, &o) == 0;
}

static int send_requests(const char *path, unsigned long n, pid_t manager)
{
	static struct wire_in in;
	struct pollfd p[CONNECTIONS];
	unsigned long sent = 0, answered = 0;
	uint64_t begin_us;

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		p[i] = (struct pollfd){.fd = wire_connect(path), .events = POLLIN};
		/* As root: more than the system grants everybody. */
		setsockopt(p[i].fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){SEND_BYTES}, sizeof(int));
	}
	kill(manager, SIGSTOP);
	while (sent < n && ask(p[sent % CONNECTIONS].fd, sent))
		sent++;
	begin_us = clock_mono_us();
	kill(manager, SIGCONT);
	while (answered < sent && poll(p, CONNECTIONS, 10000) > 0)
		for (unsigned i = 0; i < CONNECTIONS; i++)
			answered += p[i].revents & POLLIN && wire_recv(p[i].fd, &in) == 0 &&
				    in.kind == FRAME_END;
	printf("sent=%lu answered=%lu begin_us=%llu ms=%llu\n", sent, answered,
	       (unsigned long long)begin_us,
	       (unsigned long long)((clock_mono_us() - begin_us) / US_PER_MS));
	return 0;
}

static void nap_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* n children of a process that ends before them; they end when the pipe does. Returns how many there are. */
static long make_orphans(long n)
{
	int gate[2], count[2];
	long made = 0;
	pid_t parent;

	if (pipe(gate) < 0 || pipe(count) < 0)
		return 0;
	parent = fork();
	if (parent == 0) {
		close(gate[1]);
		for (made = 0; made < n; made++) {
			pid_t pid = fork();

			if (pid < 0)
				break;
			if (pid == 0)
				_exit((int)read(gate[0], &(char){0}, 1));
		}
		_exit(write(count[1], &made, sizeof(made)) < 0);
	}
	close(count[1]);
	if (parent < 0 || read(count[0], &made, sizeof(made)) != sizeof(made))
		made = 0;
	waitpid(parent, NULL, 0);
	close(count[0]);
	close(gate[0]);
	close(gate[1]);
	return made;
}

static int send_orphans(long n, long most)
{
	for (long made; n > 0; n -= made) {
		made = make_orphans(n < most ? n : most);
		if (!made)
			nap_us(10000); /* no process can be made: those before have to be reaped first */
	}
	puts("done");
	return 0;
}

static int grow_tree(void)
{
	srand((unsigned)getpid());
	for (;;) {
		if (fork() == 0) {
			if (fork() == 0)
				nap_us(rand() % 5000);
			_exit(0);
		}
		nap_us(rand() % 3000);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
}

static volatile sig_atomic_t was_hit;

static void on_hit(int sig)
{
	was_hit = sig;
}

/* A process that hears every signal and does nothing else: its exit status is the one it was sent, or 0. */
static void be_stranger(void)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, on_hit);
	for (int i = 0; i < 20 && !was_hit; i++)
		nap_us(500);
	_exit(was_hit);
}

static int be_strangers(const char *file)
{
	unsigned long n = 0, hit = 0;
	int status, living = 0;

	while (access(file, F_OK) == 0 || living) {
		pid_t pid = access(file, F_OK) == 0 && living < 12 ? fork() : -1;

		if (pid == 0)
			be_stranger();
		living += pid > 0;
		n += pid > 0;
		if (pid > 0)
			continue;
		nap_us(300);
		while (waitpid(-1, &status, WNOHANG) > 0) {
			living--;
			hit += status != 0;
		}
	}
	printf("strangers=%lu hit=%lu\n", n, hit);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "orphans"))
		return send_orphans(atol(argv[2]), atol(argv[3]));
	if (argc > 1 && !strcmp(argv[1], "tree"))
		return grow_tree();
	if (argc > 2 && !strcmp(argv[1], "strangers"))
		return be_strangers(argv[2]);
	if (argc > 4 && !strcmp(argv[1], "signals"))
		return send_signals(argc - 2, argv + 2);
	if (argc > 2 && !strcmp(argv[1], "notify"))
		return send_messages(atol(argv[2]));
	if (argc > 4 && !strcmp(argv[1], "requests"))
		return send_requests(argv[2], strtoul(argv[3], NULL, 10), atoi(argv[4]));
	return 2;
}
