/* SPDX-License-Identifier: MIT */
/*
 * bus - hark's face on D-Bus: connections, calls in progress, replies. What is called is in bus_serve.h, what is told unasked in bus_watch.h.
 *
 * A call is taken from a connection, checked against the tables (types, rights), given to its handler, and lives until it is answered, which is
 * exactly once: a call that is freed unanswered is answered with an error. The manager is asked in the caller's name.
 */
#pragma once

#include "activate/ask.h"
#include "activate/bus_api.h"
#include "activate/bus_link.h"
#include "activate/bus_path.h"

struct bus {
	struct loop *loop;
	struct asker asker;
	struct bus_link link;
	DBusServer *server; /* of the private socket */
	struct list peers;  /* struct bus_peer */
	struct list calls;
	struct task reap; /* of peers that are gone */
	unsigned peers_n;
	unsigned jobs_asked; /* calls whose job is not known yet: ends of jobs are held back */
	void (*on_job_known)(struct bus *b);
	struct bus_watch *watch;
};

/* A connection: of a client on the private socket, or ours to a bus. */
struct bus_peer {
	struct list node;
	struct bus_line line;
	struct bus *bus;
	uid_t uid; /* of the client */
	pid_t pid;
	bool is_gone;
	bool is_subscribed;
};

enum { BUS_ARGS = 64 };

struct bus_call {
	struct list node;
	struct bus *bus;
	struct bus_peer *peer; /* NULL: the caller went away, its answer is dropped */
	DBusMessage *message;
	struct bus_object object;
	const struct bus_method *method;
	uid_t uid;
	pid_t pid;
	struct ask ask;
	bool is_asking, is_job;
	const char *args[BUS_ARGS]; /* borrowed from the message or `unit` */
	char unit[UNIT_NAME_MAX + 1];
	char caller[32];                    /* of the option */
	void (*finish)(struct bus_call *c); /* the answer of the manager is in ask.rows */
};

/* path: of the control socket, borrowed. 0 or -errno. */
MUST_USE int bus_init(struct bus *b, struct loop *loop, const char *path);
/* Serve the private socket at address ("systemd:" for the descriptors that we were started with). 0 or -errno. */
MUST_USE int bus_serve_private(struct bus *b, const char *address);
void bus_fini(struct bus *b);

/* --- for handlers --- */

/* Ask the manager with verb and args (args_n of c->args); finish is called with the rows, or the caller gets the manager's error. */
void bus_ask(struct bus_call *c, enum verb_id verb, unsigned args_n,
	     void (*finish)(struct bus_call *c));
/* An empty reply to be filled; NULL: no memory (the call is over). */
DBusMessage *bus_reply_new(struct bus_call *c);
/* Send it and end the call. reply NULL: an empty one. */
void bus_reply(struct bus_call *c, DBusMessage *reply);
/* Answer with an error and end the call. name: "NoSuchUnit" is BUS_NAME's, one with dots stands as it is. */
void bus_fail(struct bus_call *c, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Answer with what a row "error" of the manager says, if there is one: true, the call is over. */
bool bus_fail_by_rows(struct bus_call *c);
