/* SPDX-License-Identifier: MIT */
/* The verbs that set something: variables of all services, directives of a unit; and what is done to a unit's cgroup and directories. */
#include <stdio.h>
#include <unistd.h>

#include "activate/journal.h"
#include "core/describe.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/procs.h"
#include "core/remember.h"
#include "core/tree.h"
#include "ctl/live.h"
#include "ctl/property.h"
#include "ctl/property_live.h"
#include "ctl/serve.h"
#include "units/directive.h"
#include "units/exec_config.h"
#include "units/parse.h"
#include "units/value.h"

enum { FREEZE_LOOK_US = 5000, FREEZE_WAIT_US = 5 * 1000 * 1000 };

/* --- the manager --- */

/* Of the eight levels of syslog(3) three have no lines here. */
static const uint8_t level_of_syslog[] = {LOG_ERROR, LOG_ERROR, LOG_ERROR, LOG_ERROR,
					  LOG_WARN,  LOG_NOTE,  LOG_INFO,  LOG_TRACE};

const char *property_log_level(void)
{
	unsigned at = ARRAY_SIZE(level_of_syslog) - 1;

	while (at > 0 && level_of_syslog[at] != log_get_level())
		at--;
	/* Of several that mean the same the mildest is what it is called. */
	return words_log_level.names[at];
}

const char *property_log_target(const struct hark *h)
{
	return log_target_names[h->log_target % LOG_TARGETS];
}

static bool set_of_manager(struct hark *h, struct str name, struct str value)
{
	uint64_t code;
	unsigned level, target;
	bool is_on;

	if (str_eq_z(name, "ServiceWatchdogs") && value_bool(value, &is_on) == 0) {
		h->no_watchdogs = !is_on;
		return true;
	}
	if (str_eq_z(name, "LogTarget") &&
	    value_enum(value, log_target_names, LOG_TARGETS, &target) == 0) {
		h->log_target = (uint8_t)target;
		return true;
	}
	if (str_eq_z(name, "ExitCode") && str_to_u64(value, &code) == 0 && code <= UINT8_MAX) {
		h->exit_code = (int)code;
		return true;
	}
	if (!str_eq_z(name, "LogLevel") ||
	    value_enum(value, words_log_level.names, words_log_level.n, &level) < 0)
		return false;
	h->log_level_set = (uint8_t)(level_of_syslog[level] + 1);
	log_set_level((enum log_level)level_of_syslog[level]);
	return true;
}

int serve_configure(struct call *c)
{
	for (unsigned i = 0; i < c->request.args_n; i++) {
		struct str word = str_of(c->request.args[i]);
		size_t eq = str_index(word, '=');

		if (eq == word.n ||
		    !set_of_manager(c->h, str_sub(word, 0, eq), str_sub(word, eq + 1, word.n)))
			call_error(
				c, EXIT_USAGE, NULL,
				"\"%s\": LogLevel= takes err, warning, notice, info or debug, LogTarget= auto, "
				"journal, kmsg, console or null, ServiceWatchdogs= yes or no, ExitCode= 0 to 255; "
				"this one is as before",
				c->request.args[i]);
	}
	remember_manager(c->h);
	return CALL_DONE;
}

/* --- variables --- */

int serve_environment(struct call *c)
{
	bool is_unset = c->request.verb->id == VERB_UNSET_ENVIRONMENT;
	const char *bad = NULL;
	int r = environment_change(c->h, c->request.args, c->request.args_n, is_unset, &bad);

	if (r == -EINVAL)
		call_error(c, EXIT_USAGE, NULL, "\"%s\" does not begin with the name of a variable",
			   bad);
	else if (r < 0)
		call_error(c, EXIT_FAILED, NULL, "cannot keep the variables: %s; all is as before",
			   strerror(-r));
	return CALL_DONE;
}

