/* SPDX-License-Identifier: MIT */
/*
 * install_preset - preset files: what the makers of a system want enabled (systemd.preset(5)). The first rule that matches a name counts;
 * without one a unit is enabled.
 */
#pragma once

#include "core/mem.h"
#include "core/str.h"

enum preset_mode { PRESET_FULL, PRESET_ENABLE_ONLY, PRESET_DISABLE_ONLY, PRESET_MODES };
extern const char *const preset_mode_names[PRESET_MODES];

struct preset_rule {
	struct preset_rule *next;
	const char *pattern;
	struct str instances; /* words; of a rule that enables a template */
	bool is_enabling;
};

struct preset {
	struct arena arena;
	struct preset_rule *first, **last;
};

/* No rules; and back to that. */
void preset_init(struct preset *p);
void preset_fini(struct preset *p);
/* Add the rules of one text. Lines that make no sense are left out. 0 or -ENOMEM. */
MUST_USE int preset_parse(struct preset *p, struct str text);
/* Add the rules of all preset files below root: by file name, the most important directory first. 0 or -ENOMEM. */
MUST_USE int preset_read(struct preset *p, const char *root);
/* *ret_instances: names of instances, blank-separated, that enabling the template `name` means; empty: `name` itself. */
bool preset_wants(const struct preset *p, const char *name, struct str *ret_instances);
