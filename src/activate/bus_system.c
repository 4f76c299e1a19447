/* SPDX-License-Identifier: MIT */
#include "activate/bus_system.h"

#include <stdio.h>

#include "activate/bus_controller.h"
#include "activate/bus_polkit.h"
#include "activate/bus_refs.h"
#include "activate/bus_saved.h"
#include "activate/bus_value.h"
#include "core/log.h"
#include "core/mem.h"

#define ACTIVATOR BUS_NAME ".Activator"

enum { RETRY_US = 1000 * 1000, NAMES_MOST = 200 };

/* A name on the bus that has called us. */
struct client {
	struct map_node node;
	char *name; /* ":1.7", owned */
	uid_t uid;
	pid_t pid;
	bool is_known, is_subscribed;
	struct list calls; /* that wait until it is known: bus_call.wait_node */
};

/* One activation that the bus asked for. */
struct activation {
	struct list node;
	struct bus_system *system;
	struct ask ask;
	const char *args[1];
	char unit[UNIT_NAME_MAX + 1];
};

struct bus_system {
	struct bus *bus;
	const char *address;   /* borrowed */
	struct bus_peer *peer; /* NULL: not connected */
	struct map clients;
	struct list activations;
	struct timer retry;
	struct ask ask; /* is the bus running? */
	const char *args[1];
	bool is_asking, is_bus_up;
	bool was_subscribed; /* somebody, with the hark-bus before us */
	bool is_recalled;
	struct bus_saved saved;
	void (*go_on)(struct bus_call *c);
};

/* --- what outlives us --- */

/*
 * Written before anything is done about it (bus_saved.h):
 *
 *   subscribed               somebody on this bus wants to be told of changes, and does not subscribe again
 *   activation NUMBER UNIT   asked for by the bus, which does not ask again; its number is that of the request to the manager
 *   answered NUMBER          that one needs nothing more
 */
enum { LINE_ROOM = UNIT_NAME_MAX + 64 };

static void line_of(const struct activation *v, char line[LINE_ROOM])
{
	snprintf(line, LINE_ROOM, "activation %llu %s\n", (unsigned long long)v->ask.question.id,
		 v->unit);
}

static void put_all(const struct bus_saved *f, struct sbuf *text)
{
	const struct bus_system *s = container_of(f, struct bus_system, saved);
	char line[LINE_ROOM];

	if (s->was_subscribed || (s->peer && s->peer->is_subscribed))
		sbuf_add_z(text, "subscribed\n");
	list_for_each(node, &s->activations) {
		line_of(list_entry(node, struct activation, node), line);
		sbuf_add_z(text, line);
	}
}

static void save_activation(const struct activation *v)
{
	char line[LINE_ROOM];

	line_of(v, line);
	bus_saved_add(&v->system->saved, line);
}

static void save_answer(const struct activation *v)
{
	char line[LINE_ROOM];

	snprintf(line, sizeof(line), "answered %llu\n", (unsigned long long)v->ask.question.id);
	bus_saved_add(&v->system->saved, line);
}

/* --- clients --- */

static bool is_client(const struct map_node *node, const void *key)
{
	return strcmp(container_of(node, struct client, node)->name, key) == 0;
}

static struct client *find_client(const struct bus_system *s, const char *name)
{
	struct map_node *node = map_find(&s->clients, str_hash(str_of(name)), is_client, name);

	return node ? container_of(node, struct client, node) : NULL;
}

static struct client *add_client(struct bus_system *s, const char *name)
{
	struct client *k = map_reserve(&s->clients, 1) == 0 ? mem_get(sizeof(*k)) : NULL;

	if (k)
		k->name = mem_dup(name, strlen(name));
	if (!k || !k->name) {
		mem_put(k);
		return NULL;
	}
	list_init(&k->calls);
	map_add(&s->clients, &k->node, str_hash(str_of(name)));
	return k;
}

