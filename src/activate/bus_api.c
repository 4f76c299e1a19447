/* SPDX-License-Identifier: MIT */
#include "activate/bus_api.h"

#include "activate/bus_path.h"
#include "activate/bus_serve.h"

/* clang-format off */
#define serve_none NULL
static const struct bus_method methods[] = {
#define M(group, name, in, out, access, handler, aux) { BUS_GROUP_##group, #name, in, out, BUS_##access, serve_##handler, aux },
#include "activate/bus_api.def"
};

struct bus_signal {
	enum bus_group group;
	const char *name, *arguments;
};
static const struct bus_signal signals[] = {
#define S(group, name, arguments) { BUS_GROUP_##group, #name, arguments },
#include "activate/bus_api.def"
};

#define ZERO 0
#define UNSET UINT64_MAX
static const struct bus_property properties[] = {
#define P(group, name, type, emits, unset) { BUS_GROUP_##group, #name, type, EMIT_##emits, unset },
#include "activate/bus_api.def"
};

#define G(name) (1u << BUS_GROUP_##name)
#define PROCESSES (G(CGROUP) | G(KILL))
#define COMMANDS (PROCESSES | G(EXEC))
static const struct bus_interface interfaces[] = {
	{ BUS_MANAGER, G(MANAGER), BUS_OBJECT_MANAGER, -1 },
	{ BUS_NAME ".Unit", G(UNIT), BUS_OBJECT_UNIT, -1 },
	{ BUS_NAME ".Service", COMMANDS | G(SERVICE), BUS_OBJECT_UNIT, UNIT_SERVICE },
	{ BUS_NAME ".Socket", COMMANDS | G(SOCKET), BUS_OBJECT_UNIT, UNIT_SOCKET },
	{ BUS_NAME ".Mount", COMMANDS | G(MOUNT), BUS_OBJECT_UNIT, UNIT_MOUNT },
	{ BUS_NAME ".Swap", COMMANDS | G(SWAP), BUS_OBJECT_UNIT, UNIT_SWAP },
	{ BUS_NAME ".Scope", PROCESSES | G(SCOPE), BUS_OBJECT_UNIT, UNIT_SCOPE },
	{ BUS_NAME ".Slice", G(CGROUP), BUS_OBJECT_UNIT, UNIT_SLICE },
	{ BUS_NAME ".Automount", G(AUTOMOUNT), BUS_OBJECT_UNIT, UNIT_AUTOMOUNT },
	{ BUS_NAME ".Device", G(DEVICE), BUS_OBJECT_UNIT, UNIT_DEVICE },
	{ BUS_NAME ".Path", G(PATH), BUS_OBJECT_UNIT, UNIT_PATH },
	{ BUS_NAME ".Timer", G(TIMER), BUS_OBJECT_UNIT, UNIT_TIMER },
	{ BUS_NAME ".Target", 0, BUS_OBJECT_UNIT, UNIT_TARGET },
	{ BUS_NAME ".Job", G(JOB), BUS_OBJECT_JOB, -1 },
	{ BUS_LOG, G(LOG), BUS_OBJECT_LOG, -1 },
	{ BUS_HARK ".Manager", G(HARK), BUS_OBJECT_HARK, -1 },
};
/* clang-format on */

static bool is_in(const struct bus_interface *i, enum bus_group group)
{
	return i->groups >> group & 1;
}

/* "/", "/org", ... of the whole path, the whole one included. */
static bool is_above(const char *path, const char *whole)
{
	size_t n = strlen(path);

	return strcmp(path, "/") == 0 ||
	       (strncmp(path, whole, n) == 0 && (whole[n] == '/' || !whole[n]));
}

void bus_object_of_path(const char *path, struct bus_object *ret)
{
	int type = -1;

	*ret = (struct bus_object){.kind = BUS_OBJECT_NONE};
	ret->job = bus_job_of_path(path);
	if (strcmp(path, BUS_ROOT) == 0)
		ret->kind = BUS_OBJECT_MANAGER;
	else if (strcmp(path, BUS_LOG_ROOT) == 0)
		ret->kind = BUS_OBJECT_LOG;
	else if (strcmp(path, "/org/hark1") == 0)
		ret->kind = BUS_OBJECT_HARK;
	else if (ret->job)
		ret->kind = BUS_OBJECT_JOB;
	else if (bus_unit_of_path(path, ret->unit) && (type = unit_type_of(ret->unit)) >= 0)
		ret->kind = BUS_OBJECT_UNIT;
	else if (is_above(path, BUS_ROOT "/unit") || is_above(path, BUS_ROOT "/job"))
		ret->kind = BUS_OBJECT_ABOVE;
	if (type >= 0)
		ret->type = (enum unit_type)type;
}

