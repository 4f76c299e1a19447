/* SPDX-License-Identifier: MIT */
#include "units/load.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/reach.h"
#include "units/advice.h"
#include "units/config.h"
#include "units/directive.h"
#include "units/finish.h"
#include "units/load_index.h"
#include "units/load_read.h"
#include "units/name.h"

/* One load on its way. */
struct loading {
	struct load *load;
	struct unit_config *config;
	struct arena scratch;
	struct assignment line;         /* used again for every line */
	bool only_install;              /* for enablement by presence */
	const struct load_entry *entry; /* of the fragment, or NULL */
	uint64_t stamp;
	int state; /* enum load_state that files have forced, or -1 */
};

/* --- beginning and end of a load --- */

/* A template that is read as such, to be checked or listed, is read as if for the instance "i". */
static const char *name_for_specifiers(struct loading *g)
{
	char full[UNIT_NAME_MAX + 1];
	const char *name = g->config->name;

	if (name_form(name) != NAME_TEMPLATE || !name_is_valid(name, NAME_TEMPLATE) ||
	    name_with_instance(name, STR("i"), full, sizeof(full)) < 0)
		return name;
	return arena_dup(&g->scratch, full, strlen(full));
}

/* A name says no more than that there is a regular file; what is in it is seen when the timer is started. */
static bool has_zone(void *arg, const char *name)
{
	const struct load *l = arg;
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/usr/share/zoneinfo/%s", l->root, name);

	return n > 0 && (size_t)n < sizeof(path) && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int loading_init(struct loading *g, struct load *l, const char *name)
{
	memset(g, 0, sizeof(*g));
	g->load = l;
	g->state = -1;
	g->config = config_new(name);
	if (!g->config)
		return -ENOMEM;
	g->line.config = g->config;
	g->line.arena = &g->config->arena;
	g->line.scratch = &g->scratch;
	g->line.has_zone = has_zone;
	g->line.zone_arg = l;
	g->line.spec = (struct specifier_context){.host = &l->host, .unit = name_for_specifiers(g)};
	return g->line.spec.unit ? 0 : -ENOMEM;
}

/* Ends a load: the configuration is the caller's, or gone after an error. */
static int loading_end(struct loading *g, int err, struct unit_config **ret_config)
{
	arena_fini(&g->scratch);
	if (err < 0) {
		unit_config_free(g->config);
		return err;
	}
	config_settle(g->config, &g->load->parts);
	*ret_config = g->config;
	return 0;
}

/* A finding about the unit as a whole. */
static void report_unit(struct loading *g, enum code code, const char *file, const char *text)
{
	diag_add(&g->config->diags, codes[code].code, DIAG_ERROR, false,
		 (struct diag_place){file, 0, 0, 0}, NULL, "%s: %s", g->config->name, text);
}

/* --- one text --- */

/* The section of the lines that follow: its number, or -1 when they have no effect. */
static int enter_section(struct loading *g, struct str name)
{
	int section = section_find(name);
	int type = unit_type_of(g->config->name);

	if (str_has_prefix(name, STR("X-")) || (g->only_install && section != SECTION_INSTALL))
		return -1;
	if (section >= 0 && (type < 0 || section_fits((enum section)section, (enum unit_type)type)))
		return section;
	directive_report_section(&g->line, name);
	return -1;
}

/* Lines that are no assignments: what is said about them, and whether they refuse the unit. */
static const struct bad_line {
	enum code code;
	bool is_fatal;
	const char *text;
} bad_lines[INI_KINDS] = {
	[INI_BAD_HEADER] = {CODE_BAD_HEADER, true,
			    "a section header ends with ]; the unit is refused"},
	[INI_NO_EQUALS] = {CODE_NO_EQUALS, false, "there is no = in this line; it has no effect"},
	[INI_NO_KEY] = {CODE_NO_KEY, false,
			"there is no name in front of =; the line has no effect"},
	[INI_NO_SECTION] = {CODE_NO_SECTION, false,
			    "no section has begun yet; the line has no effect"},
	[INI_NUL] = {CODE_NUL_BYTE, true, "there is a NUL byte in this line; the unit is refused"},
	[INI_TOO_LONG] = {CODE_LINE_TOO_LONG, true,
			  "the line is longer than 1 MiB; the unit is refused"},
};

static void report_line(struct assignment *a, const struct bad_line *b)
{
	struct str line = str_sub(a->ini->text, a->item->start, a->ini->text.n);
	char room[ADVICE_ROOM];

	line = str_trim(str_sub(line, 0, str_index(line, '\n')));
	a->suggestion = advice_for(b->code, a->key, line, room);
	parse_report(a, b->code, DIAG_ERROR, PARSE_WHOLE, "%s", b->text);
	a->suggestion = NULL;
}

static int apply_text(struct loading *g, const char *file, struct str text)
{
	struct assignment *a = &g->line;
	struct ini_item item;
	int section = -1, kind, r = 0;
	struct ini ini;

	ini_init(&ini, text, &g->scratch);
	a->file = file;
	a->ini = &ini;
	a->item = &item;
	while (r == 0 && (kind = ini_next(&ini, &item)) != INI_END) {
		if (kind < 0)
			return kind;
		a->key = item.key;
		a->value = item.value;
		a->wrong = a->suggestion = NULL;
		a->bad_at = a->bad_n = 0;
		a->is_off = a->is_strict = false;
		if (kind == INI_ASSIGNMENT && section >= 0) {
			r = directive_apply(a, (enum section)section);
		} else if (kind != INI_ASSIGNMENT) {
			a->value = (struct str){NULL, 0};
			a->is_strict = bad_lines[kind].is_fatal;
			section = kind == INI_SECTION      ? enter_section(g, item.section)
				  : kind == INI_BAD_HEADER ? -1
							   : section;
			if (bad_lines[kind].text)
				report_line(a, &bad_lines[kind]);
		}
	}
	a->ini = NULL;
	return r;
}

/* --- files --- */

/* The open directory in which the fragment lies under the name of its entry, or -1. */
static int dir_of(const struct loading *g)
{
	const struct load *l = g->load;
	const struct load_entry *e = g->entry;

	return e && l->dir_fds && (!e->tie->target || !l->root[0]) ? l->dir_fds[e->dir] : -1;
}

/* The text of a file: kept by the scan, that of a template, or read for this load alone. is_main: the fragment. */
static int text_of(struct loading *g, const char *path, bool is_main, struct load_text *ret)
{
	struct load_template *template = &g->load->template;
	int dir = is_main ? dir_of(g) : -1, r;
	const char *name = dir >= 0 ? g->entry->name : path;

	dir = dir >= 0 ? dir : AT_FDCWD;
	if (is_main && g->entry && g->entry->present && g->entry->present->text.text) {
		*ret = g->entry->present->text;
		return 0;
	}
	r = reach(dir, name);
	if (r < 0 || text_find(&g->load->cache, dir, name, path, ret))
		return r;
	if (!is_main || !g->config->instance)
		return text_read(dir, name, TEXT_MAX, &g->scratch, ret);
	r = text_read_template(template, path);
	*ret = template->text;
	return r;
}

/* Twice: what fails for a moment need not fail. */
static int read_text(struct loading *g, const char *path, bool is_main, struct load_text *ret)
{
	int r = text_of(g, path, is_main, ret);

	return r < 0 && r != -ENOMEM && r != -ENOENT && r != -ETIMEDOUT
		       ? text_of(g, path, is_main, ret)
		       : r;
}

/* Who may read it, and who may write it, or has_lax_dir: put another in its place, beside its owner. */
static void look_at_mode(struct loading *g, const char *path, mode_t mode, bool has_lax_dir)
{
	bool is_lax = mode & S_IWOTH;

	g->config->is_private |= !(mode & S_IROTH);
	if (is_lax || has_lax_dir)
		diag_add(&g->config->diags, codes[CODE_FILE_MODE].code, DIAG_WARNING, false,
			 (struct diag_place){path, 0, 0, 0},
			 is_lax ? "chmod 644" : "chmod o-w of the directory",
			 "everybody can write this file%s, and so run what they like",
			 is_lax ? "" : "'s directory");
}

/* The fragment lies in a directory of the search path. */
static bool is_in_lax_dir(const struct loading *g)
{
	return g->entry && index_is_lax(g->load, g->entry->dir);
}

/* Read one file and let it take effect. is_main: the fragment, an empty one of which masks the unit. */
static int apply_file(struct loading *g, const char *path, bool is_main, bool has_lax_dir)
{
	struct load_text t;
	char why[128];
	int r = read_text(g, path, is_main, &t);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		/* a drop-in that leads nowhere says nothing; one that is there may say what protects */
		bool is_lost = is_main || r != -ENOENT;

		snprintf(why, sizeof(why), "the file cannot be read: %s; %s",
			 r == -ENXIO ? "it is a device, a FIFO or a socket" : strerror(-r),
			 is_lost ? "the unit is not loaded" : "it has no effect");
		report_unit(g, CODE_CANNOT_READ, path, why);
		g->state = is_lost ? LOAD_ERROR : g->state;
		return 0;
	}
	g->stamp = text_mark_add(g->stamp, &t.mark);
	look_at_mode(g, path, t.mark.mode, has_lax_dir);
	if (is_main)
		g->config->fragment_mtime_us = (uint64_t)t.mark.mtime.tv_sec * US_PER_SEC +
					       (uint64_t)t.mark.mtime.tv_nsec / 1000;
	if (t.n == 0 && is_main)
		g->state = LOAD_MASKED;
	return apply_text(g, path, (struct str){t.text, t.n});
}

