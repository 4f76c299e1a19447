/* SPDX-License-Identifier: MIT */
/* The users of DynamicUser=, as the manager keeps them: a file of the number, which holds the name, and a link of the name to the number. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "activate/bus.h"
#include "activate/bus_body.h"
#include "activate/bus_serve.h"
#include "activate/bus_value.h"
#include "core/dynamic_user.h"
#include "core/fd.h"

#define FOLDER "dynamic-users"

static bool is_dynamic(uint64_t uid)
{
	return uid >= DYNAMIC_UID_FIRST && uid <= DYNAMIC_UID_LAST;
}

/* False: there is none of that number. */
static bool name_of_user(const struct bus *b, uint64_t uid, char *out, size_t cap)
{
	char path[512];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" FOLDER "/%llu", b->run_dir, (unsigned long long)uid);
	n = is_dynamic(uid) ? fd_read_small(AT_FDCWD, path, out, cap) : -ENOENT;
	if (n <= 0)
		return false;
	out[strcspn(out, "\n")] = '\0';
	return *out;
}

void serve_dynamic_user_by_uid(struct bus_call *c)
{
	DBusMessageIter it;
	DBusMessage *reply;
	uint64_t uid;
	char name[256];

	dbus_message_iter_init(c->message, &it);
	uid = bus_take_number(&it);
	if (!name_of_user(c->bus, uid, name, sizeof(name))) {
		bus_fail(c, "NoSuchDynamicUser", "Dynamic user ID %u does not exist.",
			 (unsigned)uid);
		return;
	}
	reply = bus_reply_new(c);
	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	bus_put_text(&it, str_of(name));
	bus_reply(c, reply);
}

/* Each user's number and name are given to told(); true ends it. */
static void each_user(struct bus_call *c, bool (*told)(void *arg, uint32_t uid, const char *name),
		      void *arg)
{
	char path[512], name[256];
	bool is_over = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" FOLDER, c->bus->run_dir);
	dir = opendir(path);
	for (struct dirent *e; dir && !is_over && (e = readdir(dir));) {
		uint64_t uid;

		if (str_to_u64(str_of(e->d_name), &uid) == 0 &&
		    name_of_user(c->bus, uid, name, sizeof(name)))
			is_over = told(arg, (uint32_t)uid, name);
	}
	if (dir)
		closedir(dir);
}

static bool put_user(void *arg, uint32_t uid, const char *name)
{
	bus_body_struct(arg);
	bus_body_number(arg, uid);
	bus_body_text(arg, str_of(name));
	return false;
}

void serve_dynamic_users(struct bus_call *c)
{
	struct bus_body body = {0};
	DBusMessage *reply = bus_reply_new(c);

	if (!reply)
		return;
	bus_body_begin(&body);
	each_user(c, put_user, &body);
	reply = bus_body_end(&body, reply, "(us)");
	if (reply)
		bus_reply(c, reply);
	else
		bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

struct wanted {
	const char *name;
	uint32_t uid;
};

static bool is_wanted(void *arg, uint32_t uid, const char *name)
{
	struct wanted *w = arg;

	if (strcmp(name, w->name) != 0)
		return false;
	w->uid = uid;
	return true;
}

void serve_dynamic_user_by_name(struct bus_call *c)
{
	struct wanted w = {.name = bus_text_argument(c, 0)};
	DBusMessageIter it;
	DBusMessage *reply;

	each_user(c, is_wanted, &w);
	if (!w.uid) {
		bus_fail(c, "NoSuchDynamicUser", "Dynamic user %s does not exist.", w.name);
		return;
	}
	reply = bus_reply_new(c);
	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	bus_put_basic(&it, DBUS_TYPE_UINT32, w.uid, STR(""));
	bus_reply(c, reply);
}
