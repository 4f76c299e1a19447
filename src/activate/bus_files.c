/* SPDX-License-Identifier: MIT */
/* Methods about unit files: the manager is asked for its search path, the rest is harkctl's own way (ctl/file_work.h), by a child: it waits for the disk. */
#include "activate/bus_serve.h"

#include "activate/bus_news.h"
#include "activate/bus_value.h"
#include "activate/bus_work.h"
#include "ctl/file_work.h"
#include "units/name.h"

/* What stands in a message, by the names of bus_api.def. */
struct wish {
	const char *words[BUS_ARGS]; /* of AddDependencyUnitFiles(): the target first */
	unsigned words_n;
	const char *states[BUS_ARGS];
	unsigned states_n;
	const char *mode, *type; /* "" when not given */
	const char *wrong;       /* the first argument that means nothing, or NULL */
	bool is_runtime, is_forced, is_long;
};

struct writing {
	struct file_work work;
	struct wish wish;
	DBusMessageIter *list;
	bool is_short; /* memory ran out */
};

enum { FLAG_RUNTIME = 1, FLAG_FORCE = 2, FLAG_PORTABLE = 4, FLAGS = 7 }; /* of "flags:t" */

/* --- arguments --- */

static void take_texts(struct wish *w, DBusMessageIter *it, const char **to, unsigned *n)
{
	DBusMessageIter list;

	dbus_message_iter_recurse(it, &list);
	for (; dbus_message_iter_get_arg_type(&list) == DBUS_TYPE_STRING;
	     dbus_message_iter_next(&list)) {
		if (*n == BUS_ARGS)
			w->is_long = true;
		else
			dbus_message_iter_get_basic(&list, &to[(*n)++]);
	}
}

static void take_argument(struct wish *w, struct str name, DBusMessageIter *it)
{
	DBusBasicValue v = {.u64 = 0};

	if (dbus_message_iter_get_arg_type(it) != DBUS_TYPE_ARRAY)
		dbus_message_iter_get_basic(it, &v);
	if (str_eq_z(name, "files") || str_eq_z(name, "patterns")) {
		take_texts(w, it, w->words, &w->words_n);
	} else if (str_eq_z(name, "states")) {
		take_texts(w, it, w->states, &w->states_n);
	} else if (str_eq_z(name, "name") || str_eq_z(name, "file")) {
		w->words[w->words_n++] = v.str;
	} else if (str_eq_z(name, "target")) {
		memmove(w->words + 1, w->words, (BUS_ARGS - 1) * sizeof(*w->words));
		w->words[0] = v.str;
		w->is_long |= w->words_n++ == BUS_ARGS;
	} else if (str_eq_z(name, "mode")) {
		w->mode = v.str;
	} else if (str_eq_z(name, "type")) {
		w->type = v.str;
	} else if (str_eq_z(name, "runtime")) {
		w->is_runtime = v.bool_val;
	} else if (str_eq_z(name, "force")) {
		w->is_forced = v.bool_val;
	} else if (str_eq_z(name, "flags")) {
		w->is_runtime = v.u64 & FLAG_RUNTIME;
		w->is_forced = v.u64 & FLAG_FORCE;
		if (v.u64 & ~(uint64_t)FLAGS)
			w->wrong = "flags";
	}
}

static bool is_one_of(const char *word, const char *const *words, size_t n)
{
	while (n > 0 && strcmp(word, words[n - 1]) != 0)
		n--;
	return n > 0;
}

/* Names are taken as they are here, and paths by what links to files. */
static bool is_name(const struct bus_call *c, const char *word)
{
	bool is_path = word[0] == '/' && verbs[c->method->verb].shape == SHAPE_UNIT_FILES;

	return is_path || (c->method->verb != VERB_LINK && name_is_valid(word, NAME_ANY));
}

static void check_wish(const struct bus_call *c, struct wish *w)
{
	static const char *const types[] = {"Wants", "Requires"};

	for (unsigned i = 0; i < w->words_n && c->method->verb != VERB_LIST_UNIT_FILES; i++)
		if (!is_name(c, w->words[i]))
			w->wrong = w->words[i];
	if (*w->mode && !is_one_of(w->mode, preset_mode_names, PRESET_MODES))
		w->wrong = w->mode;
	if (c->method->verb == VERB_ADD_WANTS && !is_one_of(w->type, types, ARRAY_SIZE(types)))
		w->wrong = w->type;
	if (c->method->verb == VERB_SET_DEFAULT && unit_type_of(w->words[0]) != UNIT_TARGET)
		w->wrong = w->words[0];
}

static void read_wish(const struct bus_call *c, struct wish *w)
{
	struct str rest = str_of(c->method->in), piece;
	DBusMessageIter it;

	*w = (struct wish){.mode = "", .type = ""};
	dbus_message_iter_init(c->message, &it);
	while (str_cut(&rest, ',', &piece) && piece.n) {
		take_argument(w, str_sub(piece, 0, str_index(piece, ':')), &it);
		dbus_message_iter_next(&it);
	}
	check_wish(c, w);
}

/* --- the work --- */

