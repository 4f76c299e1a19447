/* SPDX-License-Identifier: MIT */
#include "ctl/edit.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "ctl/finding.h"
#include "units/name.h"

enum { STATUS_OK, STATUS_FAILED, STATUS_NO_UNIT = 5, STATUS_FINDINGS = 6 };

/* The words of $EDITOR are a command; the names behind are what systems have. */
static const char run_editor[] =
	"for e in \"$SUDO_EDITOR\" \"$VISUAL\" \"$EDITOR\" editor nano vim vi; do\n"
	"	[ -n \"$e\" ] && command -v ${e%% *} >/dev/null && exec $e \"$1\"\n"
	"done\n"
	"echo 'harkctl: there is no editor; the variable EDITOR names one' >&2\n"
	"exit 127\n";

/* Below it stands what is only there to be read. */
static const char marker[] = "### What stands below is what the unit has now; it is not saved.\n";

/* One unit under change. */
struct edit {
	struct screen *screen;
	const struct question *question;
	struct file_work *work;
	const char *name;
	char dir[1024], file[NAME_MAX + 1]; /* where the text is to go */
	char copy[NAME_MAX + 64];           /* where it is edited */
};

static int PRINTF_LIKE(3, 4) fail(struct edit *e, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sbuf_addf(&e->screen->errors, "harkctl: %s: ", e->name);
	sbuf_addv(&e->screen->errors, fmt, ap);
	sbuf_add_z(&e->screen->errors, "\n");
	va_end(ap);
	return status;
}

/* --- the texts there are --- */

/* Adds the text of a file. False: there is none. */
static bool add_file(struct sbuf *to, const char *path, const char *before_line)
{
	AUTO_MEM char *text = NULL;
	size_t n = 0;
	struct str rest, line;

	if (fd_read_file(AT_FDCWD, path, TEXT_MAX, &text, &n) < 0)
		return false;
	rest = (struct str){text, n};
	while (str_cut(&rest, '\n', &line))
		if (line.n || rest.n)
			sbuf_addf(to, "%s" STR_FMT "\n", before_line, STR_ARG(line));
	return true;
}

/* The unit's file in the most important directory that has one; an instance has its template's. */
static const char *find_file(struct edit *e)
{
	const char *names[] = {e->name, NULL};
	char template[UNIT_NAME_MAX + 1];

	if (name_form(e->name) == NAME_INSTANCE) {
		snprintf(template, sizeof(template), STR_FMT "@." STR_FMT,
			 STR_ARG(name_prefix(e->name)), STR_ARG(name_suffix(e->name)));
		names[1] = template;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names) && names[i]; i++)
		for (unsigned k = 0; k < e->work->tree.dirs_n; k++) {
			char path[1024 + NAME_MAX + 2];
			const struct tree_node *node;

			snprintf(path, sizeof(path), "%s/%s", e->work->tree.dirs[k].path, names[i]);
			node = tree_find(&e->work->tree, path);
			if (node && node->kind != TREE_NONE)
				return node->path;
		}
	return NULL;
}

/* Where links go, too; where a file enables by being there only when there is nothing else. -1: nowhere. */
static int choose_dir(const struct file_work *w)
{
	int k = tree_links_dir(&w->tree, w->install.is_runtime);

	for (unsigned i = 0; k < 0 && i < w->tree.dirs_n; i++)
		if (w->tree.dirs[i].is_presence &&
		    w->tree.dirs[i].is_runtime == w->install.is_runtime)
			k = (int)i;
	return k;
}

static int choose_place(struct edit *e)
{
	bool is_full = e->question->options[OPT_FULL];
	int k = choose_dir(e->work);

	if (k < 0)
		return fail(e, STATUS_FAILED, "there is no directory for it");
	snprintf(e->dir, sizeof(e->dir), "%s%s%s%s", e->work->tree.dirs[k].path, is_full ? "" : "/",
		 is_full ? "" : e->name, is_full ? "" : ".d");
	snprintf(e->file, sizeof(e->file), "%s", is_full ? e->name : "override.conf");
	return STATUS_OK;
}

/* What the editor begins with. */
static int first_text(struct edit *e, struct sbuf *text)
{
	const char *file = find_file(e);
	char path[1024 + NAME_MAX + 2];
	bool is_there;

	if (!file && !(e->question->options[OPT_FULL] && e->question->options[OPT_FORCE]))
		return fail(e, STATUS_NO_UNIT,
			    "there is no such unit; --full --force begins a new file");
	snprintf(path, sizeof(path), "%s/%s", e->dir, e->file);
	is_there = add_file(text, path, "");
	if (e->question->options[OPT_FULL]) {
		if (!is_there && file)
			(void)add_file(text, file, "");
		return STATUS_OK;
	}
	if (!is_there)
		sbuf_addf(text,
			  "# Lines of %s that are to be other or more than they are below.\n\n",
			  e->name);
	sbuf_addf(text, "\n%s### %s\n", marker, file);
	(void)add_file(text, file, "# ");
	return STATUS_OK;
}

/* --- the editor --- */

