/* SPDX-License-Identifier: MIT */
#include "ctl/unit_files.h"

#include <stdlib.h>

#include "ctl/edit.h"
#include "ctl/file_work.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

/* One command on its way. */
struct command {
	struct screen *screen;
	const struct question *question;
	char control[256]; /* path of the socket */
	enum verb_id verb;
	bool is_quiet;
	unsigned changes; /* of files and links */
	bool has_manager; /* one answers, and it is about its files */
	struct rows rows; /* of the manager's answers */
	struct file_work work;
};

static void PRINTF_LIKE(2, 3) complain(struct command *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_add_z(&c->screen->errors, "harkctl: ");
	sbuf_addv(&c->screen->errors, fmt, ap);
	sbuf_add_z(&c->screen->errors, "\n");
	va_end(ap);
}

static int no_memory(struct command *c, int r)
{
	if (r < 0)
		complain(c, "%s", strerror(-r));
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

/* --- the manager --- */

static int ask(struct command *c, enum verb_id verb, const char *const *args, unsigned n)
{
	struct question q = {.verb = &verbs[verb], .args = args, .args_n = n};
	int status = STATUS_FAILED;
	int r;

	if (verb == VERB_SHOW)
		q.options[OPT_PROPERTY] = "UnitPath";
	rows_reset(&c->rows);
	r = client_ask(c->control, &q, &c->rows, &status);
	return r < 0 ? r : status;
}

/* The search path of the manager that is there, as "A:B:C" in *ret_path (mem_put). */
static bool manager_path(struct command *c, char **ret_path)
{
	struct sbuf path = {0};
	struct str dir;
	unsigned at = 0;

	if (ask(c, VERB_SHOW, NULL, 0) != STATUS_OK || !c->rows.first)
		return false;
	while (row_item(c->rows.first, "UnitPath", &at, &dir)) {
		if (path.n)
			sbuf_add_c(&path, ':');
		sbuf_add(&path, dir);
	}
	*ret_path = sbuf_take(&path);
	return *ret_path != NULL;
}

/* The verb of --now, or VERBS. */
static enum verb_id now_verb(enum verb_id verb)
{
	switch ((int)verb) {
	case VERB_ENABLE:
	case VERB_REENABLE:
		return VERB_START;
	case VERB_DISABLE:
	case VERB_MASK:
		return VERB_STOP;
	default:
		return VERBS;
	}
}

/* What the manager said went wrong. */
static int tell_manager(struct command *c, enum verb_id verb, const char *const *args, unsigned n)
{
	int r = ask(c, verb, args, n);

	for (const struct row *row = c->rows.first; row; row = row->next)
		if (row_is(row, "error") || row_is(row, "finding"))
			screen_common(c->screen, row);
	if (r < 0)
		complain(c, "the links are made, but the manager does not answer: %s",
			 strerror(-r));
	return r == 0 ? STATUS_OK : STATUS_FAILED;
}

/* --now is about the units, where paths of files were given too. */
static int follow_up(struct command *c)
{
	enum verb_id now = c->question->options[OPT_NOW] ? now_verb(c->verb) : VERBS;
	int status;

	if (!c->has_manager)
		return STATUS_OK;
	for (unsigned k = 0; k < c->work.names_n; k++)
		if (c->work.names[k][0] == '/')
			c->work.names[k] = strrchr(c->work.names[k], '/') + 1;
	if (now == VERB_STOP && tell_manager(c, now, c->work.names, c->work.names_n) != STATUS_OK)
		return STATUS_FAILED;
	status = tell_manager(c, VERB_RELOAD_CONFIG, NULL, 0);
	if (now == VERB_START && status == STATUS_OK)
		status = tell_manager(c, now, c->work.names, c->work.names_n);
	return status;
}

/* --- beginning --- */

static int begin(struct command *c)
{
	const char *root = c->question->options[OPT_ROOT];
	const char *dirs = c->question->options[OPT_UNIT_PATH];
	AUTO_MEM char *asked = NULL;
	int r;

	if (!root && !dirs)
		dirs = getenv("HARK_UNIT_PATH");
	if (!root && !c->question->options[OPT_UNIT_PATH]) {
		c->has_manager = manager_path(c, &asked);
		dirs = asked ? asked : dirs;
	}
	/* "/" is no other root */
	r = file_work_open(&c->work, dirs, root && strcmp(root, "/") != 0 ? root : "");
	c->work.install.is_runtime = c->question->options[OPT_RUNTIME];
	c->work.install.is_forced = c->question->options[OPT_FORCE];
	return r;
}

/* --- changes --- */

static void told(void *arg, const struct tree_node *n)
{
	struct command *c = arg;

	c->changes++;
	rows_begin(&c->screen->own, n->kind == TREE_LINK   ? "linked"
				    : n->kind == TREE_NONE ? "removed"
							   : "wrote");
	rows_text(&c->screen->own, "path", n->path);
	if (n->kind == TREE_LINK)
		rows_text(&c->screen->own, "target", n->target);
	rows_end(&c->screen->own);
}

/* An enable that made no link: why. 0 or -ENOMEM. */
static int tell_unchanged(struct command *c)
{
	bool is_enable = c->verb == VERB_ENABLE || c->verb == VERB_REENABLE;
	int r = 0;

	if (!is_enable || c->changes || c->is_quiet || c->work.install.notes)
		return 0;
	for (unsigned k = 0; k < c->work.names_n && r == 0; k++) {
		enum install_state state = INSTALL_NOT_FOUND;

		r = install_state(&c->work.install, c->work.names[k], &state);
		if (r == 0 && state == INSTALL_STATIC)
			complain(
				c,
				"%s has no [Install] section that says where to link it; other units start it, or you",
				c->work.names[k]);
		else if (r == 0 && state == INSTALL_ENABLED)
			complain(c, "%s is enabled already", c->work.names[k]);
	}
	return r;
}

static int change(struct command *c)
{
	const char *path = "";
	int status = STATUS_OK;
	int r = file_work_plan(&c->work, c->verb, c->question->options[OPT_PRESET_MODE]);

	for (const struct install_note *n = c->work.install.notes; n; n = n->next)
		if (n->is_error || !c->is_quiet)
			complain(c, "%s", n->text);
	if (r == 0)
		r = install_apply(&c->work.tree, told, c, &path);
	if (r < 0)
		complain(c, "%s: %s; what is said above is done, the rest is not", path,
			 strerror(-r));
	if (r == 0)
		r = tell_unchanged(c);
	if (r == 0)
		status = follow_up(c);
	return r < 0 || c->work.install.has_error ? STATUS_FAILED : status;
}

/* --- questions --- */

static int get_default(struct command *c)
{
	const char *name = NULL;
	int r = install_get_default(&c->work.install, &name);

	if (r == 0 && !name)
		complain(c, "there is no default.target");
	if (r < 0 || !name)
		return no_memory(c, r) | STATUS_FAILED;
	rows_begin(&c->screen->own, "default");
	rows_text(&c->screen->own, "unit", name);
	rows_end(&c->screen->own);
	return STATUS_OK;
}

static void say_state(struct command *c, const char *kind, const char *name,
		      enum install_state state, const char *preset)
{
	rows_begin(&c->screen->own, kind);
	rows_text(&c->screen->own, "unit", name);
	rows_text(&c->screen->own, "state", install_state_names[state]);
	if (preset)
		rows_text(&c->screen->own, "preset", preset);
	rows_end(&c->screen->own);
}

static int is_enabled(struct command *c)
{
	int status = STATUS_FAILED;

	for (unsigned k = 0; k < c->work.names_n; k++) {
		enum install_state state = INSTALL_NOT_FOUND;
		int r = install_state(&c->work.install, c->work.names[k], &state);

		if (r < 0)
			return no_memory(c, r);
		if (state == INSTALL_NOT_FOUND || state == INSTALL_BAD)
			complain(c, "%s: %s", c->work.names[k],
				 state == INSTALL_BAD ? "its file or link is broken"
						      : "there is no such unit file");
		else
			say_state(c, "state", c->work.names[k], state, NULL);
		if (install_state_is_good(state))
			status = STATUS_OK;
	}
	return status;
}

static bool list_file(void *arg, const struct tree_node *n, enum install_state state,
		      const char *preset)
{
	say_state(arg, "unit-file", n->name, state, preset);
	return true;
}

static int list_files(struct command *c)
{
	return no_memory(c, file_work_list(&c->work, c->question->args, c->question->args_n,
					   list_file, c));
}

static int edit(struct command *c)
{
	bool any = false;
	int status = edit_units(c->screen, c->question, &c->work, &any);

	return any && follow_up(c) != STATUS_OK && status == STATUS_OK ? STATUS_FAILED : status;
}

static int answer(struct command *c)
{
	switch ((int)c->verb) {
	case VERB_GET_DEFAULT:
		return get_default(c);
	case VERB_IS_ENABLED:
		return is_enabled(c);
	case VERB_LIST_UNIT_FILES:
		return list_files(c);
	case VERB_EDIT:
		return edit(c);
	default:
		return change(c);
	}
}

int unit_files(struct screen *s, const struct question *q)
{
	struct command c = {
		.screen = s, .question = q, .verb = q->verb->id, .is_quiet = q->options[OPT_QUIET]};
	int status = STATUS_FAILED;
	int r;

	client_path(c.control, sizeof(c.control));
	rows_init(&c.rows);
	r = begin(&c);
	if (r == 0)
		r = file_work_names(&c.work, c.verb, q->args, q->args_n);
	if (r == 0)
		status = answer(&c);
	else
		complain(&c, "cannot read the unit directories: %s", strerror(-r));
	file_work_close(&c.work);
	rows_fini(&c.rows);
	return status;
}