static int apply_dropins(struct loading *g)
{
	struct load_parts parts;
	struct name_list **end = &g->config->dropins;
	int r = index_parts(g->load, g->config->name, false, &g->scratch, &parts);

	for (uint32_t k = 0; r == 0 && k < parts.n; k++) {
		const char *path = index_part_path(g->load, parts.parts[k], &g->config->arena);

		*end = path ? arena_get(&g->config->arena, sizeof(**end)) : NULL;
		if (!*end)
			return -ENOMEM;
		(*end)->text = path;
		end = &(*end)->next;
		r = parts.parts[k]->is_masked ? 0
					      : apply_file(g, path, false, parts.parts[k]->is_lax);
	}
	return r;
}

/* The unit that a link of .wants and its like means. Of a template that is the instance of this unit's own name. full: room for one. NULL: the unit itself. */
static const char *linked_member(const struct unit_config *c, const struct load_part *p,
				 char full[UNIT_NAME_MAX + 1])
{
	struct str instance = c->instance ? str_of(c->instance) : name_prefix(c->name);
	const char *member = p->name;

	if (name_form(member) == NAME_TEMPLATE &&
	    name_with_instance(member, instance, full, UNIT_NAME_MAX + 1) == 0)
		member = full;
	return strcmp(member, c->name) == 0 ? NULL : member;
}

