/* SPDX-License-Identifier: MIT */
#include "core/event.h"

const char *const event_names[EVENT_KINDS] = {
#define EVENT(name, meaning) [EV_##name] = #name,
	EVENTS(EVENT)
#undef EVENT
};
