/* SPDX-License-Identifier: MIT */
/*
 * hark-bus: org.freedesktop.systemd1 for programs that speak D-Bus. Started by the first connection to its socket; it decides nothing, may die at
 * any time and is started again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "activate/bus_mounts.h"
#include "activate/bus_system.h"
#include "activate/bus_watch.h"
#include "core/log.h"

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

int main(void)
{
	static struct bus bus;
	static struct loop loop;
	const char *run_dir = getenv("HARK_RUN_DIR");
	const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
	char path[256];
	int r;

	log_init("hark-bus", LOG_INFO, -1);
	/* libdbus ends the process over a text that is not UTF-8 and the like, unless told otherwise before its first call. */
	setenv("DBUS_FATAL_WARNINGS", "0", 1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* children tell us all by their answer */
	run_dir = run_dir && *run_dir ? run_dir : "/run/hark";
	snprintf(path, sizeof(path), "%s/control", run_dir);
	r = loop_init(&loop, NULL, NULL);
	if (r == 0)
		r = bus_init(&bus, &loop, path);
	bus.run_dir = run_dir;
	if (r == 0)
		r = bus_system_open(&bus, address && *address ? address : SYSTEM_BUS, run_dir);
	if (r == 0)
		r = bus_watch_open(&bus);
	if (r == 0 && bus_mounts_open(&bus) < 0)
		log_at(LOG_WARN, "the mount table cannot be followed: remounts are not told");
	if (r == 0)
		r = bus_serve_private(&bus, "systemd:");
	if (r == 0)
		r = loop_run(&loop);
	if (r < 0)
		log_at(LOG_ERROR, "cannot serve D-Bus: %s", strerror(-r));
	return r != 0;
}
