/* SPDX-License-Identifier: MIT */
#include "ctl/unit_files.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "units/install.h"
#include "units/install_apply.h"
#include "units/install_state.h"
#include "units/load.h"
#include "units/name.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

/* One command on its way. */
struct command {
	struct screen *screen;
	const struct question *question;
	char control[256]; /* path of the socket */
	enum verb_id verb;
	bool is_quiet;
	bool has_manager; /* one answers, and it is about its files */
	struct rows rows; /* of the manager's answers */
	struct load load;
	struct install_tree tree;
	struct install install;
	const char **names; /* full names, and paths, in the arena of install */
	unsigned names_n;
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
	for (unsigned k = 0; k < c->names_n; k++)
		if (c->names[k][0] == '/')
			c->names[k] = strrchr(c->names[k], '/') + 1;
	if (now == VERB_STOP && tell_manager(c, now, c->names, c->names_n) != STATUS_OK)
		return STATUS_FAILED;
	status = tell_manager(c, VERB_RELOAD_CONFIG, NULL, 0);
	if (now == VERB_START && status == STATUS_OK)
		status = tell_manager(c, now, c->names, c->names_n);
	return status;
}

/* --- beginning --- */

static int read_install(void *arg, const char *name, const char *path,
			struct unit_config **ret_config)
{
	return load_install(arg, name, path, ret_config);
}

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
	r = load_init(&c->load, dirs, root && strcmp(root, "/") != 0 ? root : "");
	if (r == 0)
		r = load_scan(&c->load);
	if (r == 0)
		r = tree_init(&c->tree, c->load.dirs, c->load.dirs_n, c->load.root);
	if (r == 0)
		r = tree_read(&c->tree);
	install_init(&c->install, &c->tree, read_install, &c->load);
	c->install.is_runtime = c->question->options[OPT_RUNTIME];
	c->install.is_forced = c->question->options[OPT_FORCE];
	return r;
}

/* "ssh" is ssh.service, as everywhere. */
static int take_names(struct command *c)
{
	char full[UNIT_NAME_MAX + 1];

	c->names_n = c->question->args_n;
	c->names = arena_get(&c->install.arena, (c->names_n + 1) * sizeof(*c->names));
	if (!c->names)
		return -ENOMEM;
	for (unsigned k = 0; k < c->names_n; k++) {
		const char *word = c->question->args[k];
		bool is_path = verbs[c->verb].shape == SHAPE_UNIT_FILES && strchr(word, '/');

		if (!is_path && name_from_user(word, full, sizeof(full)) == 0)
			word = full;
		c->names[k] = arena_dup(&c->install.arena, word, strlen(word));
		if (!c->names[k])
			return -ENOMEM;
	}
	return 0;
}

/* --- changes --- */

static int plan_preset(struct command *c)
{
	const char *word = c->question->options[OPT_PRESET_MODE];
	unsigned mode = 0;
	struct preset p;
	int r;

	while (word && mode < PRESET_MODES && strcmp(word, preset_mode_names[mode]) != 0)
		mode++;
	if (mode == PRESET_MODES)
		return install_tell(&c->install, true,
				    "--preset-mode takes full, enable-only or disable-only");
	preset_init(&p);
	r = preset_read(&p, c->load.root);
	if (r == 0)
		r = install_preset(&c->install, &p, (enum preset_mode)mode, c->names, c->names_n);
	preset_fini(&p);
	return r;
}

static int plan(struct command *c)
{
	struct install *in = &c->install;

	switch ((int)c->verb) {
	case VERB_ENABLE:
		return install_enable(in, c->names, c->names_n);
	case VERB_DISABLE:
		return install_disable(in, c->names, c->names_n);
	case VERB_REENABLE:
		return install_reenable(in, c->names, c->names_n);
	case VERB_MASK:
		return install_mask(in, c->names, c->names_n);
	case VERB_UNMASK:
		return install_unmask(in, c->names, c->names_n);
	case VERB_LINK:
		return install_link(in, c->names, c->names_n);
	case VERB_REVERT:
		return install_revert(in, c->names, c->names_n);
	case VERB_ADD_WANTS:
		return install_add_dependency(in, DEP_WANTS, c->names, c->names_n);
	case VERB_ADD_REQUIRES:
		return install_add_dependency(in, DEP_REQUIRES, c->names, c->names_n);
	case VERB_SET_DEFAULT:
		return install_set_default(in, c->names[0]);
	default:
		return plan_preset(c);
	}
}

