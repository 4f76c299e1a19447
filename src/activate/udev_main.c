/* SPDX-License-Identifier: MIT */
/*
 * hark-udev: tells the manager of the devices that udev has tagged for it. It follows udev's events, and looks at all devices when it begins,
 * when the manager is a new one, and when events were lost. It decides nothing, may die at any time and is started again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "activate/udev_device.h"
#include "activate/udev_tell.h"
#include "core/log.h"

/* Kernel memory for events that wait, used only as far as it is needed; how many are taken in one turn, and dropped at once. */
enum { EVENTS_BYTES = 16 * 1024 * 1024, EVENTS_MOST = 256, DROP_MOST = 256 * 1024 };

struct bridge {
	struct loop loop;
	struct udev_tell tell;
	struct udev *udev;
	struct udev_monitor *monitor;
	struct watch watch;
};

/* 0 or -ENOMEM. */
static int tell_of(struct bridge *b, struct udev_device *dev)
{
	const char *sysfs = udev_device_get_syspath(dev);
	struct sbuf facts = {0};
	int r;

	udev_device_facts(dev, &facts);
	r = facts.err ? facts.err : udev_tell_is(&b->tell, sysfs, facts.p ? facts.p : "");
	sbuf_fini(&facts);
	return r;
}

/* 0 or -errno. */
static int look_at_all(struct bridge *b, struct udev_enumerate *all)
{
	struct udev_list_entry *e;
	int r = udev_enumerate_add_match_is_initialized(all);

	if (r >= 0)
		r = udev_enumerate_add_match_tag(all, "systemd");
	if (r >= 0)
		r = udev_enumerate_scan_devices(all);
	if (r >= 0)
		r = udev_tell_begin(&b->tell);
	udev_list_entry_foreach(e, r < 0 ? NULL : udev_enumerate_get_list_entry(all))
	{
		struct udev_device *dev =
			udev_device_new_from_syspath(b->udev, udev_list_entry_get_name(e));

		if (dev && r == 0 && udev_device_is_there(dev))
			r = tell_of(b, dev);
		udev_device_unref(dev);
	}
	return r < 0 ? r : udev_tell_end(&b->tell);
}

static void enumerate(void *arg)
{
	struct bridge *b = arg;
	struct udev_enumerate *all = udev_enumerate_new(b->udev);
	int r = all ? look_at_all(b, all) : -ENOMEM;

	udev_enumerate_unref(all);
	if (r < 0) {
		log_at(LOG_ERROR, "devices cannot be looked at: %s; starting anew", strerror(-r));
		loop_exit(&b->loop, 1);
	}
}

/* The device has another path now: that of a network interface follows its name. */
static int tell_of_old_path(struct bridge *b, struct udev_device *dev)
{
	const char *old = udev_device_get_property_value(dev, "DEVPATH_OLD");
	struct sbuf path = {0};
	int r;

	if (!old)
		return 0;
	sbuf_addf(&path, "/sys%s", old);
	r = path.err ? path.err : udev_tell_gone(&b->tell, path.p);
	sbuf_fini(&path);
	return r;
}

static int take_event(struct bridge *b, struct udev_device *dev)
{
	struct str action = str_of(udev_device_get_action(dev));
	int r = str_eq_z(action, "move") ? tell_of_old_path(b, dev) : 0;

	if (r < 0)
		return r;
	return !str_eq_z(action, "remove") && udev_device_is_there(dev)
		       ? tell_of(b, dev)
		       : udev_tell_gone(&b->tell, udev_device_get_syspath(dev));
}

/* What still waits is older than the look at all that is to come: an old "add" would bring back what has gone since. */
static void drop_events(struct bridge *b)
{
	for (unsigned i = 0; i < DROP_MOST; i++) {
		struct udev_device *dev;

		errno = 0;
		dev = udev_monitor_receive_device(b->monitor);
		if (!dev && errno != ENOBUFS)
			return;
		udev_device_unref(dev);
	}
}

static void on_event(struct watch *w, uint32_t events UNUSED)
{
	struct bridge *b = container_of(w, struct bridge, watch);
	struct udev_device *dev;
	int r = 0;

	errno = 0;
	for (unsigned i = 0; i < EVENTS_MOST && r == 0; i++) {
		dev = udev_monitor_receive_device(b->monitor);
		if (!dev)
			break;
		r = take_event(b, dev);
		udev_device_unref(dev);
		errno = 0;
	}
	if (r < 0 || errno == ENOBUFS) {
		log_at(LOG_WARN, "events of devices were lost; looking at all of them");
		drop_events(b);
		enumerate(b);
	}
	udev_tell_flush(&b->tell);
}

/* 0 or -errno. */
static int subscribe(struct bridge *b)
{
	int r;

	b->udev = udev_new();
	b->monitor = b->udev ? udev_monitor_new_from_netlink(b->udev, "udev") : NULL;
	if (!b->monitor)
		return err_here(errno ? -errno : -ENOMEM);
	r = udev_monitor_filter_add_match_tag(b->monitor, "systemd");
	if (r >= 0 && udev_monitor_set_receive_buffer_size(b->monitor, EVENTS_BYTES) < 0)
		log_debug("udev", "the usual memory for events");
	if (r >= 0)
		r = udev_monitor_enable_receiving(b->monitor);
	b->watch.fn = on_event;
	return r < 0 ? r
		     : loop_watch(&b->loop, &b->watch, udev_monitor_get_fd(b->monitor), EPOLLIN);
}

int main(void)
{
	static struct bridge b;
	const char *run_dir = getenv("HARK_RUN_DIR");
	char path[256];
	int r;

	log_init("hark-udev", LOG_INFO, -1);
	snprintf(path, sizeof(path), "%s/control", run_dir && *run_dir ? run_dir : "/run/hark");
	r = loop_init(&b.loop, NULL, NULL);
	if (r == 0)
		r = subscribe(&b);
	if (r == 0) {
		udev_tell_init(&b.tell, &b.loop, path, enumerate, &b);
		r = loop_run(&b.loop);
	}
	if (r < 0)
		log_at(LOG_ERROR, "cannot follow devices: %s", strerror(-r));
	return r != 0;
}
