/* SPDX-License-Identifier: MIT */
/*
 * bus_api - what objects there are on the bus and what they offer: the rows of bus_api.def as tables, lookups, and introspection.
 *
 * The root object, the manager's, one a unit, one a job. Which interfaces a unit's object has depends on its type, which its name says.
 */
#pragma once

#include "core/buf.h"
#include "core/unit.h"
#include "ctl/verb.h"

#define BUS_NAME "org.freedesktop.systemd1"
#define BUS_HARK "org.hark1"
#define BUS_MANAGER BUS_NAME ".Manager"
#define BUS_SCOPE BUS_NAME ".Scope"
#define BUS_PROPERTIES "org.freedesktop.DBus.Properties"
#define BUS_INTROSPECTABLE "org.freedesktop.DBus.Introspectable"
#define BUS_LOG_ROOT "/org/freedesktop/LogControl1"
#define BUS_LOG "org.freedesktop.LogControl1"
#define BUS_PEER "org.freedesktop.DBus.Peer"

enum bus_object_kind {
	BUS_OBJECT_NONE,
	BUS_OBJECT_MANAGER,
	BUS_OBJECT_UNIT,
	BUS_OBJECT_JOB,
	BUS_OBJECT_HARK,
	BUS_OBJECT_LOG,
	BUS_OBJECT_ABOVE
};

/* What a caller must be allowed to: polkit's words for the same are in the names (org.freedesktop.systemd1.manage-units ...). */
enum bus_access { BUS_READ, BUS_UNITS, BUS_FILES, BUS_RELOAD, BUS_ENVIRONMENT, BUS_POWER };

enum bus_group {
	BUS_GROUP_MANAGER,
	BUS_GROUP_UNIT,
	BUS_GROUP_CGROUP,
	BUS_GROUP_KILL,
	BUS_GROUP_EXEC,
	BUS_GROUP_SERVICE,
	BUS_GROUP_SOCKET,
	BUS_GROUP_MOUNT,
	BUS_GROUP_SWAP,
	BUS_GROUP_SCOPE,
	BUS_GROUP_AUTOMOUNT,
	BUS_GROUP_DEVICE,
	BUS_GROUP_PATH,
	BUS_GROUP_TIMER,
	BUS_GROUP_JOB,
	BUS_GROUP_HARK,
	BUS_GROUP_LOG,
};

/* EMIT_WRITABLE: as EMIT_SILENT, and it may be set. */
enum bus_emits { EMIT_CONST, EMIT_CHANGE, EMIT_SILENT, EMIT_INVALIDATE, EMIT_WRITABLE };

struct bus_property {
	enum bus_group group;
	const char *name, *type;
	enum bus_emits emits;
	uint64_t unset; /* value of a number that the manager does not tell */
};

struct bus_call;
typedef void (*bus_serve_fn)(struct bus_call *c);
struct bus_method {
	enum bus_group group;
	const char *name;
	const char *in, *out; /* "name:type,name:type" */
	enum bus_access access;
	bus_serve_fn serve; /* NULL: not supported */
	enum verb_id verb;  /* what the handler asks the manager with; VERBS: it knows itself */
};

struct bus_interface {
	const char *name;
	uint32_t groups; /* bit (1 << enum bus_group) */
	enum bus_object_kind kind;
	int type; /* enum unit_type, or -1: every unit */
};

/* An object as its path names it. */
struct bus_object {
	enum bus_object_kind kind;
	enum unit_type type;
	char unit[UNIT_NAME_MAX + 1];
	uint32_t job;
};

/* BUS_OBJECT_NONE: there cannot be such an object. */
void bus_object_of_path(const char *path, struct bus_object *ret);
/* Next interface of an object from *at (0 first), NULL at the end. */
const struct bus_interface *bus_next_interface(const struct bus_object *o, unsigned *at);
/* The interface of that name on the object; NULL: none. */
const struct bus_interface *bus_find_interface(const struct bus_object *o, const char *name);
/* interface NULL or "": of any that the object has. NULL: no such method. */
const struct bus_method *bus_find_method(const struct bus_object *o, const char *interface,
					 const char *name);
/* Next property of the interface from *at (0 first), NULL at the end. */
const struct bus_property *bus_next_property(const struct bus_interface *i, unsigned *at);
const struct bus_property *bus_find_property(const struct bus_object *o, const char *interface,
					     const char *name);
/* The types of "name:type,name:type" one after the other, as in a message's signature. */
void bus_signature(const char *arguments, char *out, size_t cap);
/* The XML of the object; children: names of objects below it, NULL-terminated, or NULL. */
void bus_introspect(const struct bus_object *o, const char *const *children, struct sbuf *out);
