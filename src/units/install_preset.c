/* SPDX-License-Identifier: MIT */
#include "units/install_preset.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/fd.h"
#include "units/name.h"

enum { PRESET_FILE_MAX = 1024 * 1024 };

const char *const preset_mode_names[PRESET_MODES] = {
	[PRESET_FULL] = "full",
	[PRESET_ENABLE_ONLY] = "enable-only",
	[PRESET_DISABLE_ONLY] = "disable-only",
};

static const char *const dirs[] = {
	"/etc/systemd/system-preset",           "/run/systemd/system-preset",
	"/usr/local/lib/systemd/system-preset", "/usr/lib/systemd/system-preset",
	"/lib/systemd/system-preset",
};

void preset_init(struct preset *p)
{
	memset(p, 0, sizeof(*p));
	p->last = &p->first;
}

void preset_fini(struct preset *p)
{
	arena_fini(&p->arena);
	preset_init(p);
}

/* --- one file --- */

static int add_rule(struct preset *p, bool is_enabling, struct str pattern, struct str instances)
{
	struct preset_rule *rule = arena_get(&p->arena, sizeof(*rule));
	const char *words = arena_dup(&p->arena, instances.n ? instances.p : "", instances.n);

	if (!rule || !words)
		return -ENOMEM;
	rule->pattern = arena_dup(&p->arena, pattern.p, pattern.n);
	if (!rule->pattern)
		return -ENOMEM;
	rule->instances = (struct str){words, instances.n};
	rule->is_enabling = is_enabling;
	*p->last = rule;
	p->last = &rule->next;
	return 0;
}

int preset_parse(struct preset *p, struct str text)
{
	struct str line, word, pattern;
	int r = 0;

	while (r == 0 && str_cut(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || !str_word(&line, &word))
			continue;
		if (!str_eq_z(word, "enable") && !str_eq_z(word, "disable"))
			continue;
		if (!str_word(&line, &pattern))
			continue;
		line = str_trim(line);
		r = add_rule(p, word.p[0] == 'e', pattern, line);
	}
	return r;
}

/* --- all files --- */

struct preset_file {
	struct preset_file *next;
	const char *name;
	const char *dir;
};

/* In order of names; a name that is there already stays as it is. */
static int add_file(struct preset_file **at, struct arena *arena, const char *dir, const char *name)
{
	struct preset_file *f;

	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	if (*at && strcmp((*at)->name, name) == 0)
		return 0;
	f = arena_get(arena, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct preset_file){*at, arena_dup(arena, name, strlen(name)), dir};
	if (!f->name)
		return -ENOMEM;
	*at = f;
	return 0;
}

static int list_files(struct preset_file **list, struct arena *arena, const char *root)
{
	char path[PATH_MAX];
	int r = 0;

	for (unsigned k = 0; r == 0 && k < ARRAY_SIZE(dirs); k++) {
		DIR *dir;

		snprintf(path, sizeof(path), "%s%s", root, dirs[k]);
		dir = fd_opendir(AT_FDCWD, path);
		for (const struct dirent *d; r == 0 && dir && (d = readdir(dir));)
			if (d->d_name[0] != '.' &&
			    str_has_suffix(str_of(d->d_name), STR(".preset")))
				r = add_file(list, arena, dirs[k], d->d_name);
		if (dir)
			closedir(dir);
	}
	return r;
}

/* A file that cannot be read (a link to /dev/null is the usual mask) has no rules. */
static int parse_file(struct preset *p, const char *root, const struct preset_file *f)
{
	AUTO_MEM char *text = NULL;
	char path[PATH_MAX];
	size_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s%s/%s", root, f->dir, f->name);
	r = fd_read_file(AT_FDCWD, path, PRESET_FILE_MAX, &text, &n);
	if (r == 0)
		r = preset_parse(p, (struct str){text, n});
	return r == -ENOMEM ? r : 0;
}

int preset_read(struct preset *p, const char *root)
{
	struct preset_file *list = NULL;
	struct arena arena = {0};
	int r = list_files(&list, &arena, root);

	for (const struct preset_file *f = list; r == 0 && f; f = f->next)
		r = parse_file(p, root, f);
	arena_fini(&arena);
	return r;
}

/* --- asking --- */

static bool has_word(struct str words, struct str wanted)
{
	struct str word;

	while (str_word(&words, &word))
		if (str_eq(word, wanted))
			return true;
	return false;
}

/* A rule with instances is about the template and those instances only. */
static bool matches_instances(const struct preset_rule *rule, const char *name,
			      struct str *ret_instances)
{
	char template[256];

	if (rule->instances.n == 0)
		return false;
	if (name_form(name) == NAME_TEMPLATE && strcmp(rule->pattern, name) == 0) {
		*ret_instances = rule->instances;
		return true;
	}
	return name_form(name) == NAME_INSTANCE &&
	       name_template(name, template, sizeof(template)) == 0 &&
	       strcmp(rule->pattern, template) == 0 &&
	       has_word(rule->instances, name_instance(name));
}

bool preset_wants(const struct preset *p, const char *name, struct str *ret_instances)
{
	*ret_instances = (struct str){NULL, 0};
	for (const struct preset_rule *rule = p->first; rule; rule = rule->next) {
		if (!matches_instances(rule, name, ret_instances) &&
		    fnmatch(rule->pattern, name, FNM_NOESCAPE) != 0)
			continue;
		if (!rule->is_enabling)
			*ret_instances = (struct str){NULL, 0};
		return rule->is_enabling;
	}
	return true;
}
