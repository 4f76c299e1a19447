/* SPDX-License-Identifier: MIT */
#include "activate/bus.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "activate/bus_serve.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/mem.h"

enum {
	PEERS_MOST = 256,
	/* Of a client's own connection. On a bus one client's message must not cost all of them the connection: its own limits count. */
	MESSAGE_MOST = 4 * 1024 * 1024,
	RECEIVED_MOST = 16 * 1024 * 1024, /* not yet handled */
	UNSENT_MOST = 16 * 1024 * 1024,   /* a client that does not read is dropped */
};

/* --- calls --- */

static void free_call(struct bus_call *c)
{
	if (c->is_asking)
		ask_cancel(&c->ask);
	else
		rows_fini(&c->ask.rows);
	if (c->is_job && --c->bus->jobs_asked == 0 && c->bus->on_job_known)
		c->bus->on_job_known(c->bus);
	list_del(&c->node);
	list_del(&c->wait_node);
	dbus_message_unref(c->message);
	while (c->fds_n > 0)
		fd_close(c->fds[--c->fds_n]);
	sbuf_fini(&c->told);
	mem_put(c->text);
	mem_put(c);
}

/* A child has nothing else to say: whoever made it sends what it reads here. */
static void hand_over(int fd, DBusMessage *m)
{
	char *bytes = NULL;
	int n = 0;

	dbus_message_set_serial(m, 1); /* what has none is no message */
	if (dbus_message_marshal(m, &bytes, &n))
		(void)!fd_write_all(fd, bytes, (size_t)n);
	dbus_free(bytes);
}

static void send_message(struct bus_peer *p, DBusMessage *m)
{
	if (p && p->bus->answer_fd >= 0) {
		hand_over(p->bus->answer_fd, m);
		return;
	}
	if (!p || p->is_gone)
		return;
	if (dbus_connection_get_outgoing_size(p->line.conn) > UNSENT_MOST) {
		p->is_gone = true;
		loop_defer(p->bus->loop, &p->bus->reap);
		return;
	}
	dbus_connection_send(p->line.conn, m, NULL);
}

DBusMessage *bus_reply_new(struct bus_call *c)
{
	DBusMessage *reply = dbus_message_new_method_return(c->message);

	if (!reply)
		free_call(
			c); /* there is no memory for an error either: the caller's patience ends it */
	return reply;
}

void bus_reply(struct bus_call *c, DBusMessage *reply)
{
	if (!reply)
		reply = bus_reply_new(c);
	if (!reply)
		return;
	if (!dbus_message_get_no_reply(c->message))
		send_message(c->peer, reply);
	dbus_message_unref(reply);
	free_call(c);
}

void bus_fail(struct bus_call *c, const char *name, const char *fmt, ...)
{
	char full[128], text[1024];
	DBusMessage *reply;
	va_list ap;

	snprintf(full, sizeof(full), "%s%s", strchr(name, '.') ? "" : BUS_NAME ".", name);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!dbus_validate_utf8(text, NULL))
		snprintf(text, sizeof(text), "the request failed");
	reply = dbus_message_new_error(c->message, full, text);
	if (reply && !dbus_message_get_no_reply(c->message))
		send_message(c->peer, reply);
	if (reply)
		dbus_message_unref(reply);
	free_call(c);
}