const struct bus_interface *bus_next_interface(const struct bus_object *o, unsigned *at)
{
	while (*at < ARRAY_SIZE(interfaces)) {
		const struct bus_interface *i = &interfaces[(*at)++];

		if (i->kind == o->kind && (i->type < 0 || i->type == (int)o->type))
			return i;
	}
	return NULL;
}

const struct bus_interface *bus_find_interface(const struct bus_object *o, const char *name)
{
	const struct bus_interface *i;
	unsigned at = 0;

	while ((i = bus_next_interface(o, &at)))
		if (strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

/* Is it one of those that are meant: by name, or any? */
static bool is_meant(const struct bus_interface *i, const char *name)
{
	return !name || !*name || strcmp(i->name, name) == 0;
}

const struct bus_method *bus_find_method(const struct bus_object *o, const char *interface,
					 const char *name)
{
	const struct bus_interface *i;
	unsigned at = 0;

	while ((i = bus_next_interface(o, &at)))
		for (size_t m = 0; m < ARRAY_SIZE(methods) && is_meant(i, interface); m++)
			if (is_in(i, methods[m].group) && strcmp(methods[m].name, name) == 0)
				return &methods[m];
	return NULL;
}

const struct bus_property *bus_next_property(const struct bus_interface *i, unsigned *at)
{
	while (*at < ARRAY_SIZE(properties)) {
		const struct bus_property *p = &properties[(*at)++];

		if (is_in(i, p->group))
			return p;
	}
	return NULL;
}

const struct bus_property *bus_find_property(const struct bus_object *o, const char *interface,
					     const char *name)
{
	const struct bus_interface *i;
	unsigned at = 0;

	while ((i = bus_next_interface(o, &at))) {
		const struct bus_property *p;
		unsigned p_at = 0;

		while (is_meant(i, interface) && (p = bus_next_property(i, &p_at)))
			if (strcmp(p->name, name) == 0)
				return p;
	}
	return NULL;
}

/* --- arguments and introspection --- */

/* Next "name:type"; *ret_type is NUL-terminated in a buffer of the caller's. */
static bool next_argument(struct str *rest, struct str *ret_name, struct str *ret_type)
{
	struct str piece;
	size_t at;

	if (!str_cut(rest, ',', &piece) || !piece.n)
		return false;
	at = str_index(piece, ':');
	*ret_name = str_sub(piece, 0, at);
	*ret_type = str_sub(piece, at + 1, piece.n);
	return true;
}

void bus_signature(const char *arguments, char *out, size_t cap)
{
	struct str rest = str_of(arguments), name, type;
	size_t n = 0;

	while (next_argument(&rest, &name, &type) && n + type.n < cap) {
		memcpy(out + n, type.p, type.n);
		n += type.n;
	}
	out[n] = '\0';
}

static void put_arguments(struct sbuf *out, const char *arguments, const char *direction)
{
	struct str rest = str_of(arguments), name, type;

	while (next_argument(&rest, &name, &type)) {
		sbuf_addf(out, "   <arg type=\"" STR_FMT "\" name=\"" STR_FMT "\"", STR_ARG(type),
			  STR_ARG(name));
		if (direction)
			sbuf_addf(out, " direction=\"%s\"", direction);
		sbuf_add_z(out, "/>\n");
	}
}

static void put_annotation(struct sbuf *out, const char *name, const char *value)
{
	sbuf_addf(out, "   <annotation name=\"%s\" value=\"%s\"/>\n", name, value);
}

static void put_properties(struct sbuf *out, const struct bus_interface *i)
{
	static const char *const words[] = {[EMIT_CONST] = "const",
					    [EMIT_SILENT] = "false",
					    [EMIT_INVALIDATE] = "invalidates",
					    [EMIT_WRITABLE] = "false"};
	const struct bus_property *p;
	unsigned at = 0;

	while ((p = bus_next_property(i, &at))) {
		sbuf_addf(out, "  <property name=\"%s\" type=\"%s\" access=\"%s\"", p->name,
			  p->type, p->emits == EMIT_WRITABLE ? "readwrite" : "read");
		if (p->emits == EMIT_CHANGE) {
			sbuf_add_z(out, "/>\n");
			continue;
		}
		sbuf_add_z(out, ">\n");
		put_annotation(out, "org.freedesktop.DBus.Property.EmitsChangedSignal",
			       words[p->emits]);
		if (p->emits == EMIT_WRITABLE)
			put_annotation(out, BUS_NAME ".Privileged", "true");
		sbuf_add_z(out, "  </property>\n");
	}
}

static void put_interface(struct sbuf *out, const struct bus_interface *i)
{
	sbuf_addf(out, " <interface name=\"%s\">\n", i->name);
	for (size_t m = 0; m < ARRAY_SIZE(methods); m++) {
		if (!is_in(i, methods[m].group))
			continue;
		sbuf_addf(out, "  <method name=\"%s\">\n", methods[m].name);
		put_arguments(out, methods[m].in, "in");
		put_arguments(out, methods[m].out, "out");
		if (methods[m].access == BUS_POWER)
			put_annotation(out, BUS_NAME ".Privileged", "true");
		if (methods[m].verb == VERB_REEXEC)
			put_annotation(out, "org.freedesktop.DBus.Method.NoReply", "true");
		sbuf_add_z(out, "  </method>\n");
	}
	for (size_t s = 0; s < ARRAY_SIZE(signals); s++) {
		if (!is_in(i, signals[s].group))
			continue;
		sbuf_addf(out, "  <signal name=\"%s\">\n", signals[s].name);
		put_arguments(out, signals[s].arguments, NULL);
		sbuf_add_z(out, "  </signal>\n");
	}
	put_properties(out, i);
	sbuf_add_z(out, " </interface>\n");
}

static const char standard[] =
	" <interface name=\"" BUS_PEER "\">\n"
	"  <method name=\"Ping\"/>\n"
	"  <method name=\"GetMachineId\">\n   <arg type=\"s\" name=\"machine_uuid\" direction=\"out\"/>\n  </method>\n"
	" </interface>\n"
	" <interface name=\"" BUS_INTROSPECTABLE "\">\n"
	"  <method name=\"Introspect\">\n   <arg name=\"data\" type=\"s\" direction=\"out\"/>\n  </method>\n"
	" </interface>\n"
	" <interface name=\"" BUS_PROPERTIES "\">\n"
	"  <method name=\"Get\">\n   <arg name=\"interface\" direction=\"in\" type=\"s\"/>\n"
	"   <arg name=\"property\" direction=\"in\" type=\"s\"/>\n"
	"   <arg name=\"value\" direction=\"out\" type=\"v\"/>\n  </method>\n"
	"  <method name=\"GetAll\">\n   <arg name=\"interface\" direction=\"in\" type=\"s\"/>\n"
	"   <arg name=\"properties\" direction=\"out\" type=\"a{sv}\"/>\n  </method>\n"
	"  <method name=\"Set\">\n   <arg name=\"interface\" direction=\"in\" type=\"s\"/>\n"
	"   <arg name=\"property\" direction=\"in\" type=\"s\"/>\n"
	"   <arg name=\"value\" direction=\"in\" type=\"v\"/>\n  </method>\n"
	"  <signal name=\"PropertiesChanged\">\n   <arg type=\"s\" name=\"interface\"/>\n"
	"   <arg type=\"a{sv}\" name=\"changed_properties\"/>\n"
	"   <arg type=\"as\" name=\"invalidated_properties\"/>\n  </signal>\n"
	" </interface>\n";

void bus_introspect(const struct bus_object *o, const char *const *children, struct sbuf *out)
{
	const struct bus_interface *i;
	unsigned at = 0;

	sbuf_add_z(
		out,
		"<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
		"\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n");
	sbuf_add_z(out, standard);
	while ((i = bus_next_interface(o, &at)))
		put_interface(out, i);
	for (; children && *children; children++)
		sbuf_addf(out, " <node name=\"%s\"/>\n", *children);
	sbuf_add_z(out, "</node>\n");
}
