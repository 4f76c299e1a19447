/* SPDX-License-Identifier: MIT */
/*
 * parrot - a D-Bus server that has its answer ready, so that what is left of a client's time is the client's own.
 *
 *   parrot PATH SERVER
 *
 * Listens at PATH. What the first client and the server at the socket SERVER say to each other is passed on and kept; each further client gets
 * what the server said: its part of the handshake at the client's BEGIN, the rest at the client's first question.
 */
#include "bench.h"

#include <poll.h>
#include <stdbool.h>

static const char handshake_end[] = "AGREE_UNIX_FD\r\n", begin[] = "BEGIN\r\n";
static char said[1 << 20]; /* by the server */
static size_t said_n;

static int open_socket(const char *path, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool say(int fd, const char *bytes, size_t n)
{
	return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void learn(int client, int server)
{
	struct pollfd p[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	char bytes[4096];

	while (poll(p, 2, -1) > 0) {
		bool is_answer = p[1].revents != 0;
		char *at = is_answer ? said + said_n : bytes;
		ssize_t n = read(p[is_answer].fd, at,
				 is_answer ? sizeof(said) - said_n : sizeof(bytes));

		if (n <= 0 || !say(p[!is_answer].fd, at, (size_t)n))
			return;
		said_n += is_answer ? (size_t)n : 0;
	}
}

static void repeat(int client, size_t handshake_n)
{
	char bytes[4096];
	bool has_begun = false;
	ssize_t n;

	while ((n = read(client, bytes, sizeof(bytes))) > 0) {
		const char *end = has_begun ? NULL
					    : memmem(bytes, (size_t)n, begin, sizeof(begin) - 1);
		bool has_asked = has_begun || (end && end + sizeof(begin) - 1 < bytes + n);

		if (end)
			say(client, said, handshake_n);
		has_begun = has_begun || end;
		if (has_asked)
			say(client, said + handshake_n, said_n - handshake_n);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un here, there;
	int fd = argc == 3 ? open_socket(argv[1], &here) : -1, client, server;
	const char *end;

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 16) < 0)
		return 1;
	server = open_socket(argv[2], &there);
	client = accept(fd, NULL, NULL);
	if (client < 0 || connect(server, (struct sockaddr *)&there, sizeof(there)) < 0)
		return 1;
	learn(client, server);
	close(client);
	close(server);
	end = memmem(said, said_n, handshake_end, sizeof(handshake_end) - 1);
	if (!end)
		return 1;
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		repeat(client, (size_t)(end + sizeof(handshake_end) - 1 - said));
		close(client);
	}
	return 1;
}