const char *bus_error_name(struct str refusal)
{
	static const struct {
		const char *refusal, *name;
	} refusals[] = {
		{"not-found", "NoSuchUnit"},
		{"masked", "UnitMasked"},
		{"bad", "BadUnitSetting"},
		{"no-manual-start", "OnlyByDependency"},
		{"no-manual-stop", "OnlyByDependency"},
		{"no-isolate", "NoIsolation"},
		{"destructive", "TransactionIsDestructive"},
		{"contradiction", "TransactionJobsConflicting"},
		{"not-applicable", "JobTypeNotApplicable"},
		{"exists", "UnitExists"},
		{"not-running", "ScopeNotRunning"},
		{"not-active", "UnitInactive"},
		{"busy", "UnitBusy"},
		{"nothing-to-clean", "NothingToClean"},
		{"no-property", DBUS_ERROR_PROPERTY_READ_ONLY},
		{"no-process", "NoSuchProcess"},
		{"template", DBUS_ERROR_INVALID_ARGS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (str_eq_z(refusal, refusals[i].refusal))
			return refusals[i].name;
	return NULL;
}

/* What the manager refused, in D-Bus' words. */
static const char *error_of(const struct row *row, int exit)
{
	static const char *const exits[] = {
		NULL,
		DBUS_ERROR_FAILED,
		DBUS_ERROR_INVALID_ARGS,
		"JobTypeNotApplicable",
		DBUS_ERROR_ACCESS_DENIED,
		"NoSuchUnit",
		"BadUnitSetting",
	};
	const char *name = bus_error_name(row_text(row, "refusal"));

	if (name)
		return name;
	return exit > 0 && (size_t)exit < ARRAY_SIZE(exits) ? exits[exit] : exits[1];
}

bool bus_fail_by_rows(struct bus_call *c)
{
	const struct row *row = c->ask.rows.first;
	struct str text;

	while (row && !row_is(row, "error"))
		row = row->next;
	if (!row)
		return false;
	text = row_text(row, "text");
	bus_fail(c, error_of(row, c->ask.exit), STR_FMT, STR_ARG(text));
	return true;
}

bool bus_is_loaded(struct bus_call *c)
{
	const struct row *row = c->ask.rows.first;

	if (bus_fail_by_rows(c))
		return false;
	if (row && !str_eq_z(row_text(row, "LoadState"), "not-found"))
		return true;
	bus_fail(c, "NoSuchUnit", "Unit %s not loaded.", c->unit);
	return false;
}

static void on_answer(struct ask *a, int err)
{
	struct bus_call *c = container_of(a, struct bus_call, ask);

	c->is_asking = false;
	if (err < 0)
		bus_fail(c, "org.freedesktop.DBus.Error.Failed", "the manager does not answer: %s",
			 strerror(-err));
	else
		c->finish(c);
}

void bus_ask(struct bus_call *c, enum verb_id verb, unsigned args_n,
	     void (*finish)(struct bus_call *c))
{
	struct question *q = &c->ask.question;

	rows_fini(&c->ask.rows); /* of a question before */
	if (c->is_job == false && q->options[OPT_NO_WAIT]) {
		c->is_job = true;
		c->bus->jobs_asked++;
		/* Who has something done is told of it, subscribed or not. */
		if (c->peer && c->peer->seat)
			c->peer->seat->subscribe(c, true);
	}
	snprintf(c->caller, sizeof(c->caller), "%u:%d", c->is_authorized ? 0 : c->uid, c->pid);
	q->id = 0; /* each question has a number of its own */
	q->verb = &verbs[verb];
	q->args = c->args;
	q->args_n = args_n;
	q->options[OPT_CALLER] = c->caller;
	c->ask.done = on_answer;
	c->finish = finish;
	c->is_asking = true;
	ask_start(&c->bus->asker, &c->ask);
}

/* --- what the manager is told --- */

struct telling {
	struct list node;
	struct bus *bus;
	struct ask ask;
	const char *args[BUS_ARGS];
	struct arena arena;
};

static void tell_next(struct bus *b)
{
	if (!b->is_telling && !list_is_empty(&b->tellings)) {
		b->is_telling = true;
		ask_start(&b->asker, &list_entry(b->tellings.next, struct telling, node)->ask);
	}
}

static void free_telling(struct telling *t)
{
	rows_fini(&t->ask.rows);
	arena_fini(&t->arena);
	mem_put(t);
}

static void on_told(struct ask *a, int err UNUSED)
{
	struct telling *t = container_of(a, struct telling, ask);

	t->bus->is_telling = false;
	list_del(&t->node);
	tell_next(t->bus);
	free_telling(t);
}

bool bus_tell(struct bus *b, enum verb_id verb, const char *const *words, unsigned n)
{
	struct telling *t = n <= BUS_ARGS ? mem_get(sizeof(*t)) : NULL;
	bool is_good = t;

	for (unsigned i = 0; is_good && i < n; i++) {
		t->args[i] = arena_dup(&t->arena, words[i], strlen(words[i]));
		is_good = t->args[i];
	}
	if (!is_good) {
		log_at(LOG_WARN, "no memory: the manager is not told of %s", verbs[verb].word);
		if (t)
			free_telling(t);
		return false;
	}
	t->ask.question = (struct question){.verb = &verbs[verb], .args = t->args, .args_n = n};
	t->ask.done = on_told;
	t->bus = b;
	list_add_tail(&b->tellings, &t->node);
	tell_next(b);
	return true;
}

/* --- from a message to its handler --- */

const char *bus_text_argument(const struct bus_call *c, unsigned n)
{
	DBusMessageIter it;
	const char *text = "";

	dbus_message_iter_init(c->message, &it);
	while (n-- > 0)
		dbus_message_iter_next(&it);
	dbus_message_iter_get_basic(&it, &text);
	return text;
}

uint64_t bus_number_argument(const struct bus_call *c, unsigned n)
{
	DBusMessageIter it;
	DBusBasicValue v = {.u64 = 0};

	dbus_message_iter_init(c->message, &it);
	while (n-- > 0)
		dbus_message_iter_next(&it);
	dbus_message_iter_get_basic(&it, &v);
	return dbus_message_iter_get_arg_type(&it) == DBUS_TYPE_UINT64 ? v.u64 : v.u32;
}

bool bus_list_argument(const struct bus_call *c, unsigned n, const char **args, unsigned *at)
{
	DBusMessageIter it, list;

	dbus_message_iter_init(c->message, &it);
	while (n-- > 0)
		dbus_message_iter_next(&it);
	dbus_message_iter_recurse(&it, &list);
	for (; dbus_message_iter_get_arg_type(&list) == DBUS_TYPE_STRING;
	     dbus_message_iter_next(&list)) {
		if (*at == BUS_ARGS)
			return false;
		dbus_message_iter_get_basic(&list, &args[(*at)++]);
	}
	return true;
}

uint32_t bus_job_argument(const struct bus_call *c)
{
	return c->object.kind == BUS_OBJECT_JOB ? c->object.job
						: (uint32_t)bus_number_argument(c, 0);
}

void bus_fail_no_job(struct bus_call *c)
{
	bus_fail(c, c->object.kind == BUS_OBJECT_JOB ? DBUS_ERROR_UNKNOWN_OBJECT : "NoSuchJob",
		 "Job %u does not exist.", bus_job_argument(c));
}

/* Is there something to do for that verb in units of that type? */
static bool is_for(enum verb_id verb, enum unit_type type)
{
#define TYPE(type) (1u << UNIT_##type)
	static const uint32_t types[VERBS] = {
		[VERB_KILL] = TYPE(SERVICE) | TYPE(SOCKET) | TYPE(MOUNT) | TYPE(SWAP) |
			      TYPE(SCOPE) | TYPE(SLICE),
		[VERB_CLEAN] = TYPE(SERVICE) | TYPE(SOCKET) | TYPE(MOUNT) | TYPE(SWAP) |
			       TYPE(TIMER),
		[VERB_FREEZE] = TYPE(SERVICE) | TYPE(SCOPE) | TYPE(SLICE),
		[VERB_THAW] = TYPE(SERVICE) | TYPE(SCOPE) | TYPE(SLICE),
	};
#undef TYPE

	return verb >= VERBS || !types[verb] || types[verb] >> type & 1;
}

bool bus_take_unit(struct bus_call *c)
{
	const char *name = c->object.kind == BUS_OBJECT_UNIT ? c->object.unit : NULL;
	char own[UNIT_NAME_MAX + 1];

	if (!name)
		name = bus_text_argument(c, 0);
	/* That of the caller, but for what gets jobs. */
	if (!*name && c->method->serve != serve_job && bus_unit_of_pid(c->pid, own))
		name = own;
	if (!*name && c->method->serve != serve_job)
		bus_fail(c, "NoSuchUnit", "process %d belongs to no unit", c->pid);
	else if (unit_type_of(name) < 0 || strlen(name) > UNIT_NAME_MAX)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "\"%s\" is not the name of a unit", name);
	else if (!is_for(c->method->verb, (enum unit_type)unit_type_of(name)))
		bus_fail(c, DBUS_ERROR_NOT_SUPPORTED, "%s is not for units like %s",
			 c->method->name, name);
	else {
		memcpy(c->unit, name, strlen(name) + 1);
		c->args[0] = c->unit;
		return true;
	}
	return false;
}

static bool is_allowed(const struct bus_call *c)
{
	return c->method->access == BUS_READ || c->uid == 0 || c->uid == getuid();
}

/* What polkit calls that kind of change; NULL: it is not asked. */
static const char *action_of(enum bus_access access)
{
	static const char *const actions[] = {
		[BUS_UNITS] = BUS_NAME ".manage-units",
		[BUS_FILES] = BUS_NAME ".manage-unit-files",
		[BUS_RELOAD] = BUS_NAME ".reload-daemon",
		[BUS_ENVIRONMENT] = BUS_NAME ".set-environment",
		[BUS_POWER] = NULL,
	};

	return actions[access];
}

static void serve(struct bus_call *c)
{
	c->method->serve(c);
}

static void begin(struct bus_call *c)
{
	const char *action;

	const char *interface = dbus_message_get_interface(c->message);
	const char *member = dbus_message_get_member(c->message);
	const char *path = dbus_message_get_path(c->message);
	char types[64], self[BUS_PATH_MAX];

	/* Whoever asks, whatever its unit is called. */
	if (strcmp(path, BUS_ROOT "/unit/self") == 0 && bus_unit_of_pid(c->pid, c->unit)) {
		bus_path_of_unit(c->unit, self);
		path = self;
	}
	bus_object_of_path(path, &c->object);
	if (serve_standard(c))
		return;
	if (c->object.kind == BUS_OBJECT_NONE) {
		bus_fail(c, DBUS_ERROR_UNKNOWN_OBJECT, "there is no object %s", path);
		return;
	}
	c->method = bus_find_method(&c->object, interface, member);
	if (!c->method) {
		bus_fail(c, DBUS_ERROR_UNKNOWN_METHOD, "%s has no method %s", path, member);
		return;
	}
	bus_signature(c->method->in, types, sizeof(types));
	if (strcmp(types, dbus_message_get_signature(c->message)) != 0)
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "%s takes \"%s\", not \"%s\"", member, types,
			 dbus_message_get_signature(c->message));
	else if (!c->method->serve)
		bus_fail(c, DBUS_ERROR_NOT_SUPPORTED, "%s is not supported by hark", member);
	else if (is_allowed(c))
		serve(c);
	else if ((action = action_of(c->method->access)) && c->peer && c->peer->seat)
		c->peer->seat->authorize(c, action, serve);
	else
		bus_fail(c, DBUS_ERROR_ACCESS_DENIED, "only root may call %s", member);
}

