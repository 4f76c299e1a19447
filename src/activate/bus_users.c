/* SPDX-License-Identifier: MIT */
/* The users of DynamicUser=, as the manager keeps them: a file of the number, which holds the name, and a link of the name to the number. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

void serve_dynamic_users(struct bus_call *c)
{
	struct bus_body body = {0};
	DBusMessage *reply = bus_reply_new(c);
	char path[512], name[256];
	DIR *dir;

	if (!reply)
		return;
	bus_body_begin(&body);
	snprintf(path, sizeof(path), "%s/" FOLDER, c->bus->run_dir);
	dir = fd_opendir(AT_FDCWD, path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		uint64_t uid;

		if (str_to_u64(str_of(e->d_name), &uid) < 0 ||
		    !name_of_user(c->bus, uid, name, sizeof(name)))
			continue;
		bus_body_struct(&body);
		bus_body_number(&body, (uint32_t)uid);
		bus_body_text(&body, str_of(name));
	}
	if (dir)
		closedir(dir);
	reply = bus_body_end(&body, reply, "(us)");
	if (reply)
		bus_reply(c, reply);
	else
		bus_fail(c, DBUS_ERROR_NO_MEMORY, "memory ran out");
}

/* 0: there is none of that name. */
static uint32_t number_of_user(const struct bus *b, const char *name)
{
	char path[512], text[16];
	uint64_t uid = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" FOLDER "/%s", b->run_dir, name);
	n = strchr(name, '/') ? -1 : readlink(path, text, sizeof(text));
	if (n <= 0 || str_to_u64((struct str){text, (size_t)n}, &uid) < 0 || !is_dynamic(uid))
		return 0;
	return (uint32_t)uid;
}

void serve_dynamic_user_by_name(struct bus_call *c)
{
	const char *name = bus_text_argument(c, 0);
	uint32_t uid = number_of_user(c->bus, name);
	DBusMessageIter it;
	DBusMessage *reply;

	if (!uid) {
		bus_fail(c, "NoSuchDynamicUser", "Dynamic user %s does not exist.", name);
		return;
	}
	reply = bus_reply_new(c);
	if (!reply)
		return;
	dbus_message_iter_init_append(reply, &it);
	bus_put_basic(&it, DBUS_TYPE_UINT32, uid, STR(""));
	bus_reply(c, reply);
}
