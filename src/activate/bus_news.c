/* SPDX-License-Identifier: MIT */
#include "activate/bus_news.h"

#include "activate/bus_value.h"

DBusMessage *bus_news_new(const char *path, const char *interface, const char *name,
			  DBusMessageIter *it)
{
	DBusMessage *m = dbus_message_new_signal(path, interface, name);

	if (m)
		dbus_message_iter_init_append(m, it);
	return m;
}

/* A bus fills in who sent it; a client of the private socket may look at it all the same. NULL: no memory. */
static DBusMessage *signed_copy(const DBusMessage *m)
{
	DBusMessage *copy = dbus_message_copy(m);

	if (copy && dbus_message_set_sender(copy, BUS_NAME))
		return copy;
	if (copy)
		dbus_message_unref(copy);
	return NULL;
}

void bus_news_send(struct bus *b, DBusMessage *m, bool subscribers_only)
{
	DBusMessage *copy = signed_copy(m);

	list_for_each(node, &b->peers) {
		struct bus_peer *p = list_entry(node, struct bus_peer, node);
		DBusMessage *theirs = p->seat ? m : copy;

		if (theirs && !p->is_gone && (p->is_subscribed || (!subscribers_only && !p->seat)))
			dbus_connection_send(p->line.conn, theirs, NULL);
	}
	dbus_message_unref(m);
	if (copy)
		dbus_message_unref(copy);
}

/* Private clients hear of the manager without having subscribed: `systemctl is-system-running --wait` does not. */
static void tell(struct bus *b, const char *signal, const bool *argument)
{
	DBusMessageIter it;
	DBusMessage *m = bus_news_new(BUS_ROOT, BUS_MANAGER, signal, &it);

	if (!m)
		return;
	if (!argument || bus_put_basic(&it, DBUS_TYPE_BOOLEAN, *argument, STR("")))
		bus_news_send(b, m, false);
	else
		dbus_message_unref(m);
}

void bus_news_job_runs(struct bus *b, uint32_t id)
{
	DBusMessageIter it, dict, entry, value, none;
	char path[BUS_PATH_MAX];
	DBusMessage *m;

	bus_path_of_job(id, path);
	m = bus_news_new(path, BUS_PROPERTIES, "PropertiesChanged", &it);
	if (!m)
		return;
	if (bus_put_text(&it, STR(BUS_NAME ".Job")) &&
	    dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "{sv}", &dict) &&
	    dbus_message_iter_open_container(&dict, DBUS_TYPE_DICT_ENTRY, NULL, &entry) &&
	    bus_put_text(&entry, STR("State")) &&
	    dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, "s", &value) &&
	    bus_put_text(&value, STR("running")) &&
	    dbus_message_iter_close_container(&entry, &value) &&
	    dbus_message_iter_close_container(&dict, &entry) &&
	    dbus_message_iter_close_container(&it, &dict) &&
	    dbus_message_iter_open_container(&it, DBUS_TYPE_ARRAY, "s", &none) &&
	    dbus_message_iter_close_container(&it, &none))
		bus_news_send(b, m, true);
	else
		dbus_message_unref(m);
}

void bus_news_files_changed(struct bus *b)
{
	tell(b, "UnitFilesChanged", NULL);
}

void bus_news_reloading(struct bus *b, bool is_reloading)
{
	if (b->is_reloading != is_reloading)
		tell(b, "Reloading", &is_reloading);
	b->is_reloading = is_reloading;
}

/* In a container nothing was before PID 1. */
void bus_news_booted(struct bus *b, const struct row *row)
{
	uint64_t began = row_value(row, "began"), finished = row_value(row, "finished");
	uint64_t kernel = row_value(row, "container") ? 0 : began, userspace = finished - began;
	/* firmware, loader, kernel, initrd, userspace, total */
	const uint64_t spans[] = {0, 0, kernel, 0, userspace, kernel + userspace};
	DBusMessageIter it;
	DBusMessage *m = bus_news_new(BUS_ROOT, BUS_MANAGER, "StartupFinished", &it);
	bool is_good = m;

	for (size_t i = 0; is_good && i < ARRAY_SIZE(spans); i++)
		is_good = bus_put_basic(&it, DBUS_TYPE_UINT64, spans[i], STR(""));
	if (is_good)
		bus_news_send(b, m, false);
	else if (m)
		dbus_message_unref(m);
}
