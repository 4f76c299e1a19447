/* SPDX-License-Identifier: MIT */
/* Properties of the manager itself. */
#include "ctl/property.h"

#include "ctl/property_live.h"
#include "units/probe.h"

#ifndef HARK_VERSION
#define HARK_VERSION "0.1"
#endif

static unsigned count_failed(const struct hark *h)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < h->reg.n; i++)
		n += h->reg.units[i] && unit_coarse(h->reg.units[i]) == FAILED;
	return n;
}

const char *property_system_state(const struct hark *h)
{
	if (h->is_shutting_down)
		return "stopping";
	if (h->is_safe)
		return "maintenance";
	if (!h->ready_us)
		return "starting";
	return count_failed(h) ? "degraded" : "running";
}

uint64_t property_began_us(const struct hark *h)
{
	return h->bank.table ? h->bank.table->start_us : h->boot_us;
}

void property_manager(struct reply *r, struct hark *h, const char *only)
{
	const struct unit *u = registry_find(&h->reg, h->default_unit); /* mostly by an alias */
	const char *container = probe_container();
	uint64_t began_us = property_began_us(h);
	/*
	 * No security policy is loaded, so that takes no time. Without these moments systemd-analyze holds the machine for a container, whose kernel
	 * has started long ago, and leaves the kernel's time out.
	 */
	uint64_t security_us = container ? 0 : began_us;
	const struct {
		const char *name;
		enum frame_tag tag;
		const char *text;
		uint64_t value;
	} rows[] = {
		/* Clients read a number of systemd's from it, for what they may ask for. */
		{"Version", TAG_TEXT, "252 (hark " HARK_VERSION ")", 0},
		{"Architecture", TAG_TEXT, h->load.host.arch, 0},
		{"Virtualization", TAG_TEXT, container ? container : probe_machine(), 0},
		{"SystemState", TAG_TEXT, property_system_state(h), 0},
		{"LogLevel", TAG_TEXT, property_log_level(), 0},
		{"SyslogIdentifier", TAG_TEXT, "harkd", 0},
		{"LogTarget", TAG_TEXT, property_log_target(h), 0},
		{"ServiceWatchdogs", TAG_BOOL, NULL, !h->no_watchdogs},
		{"DefaultUnit", TAG_TEXT, u ? u->name : h->default_unit, 0},
		{"ControlGroup", TAG_TEXT, h->cgroups.has_cgroups ? h->cgroups.prefix : NULL, 0},
		{"NNames", TAG_NUMBER, NULL, h->reg.names.n},
		{"NJobs", TAG_NUMBER, NULL, h->engine.jobs_n},
		{"NFailedUnits", TAG_NUMBER, NULL, count_failed(h)},
		{"ManagerGenerations", TAG_NUMBER, NULL,
		 h->bank.table ? h->bank.table->generation : 0},
		{"NSpawned", TAG_NUMBER, NULL, h->bank.table ? h->bank.table->spawned : 0},
		{"UserspaceTimestamp", TAG_STAMP, NULL, property_wall_us(began_us)},
		{"UserspaceTimestampMonotonic", TAG_NUMBER, NULL, began_us},
		{"SecurityStartTimestamp", TAG_STAMP, NULL, property_wall_us(security_us)},
		{"SecurityStartTimestampMonotonic", TAG_NUMBER, NULL, security_us},
		{"SecurityFinishTimestamp", TAG_STAMP, NULL, property_wall_us(security_us)},
		{"SecurityFinishTimestampMonotonic", TAG_NUMBER, NULL, security_us},
		{"FinishTimestamp", TAG_STAMP, NULL, property_wall_us(h->ready_us)},
		{"FinishTimestampMonotonic", TAG_NUMBER, NULL, h->ready_us},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!property_is_wanted(only, rows[i].name))
			continue;
		if (rows[i].tag == TAG_TEXT)
			reply_text_z(r, rows[i].name, rows[i].text);
		else
			reply_value(r, rows[i].tag, rows[i].name, rows[i].value);
	}
	for (unsigned i = 0; property_is_wanted(only, "UnitPath") && i < h->load.dirs_n; i++)
		reply_item(r, "UnitPath", h->load.dirs[i]);
	for (unsigned i = 0;
	     property_is_wanted(only, "Environment") && h->environment && h->environment[i]; i++)
		reply_item(r, "Environment", h->environment[i]);
}