int serve_show_environment(struct call *c)
{
	for (char **p = c->h->environment; p && *p; p++) {
		reply_row(&c->reply, "note");
		reply_text_z(&c->reply, "text", *p);
		reply_row_end(&c->reply);
	}
	return CALL_DONE;
}

/* --- freezing --- */

/* 1: it is so now, 0: not yet, -errno. */
static int freeze_unit(struct call *c, const struct unit *u, bool is_frozen)
{
	uint64_t now = !is_frozen;
	char path[CGROUP_PATH];
	int r;

	procs_cgroup(u, path);
	r = cgroup_freeze(&c->h->cgroups, path, is_frozen);
	if (r < 0)
		return r;
	return property_usage(c->h, u, "cgroup.events", "frozen", &now) && now == is_frozen;
}

int serve_freeze(struct call *c)
{
	bool is_frozen = c->request.verb->id == VERB_FREEZE;
	char name[UNIT_NAME_MAX + 1];
	const struct unit *u;
	int r;

	if (c->at == c->request.args_n)
		return CALL_DONE;
	u = call_known_unit(c, c->request.args[c->at], name);
	if (!u || !unit_is_active(u)) {
		call_refuse(c, EXIT_FAILED, name, u ? "not-active" : "not-found", "%s is not %s",
			    name, u ? "active" : "loaded");
		c->at++;
		return CALL_MORE;
	}
	if (!c->sub)
		c->sub = loop_now_us(&c->h->loop) + FREEZE_WAIT_US;
	r = freeze_unit(c, u, is_frozen);
	if (r == 0 && loop_now_us(&c->h->loop) < c->sub) {
		c->due_us = time_add(loop_now_us(&c->h->loop), FREEZE_LOOK_US);
		return CALL_WAIT;
	}
	if (r <= 0)
		call_error(c, EXIT_FAILED, u->name, "%s cannot be %s: %s", u->name,
			   is_frozen ? "frozen" : "thawed", strerror(r < 0 ? -r : ETIMEDOUT));
	c->sub = 0;
	c->at++;
	return CALL_MORE;
}

/* --- directories --- */

/* Kinds of directories of --what, bits 1 << enum exec_dir; 0: a word is none of them. */
static unsigned kinds_of(const char *what)
{
	static const char *const words[EXEC_DIRS] = {"runtime", "state", "cache", "logs",
						     "configuration"};
	struct str rest = str_of(what), word;
	unsigned kinds = 0;

	while (str_cut(&rest, ',', &word)) {
		unsigned k = 0;

		while (k < EXEC_DIRS && !str_eq_z(word, words[k]))
			k++;
		if (k == EXEC_DIRS && !str_eq_z(word, "all"))
			return 0;
		kinds |= k < EXEC_DIRS ? 1u << k : (1u << EXEC_DIRS) - 1;
	}
	return kinds;
}

enum { CLEAN_STEP = 64 }; /* files at a time: others want to be served, too */

/* 1: there is more of it. Else it is gone, or the caller is told why not. */
static int clean_directory(struct call *c, struct unit *u, enum exec_dir kind, const char *name)
{
	struct unit_directory dir;
	int r = describe_directory(c->h, u, kind, name, &dir);

	if (r == 0)
		r = tree_remove_some(dir.path, CLEAN_STEP);
	if ((r == 0 || r == -ENOENT) && dir.link[0])
		unlink(dir.link);
	if (r >= 0 || r == -ENOENT)
		return r > 0;
	u->is_unclean = true;
	call_error(c, EXIT_FAILED, u->name, "%s cannot be removed: %s", dir.path, strerror(-r));
	return 0;
}

/* A step in the removal of the unit's directories of these kinds. 1: go on, 0: they are gone. */
static int clean_unit(struct call *c, struct unit *u, unsigned kinds)
{
	const struct exec_config *e = u->config->exec;
	uint64_t at = 0;

	for (unsigned k = 0; e && k < EXEC_DIRS; k++) {
		const struct name_list *l = kinds >> k & 1 ? e->directories[k].names : NULL;

		for (; l; l = l->next) {
			if (at++ < c->sub)
				continue;
			c->sub += !clean_directory(c, u, (enum exec_dir)k, l->text);
			return 1;
		}
	}
	return 0;
}

