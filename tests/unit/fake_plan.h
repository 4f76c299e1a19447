/* SPDX-License-Identifier: MIT */
/*
 * fake_plan - plans in a few words, on the graphs of fake_type: fake_graph() makes one from text, plan_text() tells what
 * was planned.
 */
#pragma once

#include <stdlib.h>

#include "core/job.h"
#include "fake_type.h"

static const struct cause by_user = {.kind = CAUSE_USER, .unit = UNIT_NONE, .entry = 7};

static inline int plan_for(struct job_plan *p, struct registry *r, const char *name,
			   enum job_type type, enum job_mode mode)
{
	return job_plan_make(p, r, registry_find(r, name), type, mode, &by_user, true);
}

static inline enum job_type type_in(const struct job_plan *p, const struct registry *r,
				    const char *name)
{
	const struct unit *u = registry_find(r, name);

	for (uint32_t i = 0; i < p->n; i++)
		if (p->steps[i].unit == u->id)
			return (enum job_type)p->steps[i].type;
	return JOB_NONE;
}

/* Words between | of a graph "unit|state|dep other|dep other;unit ...". */

static const struct {
	const char *word;
	enum dep_type type;
} dep_words[] = {
	{"needs", DEP_REQUIRES},
	{"wants", DEP_WANTS},
	{"conflicts", DEP_CONFLICTS},
	{"before", DEP_BEFORE},
	{"after", DEP_AFTER},
	{"partof", DEP_PART_OF},
	{"verifies", DEP_REQUISITE},
	{"triggers", DEP_TRIGGERS},
	{"reloads", DEP_PROPAGATES_RELOAD_TO},
};

static inline struct unit *word_unit(struct registry *r, const char *word, enum coarse state,
				     bool keeps_state)
{
	char name[64];
	struct unit *u;

	(void)snprintf(name, sizeof(name), "%s.service", word);
	u = registry_find(r, name);
	return fake_unit(r, name, u && keeps_state ? (enum coarse)u->state : state);
}

static inline void apply_word(struct registry *r, struct unit *u, char *word)
{
	char *space = strchr(word, ' ');

	for (size_t i = 0; space && i < ARRAY_SIZE(dep_words); i++) {
		if (strncmp(word, dep_words[i].word, (size_t)(space - word)) == 0)
			fake_dep(u, dep_words[i].type,
				 word_unit(r, space + 1, INACTIVE, true)->name);
	}
	if (strcmp(word, "up") == 0)
		u->state = ACTIVE;
	else if (strcmp(word, "masked") == 0)
		u->config->load = LOAD_MASKED;
	else if (strcmp(word, "missing") == 0)
		u->config->load = LOAD_NOT_FOUND;
	else if (strcmp(word, "stays") == 0)
		u->config->unit->ignore_on_isolate = true;
	else if (strcmp(word, "isolatable") == 0)
		u->config->unit->allow_isolate = true;
	else if (strcmp(word, "nostart") == 0)
		u->config->unit->refuse_manual_start = true;
	else if (strcmp(word, "nostop") == 0)
		u->config->unit->refuse_manual_stop = true;
	else if (strcmp(word, "perpetual") == 0)
		u->has_perpetual = true;
	else if (strncmp(word, "job-", 4) == 0)
		for (int t = 0; t < JOB_TYPES; t++)
			if (strcmp(word + 4, job_type_names[t]) == 0)
				u->work->job = (struct job){.id = 1000 + u->id, .type = (uint8_t)t};
	if (strcmp(word, "forever") == 0)
		u->work->job.is_irreversible = true;
}

static inline void fake_graph(struct registry *r, const char *text)
{
	char copy[512], *units = copy, *one;

	fake_registry(r);
	(void)snprintf(copy, sizeof(copy), "%s", text);
	while ((one = strsep(&units, ";")) != NULL) {
		struct unit *u = word_unit(r, strsep(&one, "|"), INACTIVE, true);

		while (one)
			apply_word(r, u, strsep(&one, "|"));
	}
	fake_attach(r);
}

static inline int compare_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* "a=start b=stop", by name; or the refusal as "!number". */
static inline void plan_text(const struct job_plan *p, const struct registry *r, char *out,
			     size_t size)
{
	char *word[256];
	size_t used = 0;

	out[0] = '\0';
	if (p->refusal != PLAN_OK)
		(void)snprintf(out, size, "!%d %.*s", (int)p->refusal,
			       (int)strcspn(r->units[p->culprit[0]]->name, "."),
			       r->units[p->culprit[0]]->name);
	for (uint32_t i = 0; i < p->n; i++) {
		const char *name = r->units[p->steps[i].unit]->name;

		ck_assert_int_gt(asprintf(&word[i], "%.*s=%s", (int)strcspn(name, "."), name,
					  job_type_names[p->steps[i].type]),
				 0);
	}
	qsort(word, p->n, sizeof(word[0]), compare_text);
	for (uint32_t i = 0; i < p->n; i++) {
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", word[i]);
		free(word[i]);
	}
}
