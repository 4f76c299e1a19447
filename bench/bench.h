/* SPDX-License-Identifier: MIT */
/*
 * bench - what the programs of the bench share: the clock, the report, addresses.
 *
 * A report is a file on tmpfs to which every payload appends one record (O_APPEND, one write), with
 * the time it took itself: so a reader may look at it as late as it likes.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct record {
	uint64_t ns; /* CLOCK_MONOTONIC */
	uint32_t pid;
	uint32_t id;
};

/* An address: unix:PATH, unix:@ABSTRACT or tcp:PORT (on the loopback). */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	} u;
	socklen_t len;
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn)) static inline void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(111);
}

static inline int to_int(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static inline struct address to_address(const char *text)
{
	struct address a = {0};

	if (!strncmp(text, "unix:", 5)) {
		size_t n = strlen(text + 5);

		a.u.un.sun_family = AF_UNIX;
		if (n >= sizeof(a.u.un.sun_path))
			die("address too long");
		memcpy(a.u.un.sun_path, text + 5, n);
		a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		if (text[5] == '@')
			a.u.un.sun_path[0] = 0;
		else
			a.len++;
		return a;
	}
	if (strncmp(text, "tcp:", 4) != 0)
		die("address: unix:PATH or tcp:PORT");
	a.u.in.sin_family = AF_INET;
	a.u.in.sin_port = htons((uint16_t)to_int(text + 4));
	a.u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.len = sizeof(a.u.in);
	return a;
}
