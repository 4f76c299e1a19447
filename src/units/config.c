/* SPDX-License-Identifier: MIT */
#include "units/config.h"

#include "core/job.h"
#include "core/log.h"
#include "core/share.h"
#include "units/device_unit.h"
#include "units/exec_config.h"
#include "units/mount.h"
#include "units/name.h"
#include "units/path.h"
#include "units/scope.h"
#include "units/service.h"
#include "units/socket.h"
#include "units/timer.h"

/* What a type brings along beside struct unit_config. */
static const struct type_parts {
	bool has_exec, has_service, has_socket, has_timer, has_path, has_mount, has_automount,
		has_swap, has_scope;
	bool file_is_optional; /* exists without any file */
	bool stays_on_isolate; /* IgnoreOnIsolate= when nothing is said */
	uint64_t
		job_running_us; /* JobRunningTimeoutSec= when nothing is said; 0: as long as it takes */
} type_parts[UNIT_TYPES] = {
	[UNIT_SERVICE] = {.has_exec = true, .has_service = true},
	[UNIT_SOCKET] = {.has_exec = true, .has_socket = true},
	[UNIT_MOUNT] = {.has_exec = true, .has_mount = true, .stays_on_isolate = true},
	[UNIT_AUTOMOUNT] = {.has_automount = true, .stays_on_isolate = true},
	[UNIT_SWAP] = {.has_exec = true, .has_swap = true, .stays_on_isolate = true},
	[UNIT_TIMER] = {.has_timer = true},
	[UNIT_PATH] = {.has_path = true},
	[UNIT_SCOPE] = {.has_exec = true, .has_scope = true, .stays_on_isolate = true},
	[UNIT_SLICE] = {.file_is_optional = true, .stays_on_isolate = true},
	[UNIT_DEVICE] = {.file_is_optional = true,
			 .stays_on_isolate = true,
			 .job_running_us = DEVICE_WAIT_US},
	[UNIT_BUSNAME] = {.file_is_optional = true,
			  .stays_on_isolate = true,
			  .job_running_us = DEVICE_WAIT_US},
};

static void unit_settings_defaults(struct unit_settings *c)
{
	c->start_limit_interval_us = 10 * US_PER_SEC;
	c->start_limit_burst = 5;
	c->job_timeout_us = c->job_running_timeout_us = TIME_NEVER;
	c->default_dependencies = true;
	c->on_failure_job_mode = MODE_REPLACE;
	c->on_success_job_mode = MODE_FAIL;
	c->failure_exit_status = c->success_exit_status = -1;
}

/* What few units have is not shared, and lies in the arena. */
#define ADD_PART(c, own, part)                                              \
	({                                                                  \
		(own)->part = arena_get(&(c)->arena, sizeof(*(own)->part)); \
		if ((own)->part)                                            \
			part##_config_defaults((own)->part);                \
		(own)->part != NULL;                                        \
	})

static bool has_own_part(const struct type_parts *parts)
{
	return parts->has_timer || parts->has_path || parts->has_scope || parts->has_mount ||
	       parts->has_automount || parts->has_swap;
}

static int add_own_part(struct unit_config *c, const struct type_parts *parts)
{
	struct unit_own *own = unit_config_own(c);
	bool is_there = own && (!parts->has_timer || ADD_PART(c, own, timer)) &&
			(!parts->has_path || ADD_PART(c, own, path)) &&
			(!parts->has_scope || ADD_PART(c, own, scope)) &&
			(!parts->has_mount || ADD_PART(c, own, mount)) &&
			(!parts->has_automount || ADD_PART(c, own, automount)) &&
			(!parts->has_swap || ADD_PART(c, own, swap));

	return is_there ? 0 : -ENOMEM;
}

/*
 * The parts that an equal one may take the place of when all is read. They are made before anything that stays: so they leave the very
 * place that those of the next unit need. *c has nothing else yet.
 */
static int add_shared_parts(struct unit_config *c, const struct type_parts *parts)
{
	c->has_parts = true;
	c->unit = share_new(sizeof(*c->unit));
	if (parts->has_exec)
		c->exec = share_new(sizeof(*c->exec));
	if (parts->has_service)
		c->service = share_new(sizeof(*c->service));
	if (parts->has_socket)
		c->socket = share_new(sizeof(*c->socket));
	return !c->unit || (parts->has_exec && !c->exec) || (parts->has_service && !c->service) ||
			       (parts->has_socket && !c->socket)
		       ? -ENOMEM
		       : 0;
}

static int add_type_parts(struct unit_config *c, const struct type_parts *parts)
{
	unit_settings_defaults(c->unit);
	c->unit->ignore_on_isolate = parts->stays_on_isolate;
	if (parts->job_running_us)
		c->unit->job_running_timeout_us = parts->job_running_us;
	if (c->exec) {
		exec_config_defaults(c->exec);
		c->exec->same_process_group = parts->has_mount;
	}
	if (c->service)
		service_config_defaults(c->service);
	if (c->socket)
		socket_config_defaults(c->socket);
	return has_own_part(parts) ? add_own_part(c, parts) : 0;
}

void config_settle(struct unit_config *c, struct share *share)
{
	c->unit = share_settle(share, c->unit, &c->arena);
	if (c->exec)
		c->exec = share_settle(share, c->exec, &c->arena);
	if (c->service)
		c->service = share_settle(share, c->service, &c->arena);
	if (c->socket)
		c->socket = share_settle(share, c->socket, &c->arena);
}

static int set_names(struct unit_config *c, const char *name)
{
	struct str instance = name_instance(name);

	c->name = arena_dup(&c->arena, name, strlen(name));
	if (!c->name)
		return -ENOMEM;
	if (!instance.p || instance.n == 0)
		return 0;
	c->instance = arena_dup(&c->arena, instance.p, instance.n);
	return c->instance ? 0 : -ENOMEM;
}

struct unit_config *config_new(const char *name)
{
	static const struct type_parts of_no_type;
	int type = unit_type_of(name);
	const struct type_parts *parts = type < 0 ? &of_no_type : &type_parts[type];
	struct unit_config shared = {0}, *c = NULL;

	if (add_shared_parts(&shared, parts) == 0)
		c = unit_config_new(&shared);
	if (!c) {
		share_put(shared.unit);
		share_put(shared.exec);
		share_put(shared.service);
		share_put(shared.socket);
		return NULL;
	}
	if (add_type_parts(c, parts) < 0 || set_names(c, name) < 0) {
		unit_config_free(c);
		return NULL;
	}
	return c;
}

bool config_needs_file(const char *name)
{
	int type = unit_type_of(name);

	return type < 0 || !type_parts[type].file_is_optional;
}

void config_log(const struct unit_config *c, enum diag_severity least)
{
	/* Many a unit is wanted where it is not there; to whom it matters is told. */
	enum log_level error = c->load == LOAD_NOT_FOUND ? LOG_INFO : LOG_ERROR;
	struct sbuf line = {0};

	for (const struct diag *d = c->diags.first; d; d = d->next) {
		sbuf_reset(&line);
		diag_render(d, &line);
		if (d->severity >= least && line.p)
			log_at(d->severity == DIAG_ERROR ? error : LOG_WARN, "%s", line.p);
	}
	sbuf_fini(&line);
}
