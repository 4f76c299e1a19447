/* SPDX-License-Identifier: MIT */
/*
 * device_unit - the device type: a device of the kernel that udev knows, under one of its names, its machine. Pure: what there is, is told
 * by activate/devices.
 *
 * A device has one unit for its place in /sys and one for each of its names in /dev and each alias; those follow the first. No job
 * makes a device: a start waits until it is there.
 */
#pragma once

#include "core/unit.h"

enum {
	DEVICE_WAIT_US = 90 * 1000 * 1000
}; /* for a device, or a name on the bus, that is to come, when nothing else is said */

enum device_state { DEVICE_DEAD, DEVICE_PLUGGED, DEVICE_STATES };

/* What EV_DEVICE says. */
enum device_found { DEVICE_GONE, DEVICE_FOUND };

/* Who tells of devices. */
struct device_source {
	bool is_told;    /* hark-udev does, or will */
	bool can_appear; /* the kernel makes nodes in /dev of its own accord */
	void (*await)(
		struct device_source *s); /* one is waited for of which only its node can tell */
	struct map
		by_place; /* units of which it was told, by sysfs: a device has as many as names */
};

struct device_unit {
	struct unit unit;
	struct device_source *source; /* borrowed; NULL: nobody tells */
	struct map_node place;        /* in source->by_place when sysfs is set */
	char *sysfs;                  /* path of the device, owned; NULL: not told yet */
	char *model;                  /* for people, owned; NULL: none */
	/* Names of units between spaces, owned; only of the one that the others follow. every: they are stopped when it goes, too. */
	char *wants, *every;
	bool binds_mounts; /* what is mounted from it is unmounted when it goes: a medium that is taken out */
	bool by_node;   /* its node was found, nobody told of it */
	uint32_t round; /* of enumeration in which it was told last */
};
extern const struct unit_type_ops device_ops;

static inline struct device_unit *device_of(struct unit *u)
{
	return u->type == UNIT_DEVICE ? container_of(u, struct device_unit, unit) : NULL;
}

/* The name of the unit of a device under that path, an alias may be any, into out (UNIT_NAME_MAX + 1); false: it is too long to have one. */
bool device_name(const char *path, char *out);
/* Times of jobs that follow from each other, of whatever is waited for as a device is. 0. */
int device_settle(struct unit_config *c);
/* The path that its name stands for, when it has one that can be looked at ("/dev/sda1", "/sys/..."). */
bool device_path(const struct unit *u, char *out, size_t cap);
/*
 * The next of the units that the device asks for, into out (UNIT_NAME_MAX + 1): a template becomes the instance of its path in /sys.
 * rest: d->wants or d->every at first. False at the end.
 */
bool device_next_wanted(const struct device_unit *d, struct str *rest, char *out);
/* Put what udev says of the unit into a configuration of it that was just read: what it wants, its description. 0 or -ENOMEM. */
MUST_USE int device_dress(const struct device_unit *d, struct unit_config *c);
