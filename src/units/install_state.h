/* SPDX-License-Identifier: MIT */
/*
 * install_state - whether a unit is enabled: what the links of a struct install_tree, and presence, say about it now.
 */
#pragma once

#include "units/install_find.h"

/* STATE(name, word, `is-enabled` succeeds): words are API, systemctl's. */
#define INSTALL_STATES_LIST(STATE)                      \
	STATE(ENABLED, "enabled", true)                 \
	STATE(ENABLED_RUNTIME, "enabled-runtime", true) \
	STATE(LINKED, "linked", false)                  \
	STATE(LINKED_RUNTIME, "linked-runtime", false)  \
	STATE(ALIAS, "alias", true)                     \
	STATE(MASKED, "masked", false)                  \
	STATE(MASKED_RUNTIME, "masked-runtime", false)  \
	STATE(STATIC, "static", true)                   \
	STATE(DISABLED, "disabled", false)              \
	STATE(INDIRECT, "indirect", true)               \
	STATE(GENERATED, "generated", true)             \
	STATE(BAD, "bad", false)                        \
	STATE(NOT_FOUND, "not-found", false)
enum install_state {
#define STATE(name, word, good) INSTALL_##name,
	INSTALL_STATES_LIST(STATE)
#undef STATE
		INSTALL_STATES
};
extern const char *const install_state_names[INSTALL_STATES];
bool install_state_is_good(enum install_state s);

/* What default.target stands for, in the arena; NULL: nothing. 0 or -ENOMEM. */
MUST_USE int install_get_default(struct install *in, const char **ret_name);
/* 0 or -ENOMEM. */
MUST_USE int install_state(struct install *in, const char *name, enum install_state *ret_state);