/* The manager's search path, "A:B". NULL: it said none, or there is no memory. */
static char *search_path(const struct bus_call *c)
{
	struct sbuf path = {0};
	struct str dir;
	unsigned at = 0;

	while (c->ask.rows.first && row_item(c->ask.rows.first, "UnitPath", &at, &dir)) {
		if (path.n)
			sbuf_add_c(&path, ':');
		sbuf_add(&path, dir);
	}
	return sbuf_take(&path);
}

/* Read the directories and the names. False: the call is over; close the work in both cases. */
static bool begin(struct bus_call *c, struct writing *w)
{
	AUTO_MEM char *path = search_path(c);
	int r = -ENOMEM;

	*w = (struct writing){0};
	read_wish(c, &w->wish);
	if (w->wish.is_long) {
		bus_fail(c, DBUS_ERROR_LIMITS_EXCEEDED, "more than %d names at once", BUS_ARGS);
		return false;
	}
	if (w->wish.wrong) {
		bus_fail(c, DBUS_ERROR_INVALID_ARGS, "%s: \"%s\" is not one that it takes",
			 c->method->name, w->wish.wrong);
		return false;
	}
	if (path)
		r = file_work_open(&w->work, path, "");
	w->work.install.is_runtime = w->wish.is_runtime;
	w->work.install.is_forced = w->wish.is_forced;
	if (r == 0)
		r = file_work_names(&w->work, c->method->verb, w->wish.words, w->wish.words_n);
	if (r < 0)
		bus_fail(c, DBUS_ERROR_FAILED, "the unit directories cannot be read: %s",
			 strerror(-r));
	return r == 0;
}

static bool put_triple(DBusMessageIter *list, const char *a, const char *b, const char *c)
{
	DBusMessageIter s;

	return dbus_message_iter_open_container(list, DBUS_TYPE_STRUCT, NULL, &s) &&
	       bus_put_text(&s, str_of(a)) && bus_put_text(&s, str_of(b)) &&
	       (!c || bus_put_text(&s, str_of(c))) && dbus_message_iter_close_container(list, &s);
}

static void on_changed(void *arg, const struct tree_node *n)
{
	struct writing *w = arg;
	bool is_gone = n->kind == TREE_NONE;
	const char *target = is_gone ? "" : n->kind == TREE_LINK ? n->target : n->path;

	w->is_short |= !put_triple(w->list, is_gone ? "unlink" : "symlink", n->path, target);
}

/* The first thing that went wrong, as the answer. */
static void fail_by_notes(struct bus_call *c, const struct install *in)
{
	const struct install_note *n = in->notes;
	const char *name = in->refusal ? bus_error_name(str_of(in->refusal)) : NULL;

	while (n && !n->is_error)
		n = n->next;
	bus_fail(c, name ? name : DBUS_ERROR_FAILED, "%s", n ? n->text : "");
}

typedef int (*answer_fn)(struct bus_call *c, struct writing *w, DBusMessageIter *it);

/* Begin, let `answer` fill the reply, send it. */
static void work(struct bus_call *c, answer_fn answer)
{
	static struct writing w; /* too big for a stack */
	DBusMessage *reply = NULL;
	DBusMessageIter it;
	int r;

	if (!begin(c, &w)) {
		file_work_close(&w.work);
		return;
	}
	reply = bus_reply_new(c);
	if (reply) {
		dbus_message_iter_init_append(reply, &it);
		r = answer(c, &w, &it);
		if (r == 0 && !w.work.install.has_error && !w.is_short) {
			bus_reply(c, reply);
		} else {
			dbus_message_unref(reply);
			if (w.work.install.has_error)
				fail_by_notes(c, &w.work.install);
			else
				bus_fail(c,
					 r == -ENOENT ? DBUS_ERROR_FILE_NOT_FOUND
						      : DBUS_ERROR_FAILED,
					 "%s", strerror(r < 0 ? -r : ENOMEM));
		}
	}
	file_work_close(&w.work);
}

/* --- changes --- */

static enum verb_id change_verb(const struct bus_call *c, const struct wish *w)
{
	if (c->method->verb == VERB_ADD_WANTS && strcmp(w->type, "Requires") == 0)
		return VERB_ADD_REQUIRES;
	return c->method->verb;
}

/* Is that a link that goes? */
static bool is_going(const struct tree_node *n)
{
	return n->kind == TREE_NONE && n->old_kind == TREE_LINK;
}

static unsigned count_going(const struct writing *w)
{
	unsigned count = 0;

	for (unsigned k = 0; k < w->work.tree.dirs_n; k++)
		list_for_each(node, &w->work.tree.dirs[k].nodes)
			count += is_going(list_entry(node, struct tree_node, list_node));
	return count;
}

/* Who disables what has neither a file nor a link is told: it may be a slip. */
static int refuse_unknown(struct writing *w)
{
	struct install *in = &w->work.install;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < w->work.names_n; i++) {
		enum install_state state = INSTALL_NOT_FOUND;

		r = install_state(in, w->work.names[i], &state);
		if (r == 0 && state == INSTALL_NOT_FOUND)
			r = install_missing(in, w->work.names[i], FOUND_NOTHING);
	}
	return r;
}