static int apply_links(struct loading *g)
{
	struct unit_config *c = g->config;
	char full[UNIT_NAME_MAX + 1];
	struct load_parts parts;
	struct dep_list deps;
	int r = index_parts(g->load, c->name, true, &g->scratch, &parts);

	dep_list_init(&deps, c);
	for (uint32_t k = 0; r == 0 && k < parts.n; k++) {
		const struct load_part *p = parts.parts[k];
		const char *member = linked_member(c, p, full);

		if (!member)
			continue;
		g->stamp = text_mix(g->stamp, str_hash(str_of(member)));
		r = dep_add_copy(&deps, (enum dep_type)p->type, DEP_FILE, member);
	}
	return r;
}

/* The file of a unit: its own, or its template's. NULL: there is none. */
static const struct load_entry *find_fragment(const struct load *l, const char *name)
{
	char template[UNIT_NAME_MAX + 1];
	const struct load_entry *e = index_find(l, str_of(name)), *t = NULL;
	bool has_own = e && e->has_file && !e->tie->alias_of;

	if ((!has_own || e->is_of_template) && name_form(name) == NAME_INSTANCE &&
	    name_template(name, template, sizeof(template)) == 0)
		t = index_find(l, str_of(template));
	if (t && t->has_file && !t->tie->alias_of)
		return t;
	return has_own ? e : NULL;
}

enum load_state load_expect(const struct load *l, const char *name)
{
	const struct load_entry *e = find_fragment(l, name);