int serve_clean(struct call *c)
{
	const char *what = c->request.options[OPT_WHAT];
	unsigned kinds = kinds_of(what ? what : "cache,runtime");
	struct unit *u;

	if (!kinds)
		call_error(c, EXIT_USAGE, NULL,
			   "--what takes configuration, state, cache, logs, runtime or all");
	if (!kinds || c->at == c->request.args_n)
		return CALL_DONE;
	u = call_unit(c, c->request.args[c->at], EXIT_FAILED);
	if (u && (!unit_is_at_rest(u) || u->work->job.id)) {
		call_refuse(c, EXIT_FAILED, u->name, "busy", "%s is not at rest", u->name);
	} else if (u) {
		u->is_unclean = u->is_unclean && c->sub;
		if (clean_unit(c, u, kinds))
			return CALL_MORE;
		if (c->sub == 0)
			call_refuse(c, EXIT_FAILED, u->name, "nothing-to-clean",
				    "%s has no such directory", u->name);
	}
	c->sub = 0;
	c->at++;
	return CALL_MORE;
}

/* --- directives --- */

/* The section of files of that type, beside [Unit] and [Install]. */
static enum section own_section(enum unit_type type)
{
	unsigned s = 0;

	while (s < SECTIONS &&
	       (s == SECTION_UNIT || s == SECTION_INSTALL || !section_fits((enum section)s, type)))
		s++;
	return (enum section)s;
}

static struct str name_in(const char *assignment)
{
	return str_sub(str_of(assignment), 0, str_index(str_of(assignment), '='));
}

/* Where a drop-in of that kind goes. */
static const char *directory_for(const struct hark *h, bool is_runtime)
{
	for (unsigned i = 0; i < h->load.dirs_n; i++) {
		struct str dir = str_of(h->load.dirs[i]);

		if (str_has_suffix(dir, STR("/system.control")) &&
		    str_has_prefix(dir, STR("/run/")) == is_runtime)
			return h->load.dirs[i];
	}
	return is_runtime ? h->transient.path : h->load.dirs[0];
}

/* All assignments of one name, as the text of a drop-in. */
static void write_text(struct call *c, enum section section, struct str name, struct sbuf *text)
{
	sbuf_addf(text, "# By set-property; `harkctl revert` takes it away.\n[%s]\n",
		  section_name(section));
	for (unsigned i = 1; i < c->request.args_n; i++)
		if (str_eq(name_in(c->request.args[i]), name))
			sbuf_addf(text, "%s\n", c->request.args[i]);
}

/* Does the text say something, and nothing wrong? What is wrong is told. */
static bool check_text(struct call *c, const struct unit *u, struct str text)
{
	struct unit_config *config = NULL;
	bool is_good = load_unit_text(&c->h->load, u->name, "set-property", text, &config) == 0;

	for (const struct diag *d = is_good ? config->diags.first : NULL; d; d = d->next)
		if (d->severity == DIAG_ERROR && d->line && d->file &&
		    strcmp(d->file, "set-property") == 0) {
			call_error(c, EXIT_USAGE, u->name, "%s", d->message);
			is_good = false;
			break;
		}
	unit_config_free(config);
	return is_good;
}

static int put_drop_in(struct call *c, const struct unit *u, struct str name, struct str text)
{
	bool is_runtime = c->request.options[OPT_RUNTIME];
	char dir[1024], file[128];
	int r;

	snprintf(dir, sizeof(dir), "%s/%s.d", directory_for(c->h, is_runtime), u->name);
	snprintf(file, sizeof(file), "50-" STR_FMT ".conf", STR_ARG(name));
	r = fd_mkdir_parents(dir, true, 0755);
	return r < 0 ? r : fd_replace_file(dir, file, text);
}

