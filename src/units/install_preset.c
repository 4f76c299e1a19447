/* SPDX-License-Identifier: MIT */
#include "units/install_preset.h"

#include <fnmatch.h>

#include "units/conf_files.h"
#include "units/name.h"

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

int preset_read(struct preset *p, const char *root)
{
	struct arena arena = {0};
	struct conf_file *list;
	int r = conf_files_list(root, dirs, ARRAY_SIZE(dirs), ".preset", &arena, &list);

	for (const struct conf_file *f = list; r == 0 && f; f = f->next) {
		size_t n = 0;
		AUTO_MEM char *text = conf_file_read_dup(root, f, &n);

		if (text)
			r = preset_parse(p, (struct str){text, n});
	}
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
