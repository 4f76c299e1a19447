/* SPDX-License-Identifier: MIT */
#include "core/fsm.h"

const char *const coarse_names[COARSES] = {
	[INACTIVE] = "inactive", [ACTIVE] = "active",         [RELOADING] = "reloading",
	[FAILED] = "failed",     [ACTIVATING] = "activating", [DEACTIVATING] = "deactivating",
};

const char *const effect_names[EFFECT_BITS] = {
#define FX(name, what) [FX_BIT_##name] = #name,
	EFFECTS(FX)
#undef FX
};

const char *fsm_state_name(const struct fsm *f, unsigned state)
{
	return state < f->states_n ? f->states[state].name : "?";
}

int fsm_state_by_name(const struct fsm *f, const char *name)
{
	for (unsigned i = 0; i < f->states_n; i++)
		if (strcmp(f->states[i].name, name) == 0)
			return (int)i;
	return -1;
}