/* Is it the first assignment of its name? */
static bool is_first(const struct call *c, unsigned at)
{
	for (unsigned i = 1; i < at; i++)
		if (str_eq(name_in(c->request.args[i]), name_in(c->request.args[at])))
			return false;
	return true;
}

/* Write the drop-in of one name, or only see whether it can be. False: told why not. */
static bool set_one(struct call *c, const struct unit *u, unsigned at, bool does_write)
{
	enum section section = own_section((enum unit_type)u->type);
	struct str name = name_in(c->request.args[at]);
	bool is_known = section < SECTIONS && section_groups(section) >> GROUP_CGROUP & 1 &&
			directive_in_group(GROUP_CGROUP, name) && strchr(c->request.args[at], '=');
	struct sbuf text = {0};
	bool is_good = false;
	int r = 0;

	if (!is_known) {
		call_refuse(c, EXIT_FAILED, c->request.args[at], "no-property",
			    "%s cannot be set while a unit is loaded", c->request.args[at]);
		return false;
	}
	write_text(c, section, name, &text);
	if (!text.err && !does_write)
		is_good = check_text(c, u, (struct str){text.p, text.n});
	else if (!text.err)
		is_good = (r = put_drop_in(c, u, name, (struct str){text.p, text.n})) == 0;
	if (r < 0)
		call_error(c, EXIT_FAILED, u->name, "the drop-in cannot be written: %s",
			   strerror(-r));
	sbuf_fini(&text);
	return is_good;
}

/* "needs-restart needs-reload" are all of them; with + or - in front they are added or taken away. False: told why not. */
static bool set_markers(struct call *c, struct unit *u, const char *assignment)
{
	struct str rest = str_of(strchr(assignment, '=') + 1), word;
	uint8_t markers = u->markers;
	bool is_first_word = true;

	if (!str_trim(rest).n)
		markers = 0;
	while (str_cut(&rest, ' ', &word)) {
		bool is_change = word.n && (word.p[0] == '+' || word.p[0] == '-');
		struct str name = str_sub(word, is_change, word.n);
		uint8_t bit = str_eq_z(name, marker_names[0])   ? UNIT_NEEDS_RELOAD
			      : str_eq_z(name, marker_names[1]) ? UNIT_NEEDS_RESTART
								: 0;

		if (!word.n)
			continue;
		if (!bit) {
			call_error(c, EXIT_USAGE, u->name,
				   "\"%s\": a unit can be marked with needs-restart and "
				   "needs-reload; it is as before",
				   assignment);
			return false;
		}
		if (!is_change && is_first_word)
			markers = 0;
		markers = (uint8_t)(word.p[0] == '-' ? markers & ~bit : markers | bit);
		is_first_word = false;
	}
	u->markers = markers;
	remember_unit(c->h, u);
	return true;
}

/* What becomes of other files that changed meanwhile is told in the log. */
static void ignore_reloaded(void *arg UNUSED, struct unit *u UNUSED, enum refresh how UNUSED,
			    const struct unit_config *config UNUSED)
{
}

int serve_set_property(struct call *c)
{
	struct unit *u = call_unit(c, c->request.args[0], EXIT_FAILED);

	if (u && c->request.args_n == 2 &&
	    str_has_prefix(str_of(c->request.args[1]), STR("Markers="))) {
		set_markers(c, u, c->request.args[1]);
		return CALL_DONE;
	}
	for (unsigned k = 0; u && k < 2; k++)
		for (unsigned i = 1; i < c->request.args_n; i++)
			if (is_first(c, i) && !set_one(c, u, i, k == 1))
				return CALL_DONE;
	if (u && live_reload(c->h, ignore_reloaded, NULL) < 0)
		call_error(c, EXIT_FAILED, u->name, "it is written, but cannot be read: %s",
			   strerror(ENOMEM));
	return CALL_DONE;
}
