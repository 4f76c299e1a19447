/* SPDX-License-Identifier: MIT */
/*
 * busname - names on the system bus as the manager sees them: what hark-bus tells of their owners. No D-Bus in here.
 */
#pragma once

#include "core/hark.h"

struct service;

/*
 * To be called when the main process of s is known to be executed, before the service hears of it. Where nobody can tell us of names
 * (hark-bus is no unit that can run), Type=dbus counts as started now, and a note says so. s may be NULL.
 */
void busname_execed(struct hark *h, struct service *s);
/* The name has an owner: services of Type=dbus that wait for it are ready. */
void busname_owned(struct hark *h, struct str name);
/* It has none any more: those that run stop. */
void busname_lost(struct hark *h, struct str name);