static DBusHandlerResult on_message(DBusConnection *conn UNUSED, DBusMessage *m, void *data)
{
	struct bus_peer *p = data;
	struct bus_call *c;

	if (dbus_message_is_signal(m, DBUS_INTERFACE_LOCAL, "Disconnected")) {
		p->is_gone = true;
		loop_defer(p->bus->loop, &p->bus->reap);
		return DBUS_HANDLER_RESULT_HANDLED;
	}
	if (p->seat && dbus_message_get_type(m) == DBUS_MESSAGE_TYPE_SIGNAL && !p->is_gone)
		p->seat->signal(p, m);
	if (dbus_message_get_type(m) != DBUS_MESSAGE_TYPE_METHOD_CALL || p->is_gone)
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	c = mem_get(sizeof(*c));
	if (!c)
		return DBUS_HANDLER_RESULT_NEED_MEMORY;
	c->bus = p->bus;
	c->peer = p;
	c->message = dbus_message_ref(m);
	c->uid = p->uid;
	c->pid = p->pid;
	rows_init(&c->ask.rows);
	list_add_tail(&p->bus->calls, &c->node);
	if (p->seat)
		p->seat->identify(c, begin);
	else
		begin(c);
	return DBUS_HANDLER_RESULT_HANDLED;
}