static void count_subscribers(struct bus_system *s)
{
	bool any = s->was_subscribed;

	for (struct map_node *n = map_next(&s->clients, NULL); n; n = map_next(&s->clients, n))
		any = any || container_of(n, struct client, node)->is_subscribed;
	if (!s->peer || s->peer->is_subscribed == any)
		return;
	s->peer->is_subscribed = any;
	bus_saved_renew(&s->saved);
}

static void drop_client(struct bus_system *s, struct client *k)
{
	struct list *node;

	while ((node = list_pop(&k->calls)))
		bus_fail(list_entry(node, struct bus_call, wait_node), DBUS_ERROR_NO_REPLY,
			 "the caller is gone");
	map_del(&s->clients, &k->node);
	mem_put(k->name);
	mem_put(k);
}

/* --- questions to the bus --- */

typedef void (*answer_fn)(DBusPendingCall *pending, void *data);

static DBusMessage *new_question(const char *member, const char *text)
{
	DBusMessage *m = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS,
						      DBUS_INTERFACE_DBUS, member);
	DBusMessageIter it;

	if (!m || !text)
		return m;
	dbus_message_iter_init_append(m, &it);
	if (bus_put_text(&it, str_of(text)))
		return m;
	dbus_message_unref(m);
	return NULL;
}

/* Ask the bus itself; m is used up and may be NULL (no memory), as done may be. release: of data, in any case. */
static void ask_bus(struct bus_system *s, DBusMessage *m, answer_fn done, void *data,
		    DBusFreeFunction release)
{
	DBusPendingCall *pending = NULL;
	bool is_good = m && dbus_connection_send_with_reply(s->peer->line.conn, m, &pending, -1) &&
		       pending;

	if (is_good && done)
		is_good = dbus_pending_call_set_notify(pending, done, data, release);
	if (!is_good && release)
		release(data);
	if (pending)
		dbus_pending_call_unref(pending);
	if (m)
		dbus_message_unref(m);
}

/* By queueing for a name nobody would be helped. */
static void ask_for_name(struct bus_system *s, const char *name, answer_fn done)
{
	DBusMessage *m = new_question("RequestName", name);
	dbus_uint32_t flags = DBUS_NAME_FLAG_DO_NOT_QUEUE;

	if (m && !dbus_message_append_args(m, DBUS_TYPE_UINT32, &flags, DBUS_TYPE_INVALID)) {
		dbus_message_unref(m);
		m = NULL;
	}
	ask_bus(s, m, done, s, NULL);
}

/* --- who calls --- */

static bool read_credentials(DBusMessage *reply, struct client *k)
{
	DBusMessageIter it, dict, entry, value;
	bool has_uid = false;

	if (!dbus_message_has_signature(reply, "a{sv}"))
		return false;
	dbus_message_iter_init(reply, &it);
	dbus_message_iter_recurse(&it, &dict);
	for (; dbus_message_iter_get_arg_type(&dict) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&dict)) {
		const char *key;
		dbus_uint32_t number;

		dbus_message_iter_recurse(&dict, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &value);
		if (dbus_message_iter_get_arg_type(&value) != DBUS_TYPE_UINT32)
			continue;
		dbus_message_iter_get_basic(&value, &number);
		if (strcmp(key, "UnixUserID") == 0) {
			k->uid = number;
			has_uid = true;
		} else if (strcmp(key, "ProcessID") == 0) {
			k->pid = (pid_t)number;
		}
	}
	return has_uid;
}

/* A question about a client that may be gone when the answer comes. */
struct query {
	struct bus_system *system;
	char name[64];
};