static int change(struct bus_call *c, struct writing *w, DBusMessageIter *it)
{
	const char *mode = *w->wish.mode ? w->wish.mode : NULL, *path = "";
	bool has_flag = strstr(c->method->out, "carries_install_info");
	DBusMessageIter list;
	int r = file_work_plan(&w->work, change_verb(c, &w->wish), mode);

	if (r == 0 && c->method->verb == VERB_DISABLE && count_going(w) == 0)
		r = refuse_unknown(w);
	if (r < 0 || w->work.install.has_error)
		return r;
	if (has_flag &&
	    !bus_put_basic(it, DBUS_TYPE_BOOLEAN, w->work.install.has_section, (struct str){"", 0}))
		return -ENOMEM;
	if (!dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "(sss)", &list))
		return -ENOMEM;
	w->list = &list;
	r = install_apply(&w->work.tree, on_changed, w, &path);
	return dbus_message_iter_close_container(it, &list) ? r : -ENOMEM;
}

static void finish_change(struct bus_call *c)
{
	work(c, change);
}

static void begin_change(struct bus_call *c)
{
	bus_work(c, c->work, bus_news_files_changed);
}

static void begin_question(struct bus_call *c)
{
	bus_work(c, c->work, NULL);
}

static void ask_path(struct bus_call *c, void (*by)(struct bus_call *c),
		     void (*finish)(struct bus_call *c))
{
	c->work = finish;
	c->ask.question.options[OPT_PROPERTY] = "UnitPath,DefaultUnit";
	bus_ask(c, VERB_SHOW, 0, by);
}

void serve_change_files(struct bus_call *c)
{
	ask_path(c, begin_change, finish_change);
}

/* --- questions --- */

static bool put_file(void *arg, const struct tree_node *n, enum install_state state,
		     const char *preset UNUSED)
{
	struct writing *w = arg;
	const char *word = install_state_names[state];
	bool is_meant = w->wish.states_n == 0;

	for (unsigned i = 0; i < w->wish.states_n; i++)
		is_meant = is_meant || strcmp(w->wish.states[i], word) == 0;
	w->is_short |= is_meant && !put_triple(w->list, n->path, word, NULL);
	return !w->is_short;
}

static int list_files(struct bus_call *c UNUSED, struct writing *w, DBusMessageIter *it)
{
	DBusMessageIter list;
	int r;

	if (!dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "(ss)", &list))
		return -ENOMEM;
	w->list = &list;
	r = file_work_list(&w->work, w->wish.words, w->wish.words_n, put_file, w);
	return dbus_message_iter_close_container(it, &list) ? r : -ENOMEM;
}

static void finish_list_files(struct bus_call *c)
{
	work(c, list_files);
}

void serve_list_files(struct bus_call *c)
{
	ask_path(c, begin_question, finish_list_files);
}

static int file_state(struct bus_call *c UNUSED, struct writing *w, DBusMessageIter *it)
{
	enum install_state state = INSTALL_NOT_FOUND;
	int r = install_state(&w->work.install, w->work.names[0], &state);

	if (r == 0 && state == INSTALL_NOT_FOUND)
		return -ENOENT;
	return r < 0 ? r : bus_put_text(it, str_of(install_state_names[state])) ? 0 : -ENOMEM;
}

static void finish_file_state(struct bus_call *c)
{
	work(c, file_state);
}

void serve_get_file_state(struct bus_call *c)
{
	ask_path(c, begin_question, finish_file_state);
}

/* What the next boot starts: the link, else what this one was told to. */
static int default_target(struct bus_call *c, struct writing *w, DBusMessageIter *it)
{
	const char *name = NULL;
	int r = install_get_default(&w->work.install, &name);
	struct str text = name ? str_of(name) : row_text(c->ask.rows.first, "DefaultUnit");

	return r < 0 ? r : bus_put_text(it, text) ? 0 : -ENOMEM;
}

static void finish_default_target(struct bus_call *c)
{
	work(c, default_target);
}

void serve_get_default_target(struct bus_call *c)
{
	ask_path(c, begin_question, finish_default_target);
}

/* The links that disable would take away. */
static int file_links(struct bus_call *c UNUSED, struct writing *w, DBusMessageIter *it)
{
	DBusMessageIter list;
	bool is_good;
	int r = file_work_plan(&w->work, VERB_DISABLE, NULL);

	is_good = r == 0 && dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "s", &list);
	for (unsigned k = 0; is_good && k < w->work.tree.dirs_n; k++)
		list_for_each(node, &w->work.tree.dirs[k].nodes) {
			const struct tree_node *n = list_entry(node, struct tree_node, list_node);

			if (is_good && is_going(n))
				is_good = bus_put_text(&list, str_of(n->path));
		}
	is_good = is_good && dbus_message_iter_close_container(it, &list);
	return r < 0 ? r : is_good ? 0 : -ENOMEM;
}

static void finish_file_links(struct bus_call *c)
{
	work(c, file_links);
}

void serve_get_file_links(struct bus_call *c)
{
	ask_path(c, begin_question, finish_file_links);
}