static void told(void *arg, const struct tree_node *n)
{
	struct command *c = arg;

	if (c->is_quiet)
		return;
	if (n->kind == TREE_LINK)
		paintf(&c->screen->paint, "linked %s -> %s\n", n->path, n->target);
	else if (n->kind == TREE_NONE)
		paintf(&c->screen->paint, "removed %s\n", n->path);
	else
		paintf(&c->screen->paint, "wrote %s\n", n->path);
}

static int change(struct command *c)
{
	const char *path = "";
	int status = STATUS_OK;
	int r = plan(c);

	for (const struct install_note *n = c->install.notes; n; n = n->next)
		if (n->is_error || !c->is_quiet)
			complain(c, "%s", n->text);
	if (r == 0)
		r = install_apply(&c->tree, told, c, &path);
	if (r < 0)
		complain(c, "%s: %s; what is said above is done, the rest is not", path,
			 strerror(-r));
	if (r == 0)
		status = follow_up(c);
	return r < 0 || c->install.has_error ? STATUS_FAILED : status;
}

/* --- questions --- */

static int get_default(struct command *c)
{
	const char *name = NULL;
	int r = install_get_default(&c->install, &name);

	if (r == 0 && !name)
		complain(c, "there is no default.target");
	else if (r == 0)
		paintf(&c->screen->paint, "%s\n", name);
	return name ? STATUS_OK : STATUS_FAILED;
}

static int is_enabled(struct command *c)
{
	int status = STATUS_FAILED;

	for (unsigned k = 0; k < c->names_n; k++) {
		enum install_state state = INSTALL_NOT_FOUND;
		int r = install_state(&c->install, c->names[k], &state);

		if (r < 0)
			return no_memory(c, r);
		if (state == INSTALL_NOT_FOUND || state == INSTALL_BAD)
			complain(c, "%s: %s", c->names[k],
				 state == INSTALL_BAD ? "its file or link is broken"
						      : "there is no such unit file");
		else if (!c->is_quiet)
			paintf(&c->screen->paint, "%s\n", install_state_names[state]);
		if (install_state_is_good(state))
			status = STATUS_OK;
	}
	return status;
}

static bool is_wanted(const struct command *c, const struct tree_node *n)
{
	if (n->is_side || n->kind == TREE_DIR || !name_is_valid(n->name, NAME_ANY))
		return false;
	for (unsigned k = 0; k < c->names_n; k++)
		if (fnmatch(c->question->args[k], n->name, 0) == 0)
			return true;
	return c->names_n == 0;
}

/* The node of a name in the most important directory: each name is listed once. */
static bool is_first(const struct command *c, const struct tree_node *n)
{
	for (unsigned k = 0; k < n->dir; k++) {
		AUTO_MEM char *path = NULL;
		struct sbuf b = {0};

		sbuf_addf(&b, "%s/%s", c->tree.dirs[k].path, n->name);
		path = sbuf_take(&b);
		if (path && tree_find(&c->tree, path))
			return false;
	}
	return true;
}

static int list_file(struct command *c, const struct preset *p, const struct tree_node *n)
{
	enum install_state state = INSTALL_NOT_FOUND;
	struct str instances;
	int r = install_state(&c->install, n->name, &state);
	bool has_preset = state != INSTALL_STATIC && state != INSTALL_ALIAS &&
			  state != INSTALL_GENERATED;

	paintf(&c->screen->paint, "%-50s %-16s %s\n", n->name, install_state_names[state],
	       !has_preset                            ? "-"
	       : preset_wants(p, n->name, &instances) ? "enabled"
						      : "disabled");
	return r;
}

static int list_files(struct command *c)
{
	struct preset p;
	int r;

	preset_init(&p);
	r = preset_read(&p, c->load.root);
	for (unsigned k = 0; r == 0 && k < c->tree.dirs_n; k++)
		list_for_each(node, &c->tree.dirs[k].nodes) {
			const struct tree_node *n = list_entry(node, struct tree_node, list_node);

			if (r == 0 && is_wanted(c, n) && is_first(c, n))
				r = list_file(c, &p, n);
		}
	preset_fini(&p);
	return no_memory(c, r);
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
		r = take_names(&c);
	if (r == 0)
		status = answer(&c);
	else
		complain(&c, "cannot read the unit directories: %s", strerror(-r));
	install_fini(&c.install);
	tree_fini(&c.tree);
	load_fini(&c.load);
	rows_fini(&c.rows);
	return status;
}