static void on_credentials(DBusPendingCall *pending, void *data)
{
	struct query *q = data;
	struct client *k = find_client(q->system, q->name);
	DBusMessage *reply = bus_take_answer(pending);
	struct list *node;

	if (k && reply && read_credentials(reply, k)) {
		k->is_known = true;
		while ((node = list_pop(&k->calls))) {
			struct bus_call *c = list_entry(node, struct bus_call, wait_node);

			c->uid = k->uid;
			c->pid = k->pid;
			q->system->go_on(c);
		}
	} else if (k) {
		drop_client(q->system, k);
	}
	if (reply)
		dbus_message_unref(reply);
}

static void identify(struct bus_call *c, void (*go_on)(struct bus_call *c))
{
	struct bus_system *s = c->bus->system;
	const char *name = dbus_message_get_sender(c->message);
	struct client *k = name ? find_client(s, name) : NULL;
	struct query *q;

	s->go_on = go_on;
	if (k && k->is_known) {
		c->uid = k->uid;
		c->pid = k->pid;
		go_on(c);
		return;
	}
	if (k) { /* asked already */
		list_add_tail(&k->calls, &c->wait_node);
		return;
	}
	k = name && strlen(name) < sizeof(q->name) ? add_client(s, name) : NULL;
	q = k ? mem_get(sizeof(*q)) : NULL;
	if (!q) {
		bus_fail(c, DBUS_ERROR_ACCESS_DENIED, "it is not known who calls");
		return;
	}
	q->system = s;
	memcpy(q->name, name, strlen(name) + 1);
	list_add_tail(&k->calls, &c->wait_node);
	ask_bus(s, new_question("GetConnectionCredentials", name), on_credentials, q, mem_put);
}

static bool subscribe(struct bus_call *c, bool wants)
{
	struct bus_system *s = c->bus->system;
	const char *name = dbus_message_get_sender(c->message);
	struct client *k = s && name ? find_client(s, name) : NULL;

	bool was = k && k->is_subscribed;

	if (k)
		k->is_subscribed = wants;
	if (s)
		count_subscribers(s);
	return was;
}

/* --- owners of names --- */

static void tell_one(struct bus_system *s, const char *word)
{
	(void)!bus_tell(s->bus, VERB_BUS_NAMES, &word, 1);
}

/* Names of connections are nobody's business, but that of who ends a scope. */
static bool is_told(const struct bus_system *s, const char *name)
{
	return name[0] != ':' || bus_controller_is(s->bus, name);
}

/* All names that there are; without the end of them nothing counts as lost. */
static void on_names(DBusPendingCall *pending, void *data)
{
	struct bus_system *s = data;
	const char *words[NAMES_MOST] = {"begin"};
	DBusMessage *reply = bus_take_answer(pending);
	DBusMessageIter it, list;
	bool is_good = reply && dbus_message_has_signature(reply, "as");
	unsigned n = 1;

	if (is_good) {
		bus_refs_begin(s->bus);
		dbus_message_iter_init(reply, &it);
		dbus_message_iter_recurse(&it, &list);
	}
	for (; is_good && dbus_message_iter_get_arg_type(&list) == DBUS_TYPE_STRING;
	     dbus_message_iter_next(&list)) {
		dbus_message_iter_get_basic(&list, &words[n]);
		if (words[n][0] == ':')
			bus_refs_see(s->bus, words[n]);
		n += is_told(s, words[n]);
		if (n == NAMES_MOST) {
			is_good = bus_tell(s->bus, VERB_BUS_NAMES, words, n);
			n = 0;
		}
	}
	words[n++] = "end";
	if (is_good)
		bus_refs_end(s->bus);
	if (is_good)
		(void)!bus_tell(s->bus, VERB_BUS_NAMES, words, n);
	if (reply)
		dbus_message_unref(reply);
}

static void owner_changed(struct bus_system *s, DBusMessage *m)
{
	const char *name, *before, *now;
	char lost[DBUS_MAXIMUM_NAME_LENGTH + 2];

	if (!dbus_message_get_args(m, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &before,
				   DBUS_TYPE_STRING, &now, DBUS_TYPE_INVALID))
		return;
	if (name[0] == ':' && !*now) {
		struct client *k = find_client(s, name);

		if (k)
			drop_client(s, k);
		count_subscribers(s);
		bus_refs_drop(s->bus, name);
	}
	if (!is_told(s, name))
		return;
	snprintf(lost, sizeof(lost), "-%s", name);
	tell_one(s, *now ? name : lost);
}