	if (!e)
		return config_needs_file(name) ? LOAD_NOT_FOUND : LOAD_LOADED;
	return e->is_masked ? LOAD_MASKED : LOAD_LOADED;
}

/* There is no file, or one that is no name of any unit. */
static void report_absent(struct loading *g)
{
	const struct load_entry *e = index_find(g->load, str_of(g->config->name));
	char why[UNIT_NAME_MAX + 128];

	if (e && e->tie->is_broken) {
		snprintf(why, sizeof(why), "the file is a link to %s, %s; the unit is not loaded",
			 e->tie->alias_of,
			 name_fits_alias(e->name, e->tie->alias_of)
				 ? "and these links end at no unit"
				 : "which cannot have this name");
		report_unit(g, CODE_BROKEN_LINK, index_path(g->load, e, &g->config->arena), why);
		g->state = LOAD_ERROR;
	} else if (config_needs_file(g->config->name)) {
		report_unit(g, CODE_NO_FILE, NULL,
			    "there is no such unit in any of the unit directories");
		g->state = LOAD_NOT_FOUND;
	}
}

/* Fragment and drop-ins. */
static int apply_files(struct loading *g)
{
	const struct load_entry *e = find_fragment(g->load, g->config->name);
	int r = 0;

	if (!e)
		report_absent(g);
	if (g->state >= 0)
		return 0;
	if (e && e->is_masked)
		g->state = LOAD_MASKED;
	if (e) {
		g->config->fragment = index_path(g->load, e, &g->config->arena);
		g->line.spec.fragment = g->config->fragment;
		g->config->is_present = index_is_presence(g->load->dirs[e->dir]);
		g->entry = e;
		r = !g->config->fragment ? -ENOMEM
		    : e->is_masked       ? 0
				   : apply_file(g, g->config->fragment, true, is_in_lax_dir(g));
	}
	return r == 0 && g->state < 0 ? apply_dropins(g) : r;
}

static int load_all(struct loading *g)
{
	int r = apply_files(g);

	if (r == 0 && g->state < 0)
		r = apply_links(g);
	if (r == 0 && g->state < 0)
		r = finish_config(g->load, g->config);
	if (g->state >= 0)
		g->config->load = (uint8_t)g->state;
	g->config->files_stamp = g->stamp;
	return r;
}

int load_unit(struct load *l, const char *name, struct unit_config **ret_config)
{
	bool is_name = name_is_valid(name, NAME_ANY);
	const char *canonical = is_name ? load_canonical(l, name) : NULL;
	struct loading g;
	int r = loading_init(&g, l, canonical ? canonical : name);

	if (r == 0 && !is_name) {
		report_unit(&g, CODE_BAD_UNIT_FILE_NAME, NULL, "this is not the name of a unit");
		g.config->load = LOAD_BAD;
	} else if (r == 0) {
		r = load_all(&g);
	}
	return loading_end(&g, r, ret_config);
}

int load_unit_text(struct load *l, const char *name, const char *file, struct str text,
		   struct unit_config **ret_config)
{
	struct loading g;
	int r = loading_init(&g, l, name);

	if (r < 0)
		return loading_end(&g, r, ret_config);
	if (!name_is_valid(name, NAME_ANY)) {
		report_unit(&g, CODE_BAD_UNIT_FILE_NAME, file, "this is not the name of a unit");
		g.config->load = LOAD_BAD;
		return loading_end(&g, 0, ret_config);
	}
	g.config->fragment = arena_dup(&g.config->arena, file, strlen(file));
	g.line.spec.fragment = g.config->fragment;
	r = g.config->fragment ? apply_text(&g, g.config->fragment, text) : -ENOMEM;
	if (r == 0)
		r = apply_dropins(&g);
	if (r == 0)
		r = apply_links(&g);
	if (r == 0)
		r = finish_config(g.load, g.config);
	if (g.state >= 0)
		g.config->load = (uint8_t)g.state;
	g.config->files_stamp = g.stamp;
	return loading_end(&g, r, ret_config);
}

/* --- [Install] alone --- */

