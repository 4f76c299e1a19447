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

struct bus;
struct bus_call;
struct bus_peer;

/* What clients want to stay: bus_refs.h. */
struct bus_refs {
	struct list list; /* struct ref */
	struct ask ask;   /* what the manager knows of them, when we are new */
	bool is_learned, is_asking;
	void (*then)(struct bus *b);
};

/* Scopes that others end: bus_controller.h. */
struct bus_controllers {
	struct list list; /* struct controlled */
	struct ask ask;
	const char *args[1];
	bool is_asking;
	void (*then)(struct bus *b); /* or NULL */
};

/* What children of ours do: bus_work.h. */
struct bus_works {
	struct list waiting; /* bus_call.wait_node: the first is being worked at */
	struct watch answer; /* of its child */
	struct sbuf bytes;   /* of the answer, so far */
};

enum { BUS_HOLDER_MAX = 63 };

struct bus {
	struct loop *loop;
	struct asker asker;
	struct bus_link link;
	const char *run_dir; /* borrowed */
	DBusServer *server;  /* of the private socket */
	struct list peers;   /* struct bus_peer */
	struct list calls;
	struct task reap; /* of peers that are gone */
	unsigned peers_n;
	unsigned jobs_asked; /* calls whose job is not known yet: ends of jobs are held back */
	void (*on_job_known)(struct bus *b);
	void (*on_left)(struct bus_peer *p); /* a client of the private socket */
	void (*on_missed)(
		struct bus *b); /* subscribers may have missed something: we are new to them */
	struct bus_watch *watch;
	struct bus_system *system; /* NULL: no bus is followed */
	struct list tellings;      /* what the manager is being told, in this order */
	bool is_telling;
	bool is_reloading; /* as it was told last */
	struct list kept;  /* bus_keep.h */
	struct bus_refs refs;
	struct bus_controllers controllers;
	struct bus_works works;
	int answer_fd;       /* of a child: where the one answer goes; -1: we are no child */
	uint32_t peers_made; /* ever */
};

/* What is different on a connection to a bus: many speak on it, the bus itself among them. */
struct bus_seat {
	/* Before the peer is freed. */
	void (*gone)(struct bus_peer *p);
	void (*signal)(struct bus_peer *p, DBusMessage *m);
	/* Who sent the call? Fills in c->uid and c->pid, now or later, then calls go_on; or the call fails. */
	void (*identify)(struct bus_call *c, void (*go_on)(struct bus_call *c));
	/* May the sender do what polkit calls `action`? go_on is called if so, now or later; or the call fails. */
	void (*authorize)(struct bus_call *c, const char *action,
			  void (*go_on)(struct bus_call *c));
	/* The sender of c wants to be told of changes, or no longer. Whether it did until now. */
	bool (*subscribe)(struct bus_call *c, bool wants);
};

/* A connection: of a client on the private socket, or ours to a bus. */
struct bus_peer {
	struct list node;
	struct bus_line line;
	struct bus *bus;
	uid_t uid; /* of the client */
	pid_t pid;
	const struct bus_seat *seat; /* ours to a bus; NULL: a client's */
	bool is_gone;
	bool is_subscribed;
	uint32_t serial; /* of all that ever were */
};

enum { BUS_ARGS = REQUEST_ARGS };

struct bus_call {
	struct list node, wait_node; /* wait_node: of those whose caller is not known yet */
	struct bus *bus;
	struct bus_peer *peer; /* NULL: the caller went away, its answer is dropped */
	DBusMessage *message;
	struct bus_object object;
	const struct bus_method *method;
	uid_t uid;
	pid_t pid;
	struct ask ask;
	bool is_asking, is_job;
	bool wants_ref; /* AddRef=: the caller wants the unit to stay */
	bool is_authorizing; /* polkit is asked, which may ask a person: that takes as long as it takes */
	bool is_authorized; /* polkit says that the caller may do what only root may */
	void (*go_on)(struct bus_call *c);
	void (*work)(struct bus_call *c); /* by a child: bus_work.h */
	void (*after_work)(struct bus *b);
	const char *args[BUS_ARGS]; /* borrowed from the message or `unit` */
	char unit[UNIT_NAME_MAX + 1];
	struct sbuf told; /* collected over several questions */
	char *text;       /* owned: what the arguments point to, when that is made here */
	int fds[3];       /* owned; that came with the call */
	unsigned fds_n;
	char caller[32];                    /* of the option */
	void (*finish)(struct bus_call *c); /* the answer of the manager is in ask.rows */
};

/* path: of the control socket, borrowed. 0 or -errno. */
MUST_USE int bus_init(struct bus *b, struct loop *loop, const char *path);
/* Serve the private socket at address ("systemd:" for the descriptors that we were started with). 0 or -errno. */
MUST_USE int bus_serve_private(struct bus *b, const char *address);
/* Take a connection in; seat is NULL for a client's. NULL: no memory, or too many. */
struct bus_peer *bus_peer_add(struct bus *b, DBusConnection *conn, const struct bus_seat *seat);
void bus_fini(struct bus *b);

/*
 * bus_tell() - tell the manager something that no caller waits for; words is copied.
 *
 * One request goes after the other: what was told last is what counts. False: no memory, nothing is told.
 */
bool bus_tell(struct bus *b, enum verb_id verb, const char *const *words, unsigned n);

/* --- for handlers --- */

/* The n-th argument (from 0), a text, of a message whose types were checked. */
const char *bus_text_argument(const struct bus_call *c, unsigned n);
/* The same, a number. */
uint64_t bus_number_argument(const struct bus_call *c, unsigned n);
/* The items of the n-th argument, a list of texts, into args from `at` on. False: too many. */
bool bus_list_argument(const struct bus_call *c, unsigned n, const char **args, unsigned *at);
/* The number of the job that is meant, of the object, else the first argument. */
uint32_t bus_job_argument(const struct bus_call *c);
/* There is no such job: the call is over. */
void bus_fail_no_job(struct bus_call *c);
/* The unit that is meant, of the object, else of the first argument: into c->unit and c->args[0]. False: the call is over. */
bool bus_take_unit(struct bus_call *c);

/* Ask the manager with verb and args (args_n of c->args); finish is called with the rows, or the caller gets the manager's error. */
void bus_ask(struct bus_call *c, enum verb_id verb, unsigned args_n,
	     void (*finish)(struct bus_call *c));
/* An empty reply to be filled; NULL: no memory (the call is over). */
DBusMessage *bus_reply_new(struct bus_call *c);
/* Send it and end the call. reply NULL: an empty one. */
void bus_reply(struct bus_call *c, DBusMessage *reply);
/* Answer with an error and end the call. name: "NoSuchUnit" is BUS_NAME's, one with dots stands as it is. */
void bus_fail(struct bus_call *c, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The name of the error that the word of a refusal stands for; NULL: none. */
const char *bus_error_name(struct str refusal);
/* Answer with what a row "error" of the manager says, if there is one: true, the call is over. */
bool bus_fail_by_rows(struct bus_call *c);
/* The manager has shown c->unit, LoadState among its properties. False: there is no such unit, the call is over. */
bool bus_is_loaded(struct bus_call *c);