/* --- activation --- */

static void refuse(struct bus_system *s, const char *unit, const char *error, struct str why)
{
	DBusMessage *m = dbus_message_new_signal(BUS_ROOT, ACTIVATOR, "ActivationFailure");
	DBusMessageIter it;

	if (!m)
		return;
	dbus_message_iter_init_append(m, &it);
	if (s->peer && dbus_message_set_destination(m, DBUS_SERVICE_DBUS) &&
	    bus_put_text(&it, str_of(unit)) && bus_put_text(&it, str_of(error)) &&
	    bus_put_text(&it, why))
		dbus_connection_send(s->peer->line.conn, m, NULL);
	dbus_message_unref(m);
}

/* The row that says why it is not running: of the job, of a dependency, of its death, or of a refusal. */
static bool says_failure(const struct row *row, struct str *ret_why)
{
	bool is_end = row_is(row, "job") && !str_eq_z(row_text(row, "result"), "done");

	if (!is_end && !row_is(row, "error") && !row_is(row, "died"))
		return false;
	*ret_why = row_text(row, "reason");
	if (!ret_why->n)
		*ret_why = row_text(row, "text");
	return true;
}

static void on_activated(struct ask *a, int err)
{
	struct activation *v = container_of(a, struct activation, ask);
	struct str why = STR("the manager does not answer");
	bool is_failed = err < 0, is_unknown = false;
	char text[512];

	for (const struct row *row = a->rows.first; row && !is_failed; row = row->next) {
		is_failed = says_failure(row, &why);
		is_unknown = str_eq_z(row_text(row, "refusal"), "not-found");
	}
	if (is_failed) {
		snprintf(text, sizeof(text), "%s: " STR_FMT, v->unit, STR_ARG(why));
		refuse(v->system, v->unit,
		       is_unknown || a->exit == 5 ? BUS_NAME ".NoSuchUnit" : BUS_NAME ".JobFailed",
		       str_of(text));
	}
	list_del(&v->node);
	save_answer(v);
	rows_fini(&a->rows);
	mem_put(v);
}

/* number: 0, or under which it was asked before. False: no memory. */
static bool start_activation(struct bus_system *s, struct str unit, uint64_t number)
{
	struct activation *v = unit.n <= UNIT_NAME_MAX ? mem_get(sizeof(*v)) : NULL;

	if (!v)
		return false;
	v->system = s;
	memcpy(v->unit, unit.p, unit.n);
	v->args[0] = v->unit;
	v->ask.question = (struct question){.verb = &verbs[VERB_START],
					    .args = v->args,
					    .args_n = 1,
					    .id = number ? number : client_number()};
	v->ask.question.options[OPT_BUS_ACTIVATION] = "";
	v->ask.done = on_activated;
	v->ask.is_slow = true;
	list_add_tail(&s->activations, &v->node);
	if (!number)
		save_activation(v);
	ask_start(&s->bus->asker, &v->ask);
	return true;
}

static void activate(struct bus_system *s, DBusMessage *m)
{
	const char *unit;

	if (!dbus_message_get_args(m, NULL, DBUS_TYPE_STRING, &unit, DBUS_TYPE_INVALID))
		return;
	if (unit_type_of(unit) < 0 || strpbrk(unit, " \n") || !start_activation(s, str_of(unit), 0))
		refuse(s, unit, DBUS_ERROR_NO_MEMORY, STR("not the name of a unit, or no memory"));
}

