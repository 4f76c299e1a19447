/* SPDX-License-Identifier: MIT */
#include "ctl/verify.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/finding.h"
#include "units/check.h"
#include "units/name.h"

enum { STATUS_DONE, STATUS_FAILED, STATUS_USAGE, STATUS_NO_UNIT = 5, STATUS_FINDINGS = 6 };
enum verify_form { VERIFY_TEXT, VERIFY_JSON, VERIFY_GCC, VERIFY_FORMS };

struct verify {
	struct screen *screen;
	const struct question *question;
	struct load load;
	struct world world;
	struct rows rows;
	unsigned n[DIAG_SEVERITIES];
	unsigned units_n;
	bool is_missing; /* a unit that was asked for is not there */
};

/* --- what to look at --- */

static const char *option(const struct verify *v, enum option_id id)
{
	const char *value = v->question->options[id];

	return value ? value : "";
}

/* Is the argument a path (and not the name of a unit)? A bare name means a file when one lies in the present directory. */
static bool is_path(const struct verify *v, const char *arg)
{
	return strchr(arg, '/') || (!*option(v, OPT_ROOT) && access(arg, F_OK) == 0);
}

/* A drop-in stands for the unit it belongs to: "/etc/x.service.d/1.conf" for "/etc/x.service". */
static struct str unit_file(const char *arg)
{
	struct str path = str_of(arg);
	struct str parent = str_sub(path, 0, str_rindex(path, '/'));

	if (!str_has_suffix(path, STR(".conf")) || !str_has_suffix(parent, STR(".d")))
		return path;
	return str_sub(parent, 0, parent.n - strlen(".d"));
}

static struct str base_name(const char *arg)
{
	struct str path = unit_file(arg);
	size_t slash = str_rindex(path, '/');

	return slash < path.n ? str_sub(path, slash + 1, path.n) : path;
}

/* The directory of a path as one of the search path: below the root. */
static struct str dir_name(const char *arg)
{
	struct str path = unit_file(arg);
	size_t slash = str_rindex(path, '/');

	return slash == path.n ? STR(".") : str_sub(path, 0, slash ? slash : 1);
}

/* Of two files with one name the second would be taken for the first. */
static int check_args(const struct verify *v)
{
	const char *const *args = v->question->args;

	for (unsigned k = 0; k < v->question->args_n; k++)
		for (unsigned first = 0; first < k; first++)
			if (str_eq(base_name(args[first]), base_name(args[k])) &&
			    !str_eq(dir_name(args[first]), dir_name(args[k]))) {
				sbuf_addf(&v->screen->errors,
					  "harkctl: %s and %s are both called " STR_FMT
					  "; verify one at a time\n",
					  args[first], args[k], STR_ARG(base_name(args[k])));
				return -EINVAL;
			}
	return 0;
}

/* A path of the search path that is there already, as a whole. */
static bool has_dir(struct str dirs, struct str dir)
{
	struct str one;

	while (str_cut(&dirs, ':', &one))
		if (str_eq(one, dir))
			return true;
	return false;
}

/* Files that are named lie in front of the search path, so that they are found, and so that they find their neighbours. */
static int open_load(struct verify *v)
{
	const char *given = option(v, OPT_UNIT_PATH), *root = option(v, OPT_ROOT);
	struct sbuf dirs = {0};
	int r;

	for (unsigned k = 0; k < v->question->args_n; k++) {
		const char *arg = v->question->args[k];
		struct str dir = dir_name(arg);

		if (!is_path(v, arg) || has_dir((struct str){dirs.p, dirs.n}, dir))
			continue;
		sbuf_addf(&dirs, "%s%s" STR_FMT, dirs.n ? ":" : "",
			  *root && dir.p[0] != '/' ? "/" : "", STR_ARG(dir));
	}
	sbuf_addf(&dirs, "%s%s", dirs.n ? ":" : "", *given ? given : load_default_dirs);
	r = dirs.err ? dirs.err : load_init(&v->load, dirs.p, root);
	sbuf_fini(&dirs);
	if (r == 0)
		r = load_scan(&v->load);
	return r == 0 ? world_init(&v->world, &v->load) : r;
}

/* --- findings --- */

/* The files of a unit, in the order in which they were read; others come behind them. */
static unsigned file_rank(const struct unit_config *c, const char *file)
{
	unsigned rank = 1;

	if (!file || (c->fragment && strcmp(file, c->fragment) == 0))
		return 0;
	for (const struct name_list *d = c->dropins; d && strcmp(d->text, file) != 0; d = d->next)
		rank++;
	return rank;
}

/* A finding on its way to its place. */
struct placed {
	const struct diag *diag;
	unsigned rank, at;
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *p = a, *q = b;

	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	if (p->diag->line != q->diag->line)
		return p->diag->line < q->diag->line ? -1 : 1;
	if (p->diag->col != q->diag->col)
		return p->diag->col < q->diag->col ? -1 : 1;
	return p->at < q->at ? -1 : 1;
}

static void add_finding(struct verify *v, const char *unit, const struct diag *d)
{
	v->n[d->severity]++;
	finding_row(&v->rows, unit, d);
}

/* What is accepted without effect is a note in the status of a unit; here it is a finding. */
static void note_settings(struct unit_config *c)
{
	for (const struct name_list *n = c->own->notes; n; n = n->next)
		diag_add(&c->diags, codes[CODE_NOT_ENFORCED].code, DIAG_NOTE, false,
			 (struct diag_place){n->file, n->line, 0, 0}, NULL, "%s", n->text);
}