/* as: the name that specifiers speak of. */
static int load_install_as(struct load *l, const char *name, const char *as, const char *path,
			   struct unit_config **ret_config)
{
	char full[PATH_MAX];
	struct loading g;
	int r = loading_init(&g, l, name);

	if (r == 0) {
		snprintf(full, sizeof(full), "%s%s", l->root, path);
		g.only_install = true;
		g.line.spec.unit = as;
		g.line.spec.fragment = arena_dup(&g.config->arena, full, strlen(full));
		g.config->fragment = g.line.spec.fragment;
		r = g.config->fragment ? apply_file(&g, g.config->fragment, true, false) : -ENOMEM;
	}
	if (r == 0 && g.state < 0)
		r = apply_dropins(&g);
	if (r == 0)
		g.config->load = (uint8_t)(g.state >= 0 ? g.state : LOAD_LOADED);
	return loading_end(&g, r, ret_config);
}

int load_install(struct load *l, const char *name, const char *path,
		 struct unit_config **ret_config)
{
	char instance[UNIT_NAME_MAX + 1];
	struct unit_config *c;
	int r = load_install_as(l, name, name, path, &c);

	if (r < 0)
		return r;
	*ret_config = c;
	if (!c->unit->default_instance || name_form(name) != NAME_TEMPLATE ||
	    name_with_instance(name, str_of(c->unit->default_instance), instance,
			       sizeof(instance)) < 0)
		return 0;
	r = load_install_as(l, name, instance, path, ret_config);
	unit_config_free(c);
	return r;
}

/* The lists of [Install] that make links, and what they mean. */
static const struct install_list {
	size_t offset; /* of a struct name_list * in struct unit_settings */
	enum dep_type dep;
} install_lists[] = {
	{offsetof(struct unit_settings, wanted_by), DEP_WANTS},
	{offsetof(struct unit_settings, required_by), DEP_REQUIRES},
	{offsetof(struct unit_settings, upheld_by), DEP_UPHOLDS},
};

static const struct name_list *install_list(const struct unit_config *c, unsigned k)
{
	const struct name_list *n;

	memcpy(&n, (const char *)c->unit + install_lists[k].offset,
	       sizeof(const struct name_list *));
	return n;
}

static bool is_same_list(const struct name_list *a, const struct name_list *b)
{
	for (; a && b && strcmp(a->text, b->text) == 0; a = a->next)
		b = b->next;
	return !a && !b;
}

bool load_install_is_stale(struct load *l, const struct unit_config *c)
{
	struct unit_config *now;
	bool is_same;

	if (name_form(c->name) == NAME_TEMPLATE || !c->fragment ||
	    load_install(l, c->name, c->fragment + strlen(l->root), &now) < 0)
		return true;
	is_same = now->load == LOAD_LOADED && is_same_list(c->unit->alias, now->unit->alias);
	for (unsigned k = 0; k < ARRAY_SIZE(install_lists); k++)
		is_same &= is_same_list(install_list(c, k), install_list(now, k));
	unit_config_free(now);
	return !is_same;
}

/* --- the index --- */

/* The name that enabling c links: itself, or the default instance of a template. False: a template without one. */
static bool enabled_name(const struct unit_config *c, char *out, size_t cap)
{
	if (name_form(c->name) != NAME_TEMPLATE)
		return snprintf(out, cap, "%s", c->name) > 0;
	return c->unit->default_instance &&
	       name_with_instance(c->name, str_of(c->unit->default_instance), out, cap) == 0;
}

int load_enable(struct load *l, struct load_entry *e, const struct unit_config *c)
{
	char member[UNIT_NAME_MAX + 1];
	int r = 0;

	e->does_install = c->has_install;
	for (const struct name_list *n = c->unit->alias; r == 0 && n; n = n->next)
		if (str_eq(name_suffix(n->text), name_suffix(c->name)))
			r = index_add_alias(l, n->text, c->name);
	if (!enabled_name(c, member, sizeof(member)))
		return r;
	for (unsigned k = 0; k < ARRAY_SIZE(install_lists); k++) {
		const struct name_list *n = install_list(c, k);

		for (; r == 0 && n; n = n->next)
			r = index_add_link(l, n->text, install_lists[k].dep, member, c->fragment,
					   e->dir);
	}
	return r;
}