/* Any client may send us a signal of any name. */
static void on_signal(struct bus_peer *p, DBusMessage *m)
{
	if (!dbus_message_has_sender(m, DBUS_SERVICE_DBUS))
		return;
	if (dbus_message_is_signal(m, DBUS_INTERFACE_DBUS, "NameOwnerChanged"))
		owner_changed(p->bus->system, m);
	else if (dbus_message_is_signal(m, ACTIVATOR, "ActivationRequest"))
		activate(p->bus->system, m);
}

static void recall_answer(struct bus_system *s, uint64_t number)
{
	list_for_each_safe(node, &s->activations) {
		struct activation *v = list_entry(node, struct activation, node);

		if (v->ask.question.id != number)
			continue;
		ask_cancel(&v->ask);
		list_del(&v->node);
		mem_put(v);
	}
}

static void recall_line(struct bus_system *s, struct str line)
{
	struct str word, number = STR("");
	uint64_t id = 0;
	bool is_numbered;

	if (!str_word(&line, &word))
		return;
	is_numbered = str_word(&line, &number) && str_to_u64(number, &id) == 0;
	if (str_eq_z(word, "subscribed"))
		s->was_subscribed = true;
	else if (str_eq_z(word, "answered") && is_numbered)
		recall_answer(s, id);
	else if (str_eq_z(word, "activation") && is_numbered &&
		 !start_activation(s, str_trim(line), id))
		log_at(LOG_ERROR, "an activation is not answered: " STR_FMT, STR_ARG(line));
}

/* What another hark-bus has left undone; once. */
static void recall(struct bus_system *s)
{
	AUTO_MEM char *text = NULL;
	struct str rest = {0}, line;

	if (!s->is_recalled)
		text = bus_saved_read(&s->saved, &rest);
	s->is_recalled = true;
	while (text && str_cut(&rest, '\n', &line))
		recall_line(s, line);
	count_subscribers(s);
	if (s->was_subscribed && s->bus->on_missed)
		s->bus->on_missed(s->bus);
}

/* --- the connection --- */

static void on_name(DBusPendingCall *pending, void *data UNUSED)
{
	DBusMessage *reply = bus_take_answer(pending);
	dbus_uint32_t answer = 0;

	if (reply &&
	    dbus_message_get_args(reply, NULL, DBUS_TYPE_UINT32, &answer, DBUS_TYPE_INVALID) &&
	    (answer == DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER ||
	     answer == DBUS_REQUEST_NAME_REPLY_ALREADY_OWNER))
		log_at(LOG_INFO, "the system bus knows us as " BUS_NAME);
	else
		log_at(LOG_ERROR, "the system bus does not give us the name " BUS_NAME ": %s",
		       answer ? "somebody else has it" : "is its policy installed?");
	if (reply)
		dbus_message_unref(reply);
}

static void try_again(struct bus_system *s)
{
	if (s->is_bus_up && !s->peer)
		loop_timer_arm(s->bus->loop, &s->retry, loop_now_us(s->bus->loop) + RETRY_US);
}

static void on_gone(struct bus_peer *p)
{
	struct bus_system *s = p->bus->system;
	struct map_node *node;

	s->peer = NULL;
	while ((node = map_next(&s->clients, NULL)))
		drop_client(s, container_of(node, struct client, node));
	log_at(LOG_WARN, "the system bus is gone");
	s->was_subscribed = false;
	tell_one(s, "gone");
	bus_refs_begin(s->bus);
	bus_refs_end(s->bus);
	try_again(s);
}

static const struct bus_seat seat = {.gone = on_gone,
				     .signal = on_signal,
				     .identify = identify,
				     .authorize = bus_polkit_authorize,
				     .subscribe = subscribe};