static int add_findings(struct verify *v, struct unit_config *c)
{
	const struct diag_list *l = &c->diags;
	unsigned n = 0;
	AUTO_MEM struct placed *all =
		mem_get(((size_t)l->n[DIAG_NOTE] + l->n[DIAG_WARNING] + l->n[DIAG_ERROR] + 1) *
			sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (const struct diag *d = l->first; d; d = d->next, n++)
		all[n] = (struct placed){d, file_rank(c, d->file), n};
	qsort(all, n, sizeof(*all), compare_placed);
	for (unsigned k = 0; k < n; k++)
		add_finding(v, c->name, all[k].diag);
	if (l->lost)
		sbuf_addf(&v->screen->errors,
			  "harkctl: there is more to say about %s than is shown\n", c->name);
	return v->rows.is_short ? -ENOMEM : 0;
}

/* --- units --- */

static int say(struct verify *v, struct unit_config *c)
{
	v->units_n++;
	v->is_missing |= c->load == LOAD_NOT_FOUND;
	note_settings(c);
	return add_findings(v, c);
}

/* What cannot be a unit is no part of the world. */
static int look_at_bad_name(struct verify *v, const char *name)
{
	struct unit_config *c = NULL;
	int r = load_unit(&v->load, name, &c);

	if (r == 0)
		r = say(v, c);
	unit_config_free(c);
	return r;
}

static int look_at(struct verify *v, const char *name)
{
	struct unit *u = NULL;
	int r;

	if (!name_is_valid(name, NAME_ANY))
		return look_at_bad_name(v, name);
	r = world_unit(&v->world, name, &u);
	if (r == 0)
		r = world_find_cycles(&v->world, u);
	if (r == 0)
		r = check_unit(&v->world, u->config);
	return r == 0 ? say(v, u->config) : r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int look_at_all(struct verify *v)
{
	const void *at = NULL;
	const char *name;
	unsigned n = 0;
	int r = 0;
	AUTO_MEM const char **names = mem_get((v->load.names.n + 1) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	while (load_next_name(&v->load, &at, &name)) {
		const char *canonical = load_canonical(&v->load, name);

		if (!canonical || strcmp(canonical, name) == 0)
			names[n++] = name;
	}
	qsort(names, n, sizeof(*names), compare_names);
	for (unsigned k = 0; r == 0 && k < n; k++)
		r = look_at(v, names[k]);
	return r;
}

static int look_at_args(struct verify *v)
{
	int r = 0;

	for (unsigned k = 0; r == 0 && k < v->question->args_n; k++) {
		struct str base = base_name(v->question->args[k]);
		AUTO_MEM char *name = mem_dup(base.p, base.n);

		r = name ? look_at(v, name) : -ENOMEM;
	}
	return r;
}

/* --- the answer --- */

static void count(struct paint *p, unsigned n, const char *word, const char *behind)
{
	paintf(p, "%u %s%s%s", n, word, n == 1 ? "" : "s", behind);
}

static void show_text(struct verify *v)
{
	struct paint *p = &v->screen->paint;

	for (const struct row *row = v->rows.first; row; row = row->next)
		finding_show(p, row, 0);
	count(p, v->n[DIAG_ERROR], "error", ", ");
	count(p, v->n[DIAG_WARNING], "warning", ", ");
	count(p, v->n[DIAG_NOTE], "note", " in ");
	count(p, v->units_n, "unit", "");
	if (v->rows.first)
		paintf(p, " (harkctl help " STR_FMT " explains)",
		       STR_ARG(row_text(v->rows.first, "code")));
	paint_end(p);
}

static void show(struct verify *v, enum verify_form form)
{
	if (v->question->options[OPT_QUIET])
		return;
	if (form == VERIFY_JSON)
		paint_json(&v->screen->paint, v->rows.first);
	else if (form == VERIFY_TEXT)
		show_text(v);
	for (const struct row *row = v->rows.first; form == VERIFY_GCC && row; row = row->next)
		finding_gcc(&v->screen->paint, row);
}

static int find_form(const struct verify *v, enum verify_form *ret_form)
{
	static const char *const words[VERIFY_FORMS] = {"text", "json", "gcc"};
	const char *word = option(v, OPT_OUTPUT);

	*ret_form = VERIFY_TEXT;
	for (unsigned k = 0; *word && k < VERIFY_FORMS; k++)
		if (strcmp(word, words[k]) == 0) {
			*ret_form = (enum verify_form)k;
			return 0;
		}
	if (!*word || strcmp(word, "table") == 0)
		return 0;
	sbuf_addf(&v->screen->errors, "harkctl: verify --output takes text, json or gcc, not %s\n",
		  word);
	return -EINVAL;
}

int verify_units(struct screen *s, const struct question *q)
{
	struct verify v = {.screen = s, .question = q};
	enum verify_form form;
	bool is_strict = q->options[OPT_STRICT];
	int r;

	if (find_form(&v, &form) < 0 || check_args(&v) < 0)
		return STATUS_USAGE;
	rows_init(&v.rows);
	r = open_load(&v);
	if (r == 0)
		r = q->args_n ? look_at_args(&v) : look_at_all(&v);
	show(&v, form);
	rows_fini(&v.rows);
	world_fini(&v.world);
	load_fini(&v.load);
	if (r < 0)
		sbuf_addf(&s->errors, "harkctl: cannot verify: %s\n", strerror(-r));
	return r < 0                                                 ? STATUS_FAILED
	       : v.is_missing                                        ? STATUS_NO_UNIT
	       : v.n[DIAG_ERROR] || (is_strict && v.n[DIAG_WARNING]) ? STATUS_FINDINGS
								     : STATUS_DONE;
}