/* Most files have none, and that is seen without taking them apart. What is not as usual is left to those who report it. */
static bool may_install(const struct load *l, const struct load_present *p, struct arena *scratch)
{
	struct load_parts dropins;

	if (index_parts(l, p->entry->name, false, scratch, &dropins) < 0 || dropins.n ||
	    !p->text.text)
		return true;
	return memmem(p->text.text, p->text.n, "[Install]", strlen("[Install]")) != NULL;
}

int load_present_install(struct load *l, const struct load_entry *e,
			 struct unit_config **ret_config)
{
	struct loading g;
	int r = loading_init(&g, l, e->name);

	g.only_install = true;
	if (r == 0)
		r = apply_files(&g);
	return loading_end(&g, r, ret_config);
}

/* Presence is enablement: what [Install] of these files says holds without links. */
static int enable_present(struct load *l)
{
	struct unit_config *c = NULL;
	struct arena scratch = {0};
	int r = 0;

	for (const struct load_present *p = l->present; r == 0 && p; p = p->next) {
		bool may = may_install(l, p, &scratch);

		arena_fini(&scratch);
		if (!may)
			continue;
		r = load_present_install(l, p->entry, &c);
		if (r == 0)
			r = load_enable(l, p->entry, c);
		unit_config_free(c);
		c = NULL;
	}
	return r;
}

static int scan(struct load *l)
{
	struct load fresh = *l;
	int r;

	memset(&fresh.names, 0, sizeof(fresh.names));
	memset(&fresh.arena, 0, sizeof(fresh.arena));
	fresh.has_prefixes = fresh.has_types = fresh.has_strays = false;
	fresh.renewals_n = 0;
	memset(&fresh.present_arena, 0, sizeof(fresh.present_arena));
	fresh.present = NULL;
	r = load_read(&fresh);
	if (r == 0)
		r = enable_present(&fresh);
	if (r == 0)
		r = index_finish(&fresh);
	if (r < 0) {
		index_drop(&fresh);
		l->template = fresh.template;
		l->parts = fresh.parts;
		return r;
	}
	index_drop(l);
	*l = fresh;
	if (!l->keeps_texts)
		load_forget_texts(l);
	share_sweep(&l->parts);
	return 0;
}

/* What fails for a moment need not fail. */
int load_scan(struct load *l)
{
	int r = scan(l);

	return r < 0 && r != -ENOMEM && r != -ETIMEDOUT ? scan(l) : r;
}

/* --- has it changed? --- */

static uint64_t file_stamp(uint64_t sum, const char *path)
{
	struct text_mark mark;

	return path && reach(AT_FDCWD, path) == 0 && text_mark_read(path, &mark) == 0
		       ? text_mark_add(sum, &mark)
		       : sum;
}

/* The stamp that a load would give now, in the order in which it reads. */
static int stamp_now(const struct load *l, const struct unit_config *c, struct arena *scratch,
		     uint64_t *ret_stamp)
{
	const struct load_entry *e = find_fragment(l, c->name);
	struct load_parts dropins = {0}, links = {0};
	char full[UNIT_NAME_MAX + 1];
	uint64_t stamp = e && !e->is_masked ? file_stamp(0, index_path(l, e, scratch)) : 0;
	int r = index_parts(l, c->name, false, scratch, &dropins);

	if (r == 0)
		r = index_parts(l, c->name, true, scratch, &links);
	for (uint32_t k = 0; r == 0 && k < dropins.n; k++)
		if (!dropins.parts[k]->is_masked)
			stamp = file_stamp(stamp, index_part_path(l, dropins.parts[k], scratch));
	for (uint32_t k = 0; r == 0 && k < links.n; k++) {
		const char *member = linked_member(c, links.parts[k], full);

		if (member)
			stamp = text_mix(stamp, str_hash(str_of(member)));
	}
	*ret_stamp = stamp;
	return r;
}

bool load_is_stale(const struct load *l, const struct unit_config *c)
{
	struct arena scratch = {0};
	uint64_t stamp = 0;
	int r = stamp_now(l, c, &scratch, &stamp);

	arena_fini(&scratch);
	return r == 0 && stamp != c->files_stamp;
}