static int make_copy(struct edit *e, struct str text)
{
	char dir[] = "/tmp/harkctl-edit.XXXXXX";
	int r;

	if (!mkdtemp(dir))
		return fail(e, STATUS_FAILED, "no directory in /tmp: %s", strerror(errno));
	snprintf(e->copy, sizeof(e->copy), "%s/%s", dir, e->file);
	r = fd_replace_file(dir, e->file, text);
	return r < 0 ? fail(e, STATUS_FAILED, "%s: %s", e->copy, strerror(-r)) : STATUS_OK;
}

static void remove_copy(struct edit *e)
{
	char *slash = strrchr(e->copy, '/');

	unlink(e->copy);
	*slash = '\0';
	rmdir(e->copy);
}

static int let_edit(struct edit *e)
{
	const char *argv[] = {"sh", "-c", run_editor, "sh", e->copy, NULL};
	int status = 0, r;
	pid_t pid;

	r = posix_spawn(&pid, "/bin/sh", NULL, NULL, (char **)(uintptr_t)argv, environ);
	if (r)
		return fail(e, STATUS_FAILED, "/bin/sh: %s", strerror(r));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		return fail(e, STATUS_FAILED, "the editor failed; nothing is changed");
	return STATUS_OK;
}

/* Has it more than blank lines and comments? */
static bool says_something(struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.n && line.p[0] != '#' && line.p[0] != ';')
			return true;
	}
	return false;
}

/* The text as it was saved, without what is below the marker. */
static int read_copy(struct edit *e, struct sbuf *text)
{
	AUTO_MEM char *all = NULL;
	size_t n = 0;
	int r = fd_read_file(AT_FDCWD, e->copy, TEXT_MAX, &all, &n);
	const char *end = r == 0 ? strstr(all, marker) : NULL;

	if (r < 0)
		return fail(e, STATUS_FAILED, "%s: %s", e->copy, strerror(-r));
	sbuf_add(text, str_trim((struct str){all, end ? (size_t)(end - all) : n}));
	sbuf_add_z(text, "\n");
	return text->err ? fail(e, STATUS_FAILED, "memory ran out") : STATUS_OK;
}

/* --- what was written --- */

/* Errors of the text itself; what the unit lacks as a whole its other files may have. */
static int check(struct edit *e, struct str text)
{
	struct unit_config *config = NULL;
	struct rows rows;
	int status = STATUS_OK;

	if (name_form(e->name) == NAME_TEMPLATE)
		return STATUS_OK;
	if (load_unit_text(&e->work->load, e->name, e->copy, text, &config) < 0)
		return fail(e, STATUS_FAILED, "memory ran out");
	rows_init(&rows);
	for (const struct diag *d = config->diags.first; d; d = d->next)
		if (d->line && d->file && strcmp(d->file, e->copy) == 0 &&
		    d->severity == DIAG_ERROR) {
			finding_row(&rows, e->name, d);
			status = STATUS_FINDINGS;
		}
	for (const struct row *row = rows.first; row; row = row->next)
		finding_show(&e->screen->paint, row, 0);
	screen_flush(e->screen);
	rows_fini(&rows);
	unit_config_free(config);
	return status;
}

static int put(struct edit *e, struct str text, bool *ret_any)
{
	int r = fd_mkdir_parents(e->dir, true, 0755);

	if (r == 0)
		r = fd_replace_file(e->dir, e->file, text);
	if (r < 0)
		return fail(e, STATUS_FAILED, "%s/%s: %s; what you wrote is in %s", e->dir, e->file,
			    strerror(-r), e->copy);
	*ret_any = true;
	if (!e->question->options[OPT_QUIET])
		paintf(&e->screen->paint, "wrote %s/%s\n", e->dir, e->file);
	remove_copy(e);
	return STATUS_OK;
}

static int take(struct edit *e, struct str before, struct str text, bool *ret_any)
{
	int status;

	if (str_eq(str_trim(before), str_trim(text)) || !says_something(text)) {
		sbuf_addf(&e->screen->errors, "harkctl: %s: nothing was changed\n", e->name);
		remove_copy(e);
		return STATUS_OK;
	}
	status = check(e, text);
	if (status != STATUS_OK && !e->question->options[OPT_FORCE])
		return fail(e, status, "not changed; what you wrote is in %s", e->copy);
	return put(e, text, ret_any);
}

static int edit_one(struct edit *e, bool *ret_any)
{
	struct sbuf first = {0}, text = {0};
	struct str before;
	int status = choose_place(e);

	if (status == STATUS_OK)
		status = first_text(e, &first);
	sbuf_add_z(&first, first.n ? "" : "\n");
	if (status == STATUS_OK)
		status = make_copy(e, (struct str){first.p, first.n});
	if (status == STATUS_OK)
		status = let_edit(e);
	if (status == STATUS_OK)
		status = read_copy(e, &text);
	if (status == STATUS_OK) {
		const char *end = strstr(first.p, marker);

		before = (struct str){first.p, end ? (size_t)(end - first.p) : first.n};
		status = take(e, before, (struct str){text.p, text.n}, ret_any);
	}
	sbuf_fini(&first);
	sbuf_fini(&text);
	return status;
}

int edit_units(struct screen *s, const struct question *q, struct file_work *w, bool *ret_any)
{
	int status = STATUS_OK;

	*ret_any = false;
	for (unsigned i = 0; i < w->names_n && status == STATUS_OK; i++) {
		struct edit e = {.screen = s, .question = q, .work = w, .name = w->names[i]};

		status = edit_one(&e, ret_any);
	}
	return status;
}