/* --- connections --- */

static void free_peer(struct bus_peer *p)
{
	struct bus *b = p->bus;

	if (p->seat)
		p->seat->gone(p);
	else if (b->on_left)
		b->on_left(p);
	list_for_each(node, &b->calls) {
		struct bus_call *c = list_entry(node, struct bus_call, node);

		if (c->peer == p)
			c->peer = NULL;
	}
	dbus_connection_remove_filter(p->line.conn, on_message, p);
	bus_link_close(&p->line);
	list_del(&p->node);
	b->peers_n--;
	mem_put(p);
}

static void reap(struct task *t)
{
	struct bus *b = container_of(t, struct bus, reap);

	list_for_each_safe(node, &b->peers) {
		struct bus_peer *p = list_entry(node, struct bus_peer, node);

		if (p->is_gone)
			free_peer(p);
	}
}

/* Who may connect at all: the mode of the socket says. What a client may do is checked call by call. */
static dbus_bool_t let_in(DBusConnection *conn UNUSED, unsigned long uid UNUSED, void *data UNUSED)
{
	return TRUE;
}

static void read_credentials(struct bus_peer *p, DBusConnection *conn)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t n = sizeof(peer);
	int fd;

	if (dbus_connection_get_socket(conn, &fd))
		(void)!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
	p->uid = peer.uid;
	p->pid = peer.pid;
}