/* The order in which the questions are sent is the order in which the bus hears them; none is waited for. */
static void connect_bus(struct bus_system *s)
{
	static const char owners[] = "type='signal',sender='" DBUS_SERVICE_DBUS
				     "',interface='" DBUS_INTERFACE_DBUS
				     "',member='NameOwnerChanged'";
	DBusError error = DBUS_ERROR_INIT;
	DBusConnection *conn = dbus_connection_open_private(s->address, &error);

	if (!conn) {
		log_at(LOG_WARN, "the system bus does not answer: %s", error.message);
		dbus_error_free(&error);
		try_again(s);
		return;
	}
	s->peer = bus_peer_add(s->bus, conn, &seat);
	if (!s->peer) {
		dbus_connection_close(conn);
		dbus_connection_unref(conn);
		try_again(s);
		return;
	}
	dbus_connection_unref(conn); /* the peer has its own */
	ask_bus(s, new_question("Hello", NULL), NULL, NULL, NULL);
	ask_bus(s, new_question("AddMatch", owners), NULL, NULL, NULL);
	ask_bus(s, new_question("ListNames", NULL), on_names, s, NULL);
	ask_for_name(s, BUS_NAME, on_name);
	ask_for_name(s, BUS_HARK, NULL); /* where the policy allows it */
	recall(s);
	bus_controllers_learn(s->bus, NULL); /* who could not be asked without a bus */
}

static void on_retry(struct timer *t)
{
	struct bus_system *s = container_of(t, struct bus_system, retry);

	if (s->is_bus_up && !s->peer)
		connect_bus(s);
}

static void set_bus_up(struct bus_system *s, bool is_up)
{
	s->is_bus_up = is_up;
	if (is_up && !s->peer)
		connect_bus(s);
	else if (!is_up && !s->peer)
		tell_one(s, "gone");
}

void bus_system_heard(struct bus *b, const struct row *row)
{
	struct str unit = row_text(row, "unit");

	if (b->system && (str_eq_z(unit, "dbus.service") || str_eq_z(unit, "dbus-broker.service")))
		set_bus_up(b->system, str_eq_z(row_text(row, "ActiveState"), "active"));
}

static void on_state(struct ask *a, int err)
{
	struct bus_system *s = container_of(a, struct bus_system, ask);
	const struct row *row = a->rows.first;

	s->is_asking = false;
	if (err == 0 && row)
		set_bus_up(s, str_eq_z(row_text(row, "ActiveState"), "active"));
	rows_fini(&a->rows);
}

static void look_at_bus(struct bus *b)
{
	struct bus_system *s = b->system;

	if (!s || s->is_asking)
		return;
	s->args[0] = "dbus.service";
	s->ask = (struct ask){.done = on_state};
	s->ask.question =
		(struct question){.verb = &verbs[VERB_SHOW], .args = s->args, .args_n = 1};
	s->ask.question.options[OPT_PROPERTY] = "ActiveState";
	s->is_asking = true;
	ask_start(&b->asker, &s->ask);
	/* What it knew of names may be older than what is so. */
	if (s->peer)
		ask_bus(s, new_question("ListNames", NULL), on_names, s, NULL);
}

static void learn_controllers(struct bus *b)
{
	bus_controllers_learn(b, look_at_bus);
}

/* Who holds units or ends them is known before it is asked who is on the bus. */
void bus_system_new_manager(struct bus *b)
{
	bus_refs_learn(b, learn_controllers);
}

int bus_system_open(struct bus *b, const char *address, const char *run_dir)
{
	struct bus_system *s = mem_get(sizeof(*s));

	if (!s)
		return err_here(-ENOMEM);
	s->bus = b;
	s->address = address;
	s->saved = (struct bus_saved){.run_dir = run_dir, .put_all = put_all, .fd = -1};
	s->retry.fn = on_retry;
	list_init(&s->activations);
	b->system = s;
	return 0;
}

void bus_system_close(struct bus *b)
{
	struct bus_system *s = b->system;

	if (!s)
		return;
	loop_timer_disarm(b->loop, &s->retry);
	map_fini(&s->clients);
	bus_saved_close(&s->saved);
	b->system = NULL;
	mem_put(s);
}