struct bus_peer *bus_peer_add(struct bus *b, DBusConnection *conn, const struct bus_seat *seat)
{
	AUTO_MEM struct bus_peer *p = b->peers_n < PEERS_MOST ? mem_get(sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->bus = b;
	p->seat = seat;
	p->serial = ++b->peers_made;
	if (!seat) {
		dbus_connection_set_max_message_size(conn, MESSAGE_MOST);
		dbus_connection_set_max_received_size(conn, RECEIVED_MOST);
	}
	if (bus_link_open(&b->link, &p->line, conn) < 0)
		return NULL;
	if (!dbus_connection_add_filter(conn, on_message, p, NULL)) {
		bus_link_close(&p->line);
		return NULL;
	}
	list_add_tail(&b->peers, &p->node);
	b->peers_n++;
	return take_ptr(p);
}

static void on_connection(DBusServer *server UNUSED, DBusConnection *conn, void *data)
{
	struct bus_peer *p = bus_peer_add(data, conn, NULL);

	if (!p)
		return; /* libdbus closes what nobody took */
	read_credentials(p, conn);
	dbus_connection_set_allow_anonymous(conn, FALSE);
	dbus_connection_set_unix_user_function(conn, let_in, NULL, NULL);
}

int bus_init(struct bus *b, struct loop *loop, const char *path)
{
	*b = (struct bus){.loop = loop, .answer_fd = -1};
	list_init(&b->peers);
	list_init(&b->calls);
	list_init(&b->tellings);
	list_init(&b->kept);
	list_init(&b->refs.list);
	list_init(&b->controllers.list);
	list_init(&b->works.waiting);
	b->reap.fn = reap;
	asker_init(&b->asker, loop, path);
	bus_link_init(&b->link, loop);
	return 0;
}

int bus_serve_private(struct bus *b, const char *address)
{
	static const char *mechanisms[] = {"EXTERNAL", NULL};
	DBusError error = DBUS_ERROR_INIT;

	b->server = dbus_server_listen(address, &error);
	if (!b->server) {
		log_at(LOG_ERROR, "cannot serve %s: %s", address, error.message);
		dbus_error_free(&error);
		return -EADDRNOTAVAIL;
	}
	dbus_server_set_new_connection_function(b->server, on_connection, b, NULL);
	return dbus_server_set_auth_mechanisms(b->server, mechanisms)
		       ? bus_link_serve(&b->link, b->server)
		       : -ENOMEM;
}

void bus_fini(struct bus *b)
{
	list_for_each_safe(node, &b->calls) {
		struct bus_call *c = list_entry(node, struct bus_call, node);

		bus_fail(c, DBUS_ERROR_NO_REPLY, "hark's face on D-Bus is ending");
	}
	list_for_each_safe(node, &b->peers)
		free_peer(list_entry(node, struct bus_peer, node));
	loop_undefer(&b->reap);
	loop_unwatch(b->loop, &b->works.answer);
	sbuf_fini(&b->works.bytes);
	asker_fini(&b->asker);
	if (b->server) {
		dbus_server_disconnect(b->server);
		dbus_server_unref(b->server);
	}
}
