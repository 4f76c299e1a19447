/* SPDX-License-Identifier: MIT */
#include "ctl/property_live.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "activate/mounts.h"
#include "activate/swaps.h"
#include "activate/time.h"
#include "core/fd.h"
#include "core/net_gate.h"
#include "core/procs.h"
#include "units/cgroup_config.h"
#include "units/path.h"
#include "units/timer.h"

#define BIT(type) (1u << UNIT_##type)
enum {
	EXECS = BIT(SERVICE) | BIT(SOCKET) | BIT(MOUNT) | BIT(SWAP),
	GROUPED = BIT(SERVICE) | BIT(SOCKET) | BIT(MOUNT) | BIT(SWAP) | BIT(SCOPE) | BIT(SLICE),
	EVERY = (1 << UNIT_TYPES) - 1
};

struct live_view {
	struct reply *reply;
	struct hark *h;
	struct unit *u;
	const char *name; /* of the property */
};

bool property_is_wanted(const char *only, const char *name)
{
	struct str rest = str_of(only), piece;

	if (!only)
		return true;
	while (str_cut(&rest, ',', &piece))
		if (str_eq_z(str_trim(piece), name))
			return true;
	return false;
}

/* --- timers --- */

static bool has_calendar(const struct timer_config *t)
{
	const struct timer_event *e = t->events;

	while (e && e->base != TIMER_CALENDAR)
		e = e->next;
	return e != NULL;
}

/* To the nearest millisecond: three readings of two clocks went into it. This one's order makes it late when we are kept, so that midnight is never 23:59:59. */
static uint64_t to_wall_us(uint64_t mono_us)
{
	uint64_t now_us = clock_mono_us();
	uint64_t wall_us = clock_wall_us() - now_us + mono_us;

	return (wall_us + US_PER_MS / 2) / US_PER_MS * US_PER_MS;
}

static void put_next_wall(const struct live_view *v)
{
	uint64_t due = time_next_us(v->u);
	bool is_so = due != TIME_NEVER && has_calendar(v->u->config->own->timer);

	reply_value(v->reply, TAG_STAMP, v->name, is_so ? to_wall_us(due) : 0);
}

static void put_next_mono(const struct live_view *v)
{
	uint64_t due = time_next_us(v->u);
	bool is_so = !has_calendar(v->u->config->own->timer);

	reply_value(v->reply, TAG_SPAN, v->name, is_so ? due : 0);
}

static void put_last_wall(const struct live_view *v)
{
	reply_value(v->reply, TAG_STAMP, v->name, timer_of(v->u)->last_wall_us);
}

static void put_last_mono(const struct live_view *v)
{
	reply_value(v->reply, TAG_NUMBER, v->name, timer_of(v->u)->last_us);
}

static void put_item(const struct live_view *v, struct sbuf *item)
{
	if (!item->err)
		reply_item(v->reply, v->name, item->p);
	sbuf_fini(item);
}

/* "{ OnBootUSec=30000000 ; next_elapse=0 }", times in microseconds */
static void put_spans(const struct live_view *v)
{
	uint64_t due = time_next_us(v->u);

	for (const struct timer_event *e = v->u->config->own->timer->events; e; e = e->next) {
		const char *name = timer_base_names[e->base];
		struct sbuf item = {0};

		if (e->base == TIMER_CALENDAR)
			continue;
		sbuf_addf(&item, "{ %.*sUSec=%llu ; next_elapse=%llu }", (int)strlen(name) - 3,
			  name, (unsigned long long)e->span_us,
			  (unsigned long long)(due == TIME_NEVER ? 0 : due));
		put_item(v, &item);
	}
}

/* "{ OnCalendar=*-*-* 00:00:00 ; next_elapse=1700000000000000 }", of the wall clock */
static void put_calendars(const struct live_view *v)
{
	uint64_t due = time_next_us(v->u);

	for (const struct timer_event *e = v->u->config->own->timer->events; e; e = e->next) {
		struct sbuf item = {0};

		if (e->base != TIMER_CALENDAR)
			continue;
		sbuf_add_z(&item, "{ OnCalendar=");
		calendar_format(&e->calendar, &item);
		sbuf_addf(&item, " ; next_elapse=%llu }",
			  (unsigned long long)(due == TIME_NEVER ? 0 : to_wall_us(due)));
		put_item(v, &item);
	}
}

/* --- timers and paths --- */

static void put_unit(const struct live_view *v)
{
	char name[UNIT_NAME_MAX + 1] = "";

	if (v->u->type == UNIT_TIMER)
		timer_unit_name(v->u->config, name, sizeof(name));
	else
		path_unit_name(v->u->config, name, sizeof(name));
	reply_text_z(v->reply, v->name, name);
}

static void put_paths(const struct live_view *v)
{
	for (const struct path_watch *w = v->u->config->own->path->watches; w; w = w->next) {
		struct sbuf item = {0};

		sbuf_addf(&item, "%s (%s)", w->path, path_kind_names[w->kind]);
		put_item(v, &item);
	}
}

/* --- conditions --- */

/* Conditions and assertions are looked at with each start; when there are none, they hold at the moment of it. */
static uint64_t checked_us(const struct unit *u)
{
	return u->condition_us ? u->condition_us : u->inactive_exit_us;
}

/* The name tells which clock. */
static void put_stamp(const struct live_view *v, uint64_t mono_us)
{
	if (str_has_suffix(str_of(v->name), STR("Monotonic")))
		reply_value(v->reply, TAG_NUMBER, v->name, mono_us);
	else
		reply_value(v->reply, TAG_STAMP, v->name, mono_us ? to_wall_us(mono_us) : 0);
}

static void put_checked(const struct live_view *v)
{
	put_stamp(v, checked_us(v->u));
}

/* After the conditions, if they held. */
static void put_asserted(const struct live_view *v)
{
	const struct unit *u = v->u;
	bool is_so = u->condition_result != 2 || u->last_job_result == JOB_RES_ASSERT;

	put_stamp(v, is_so ? checked_us(u) : 0);
}

/* --- mounts and swaps --- */

/* As it is mounted; else as the file says. */
static void put_fact(const struct live_view *v, enum mount_fact which, const char *written)
{
	struct sbuf text = {0};
	bool is_there = mounts_fact(v->h, v->u, which, &text);

	reply_text_z(v->reply, v->name, is_there && text.n ? text.p : written ? written : "");
	sbuf_fini(&text);
}

static void put_what(const struct live_view *v)
{
	put_fact(v, MOUNT_WHAT, v->u->config->own->mount->what);
}

static void put_type(const struct live_view *v)
{
	put_fact(v, MOUNT_TYPE, v->u->config->own->mount->type);
}

static void put_options(const struct live_view *v)
{
	put_fact(v, MOUNT_OPTIONS, v->u->config->own->mount->options);
}

static void put_priority(const struct live_view *v)
{
	int priority = v->u->config->own->swap->priority;

	(void)swaps_priority(v->u, &priority);
	reply_value(v->reply, TAG_SIGNED, v->name, (uint64_t)(int64_t)priority);
}

/* --- cgroups --- */

bool property_usage(struct hark *h, const struct unit *u, const char *file, const char *key,
		    uint64_t *ret)
{
	struct str rest, line, word;
	char path[CGROUP_PATH], full[CGROUP_PATH + 64], text[2048];

	if (!h->cgroups.has_cgroups)
		return false;
	procs_cgroup(u, path);
	/* An empty one is that of the next run. */
	if (unit_is_at_rest(u) && cgroup_is_populated(&h->cgroups, path) <= 0)
		return false;
	snprintf(full, sizeof(full), "%s/%s", path, file);
	if (fd_read_small(h->cgroups.dir_fd, full, text, sizeof(text)) <= 0)
		return false;
	rest = str_of(text);
	while (str_cut(&rest, '\n', &line)) {
		if (key && !(str_word(&line, &word) && str_eq_z(word, key)))
			continue;
		return str_word(&line, &word) && str_to_u64(word, ret) == 0;
	}
	return false;
}

static void put_memory(const struct live_view *v)
{
	uint64_t value;

	if (property_usage(v->h, v->u, "memory.current", NULL, &value))
		reply_value(v->reply, TAG_NUMBER, v->name, value);
}

static void put_tasks(const struct live_view *v)
{
	uint64_t value;

	if (property_usage(v->h, v->u, "pids.current", NULL, &value))
		reply_value(v->reply, TAG_NUMBER, v->name, value);
}

static void put_cpu(const struct live_view *v)
{
	uint64_t us;

	if (property_usage(v->h, v->u, "cpu.stat", "usage_usec", &us))
		reply_value(v->reply, TAG_NUMBER, v->name, us * 1000);
}

/* "IPIngressBytes" and its like: the name tells which. */
static void put_traffic(const struct live_view *v)
{
	struct net_count count;
	char path[CGROUP_PATH];
	int dir, r;

	if (!v->h->cgroups.has_cgroups || !cgroup_config_of(v->u->config)->ip_accounting)
		return;
	procs_cgroup(v->u, path);
	dir = fd_open(v->h->cgroups.dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
	r = dir < 0 ? dir : net_gate_count(dir, v->name[2] == 'E', &count);
	fd_close(dir);
	if (r == 0)
		reply_value(v->reply, TAG_NUMBER, v->name,
			    strstr(v->name, "Bytes") ? count.bytes : count.packets);
}

/* The number of the directory is the cgroup's, cgroup_id() of BPF. */
static void put_cgroup_id(const struct live_view *v)
{
	struct stat st;
	char path[CGROUP_PATH];

	if (!v->h->cgroups.has_cgroups || unit_is_at_rest(v->u))
		return;
	procs_cgroup(v->u, path);
	if (fstatat(v->h->cgroups.dir_fd, path[0] ? path : ".", &st, 0) == 0)
		reply_value(v->reply, TAG_NUMBER, v->name, st.st_ino);
}

static void put_freezer(const struct live_view *v)
{
	bool has_group = GROUPED >> v->u->type & 1;
	uint64_t frozen = 0;

	if (has_group)
		(void)property_usage(v->h, v->u, "cgroup.freeze", NULL, &frozen);
	reply_text_z(v->reply, v->name, frozen ? "frozen" : "running");
}

/* "StateDirectorySymlink" and its like: NAME:LINK each. */
static void put_links(const struct live_view *v)
{
	static const char *const kinds[EXEC_DIRS] = {"Runtime", "State", "Cache", "Logs",
						     "Configuration"};
	const struct exec_config *e = v->u->config->exec;

	for (unsigned k = 0; e && k < EXEC_DIRS; k++)
		for (const struct name_list *l = e->directories[k].links; l; l = l->next)
			if (str_has_prefix(str_of(v->name), str_of(kinds[k])))
				reply_item(v->reply, v->name, l->text);
}

/* --- the table --- */

/* clang-format off */
static const struct {
	const char *name;
	uint32_t types;
	void (*put)(const struct live_view *v);
} rows[] = {
	{ "Unit", BIT(TIMER) | BIT(PATH), put_unit },
	{ "TimersMonotonic", BIT(TIMER), put_spans },
	{ "TimersCalendar", BIT(TIMER), put_calendars },
	{ "NextElapseUSecRealtime", BIT(TIMER), put_next_wall },
	{ "NextElapseUSecMonotonic", BIT(TIMER), put_next_mono },
	{ "LastTriggerUSec", BIT(TIMER), put_last_wall },
	{ "LastTriggerUSecMonotonic", BIT(TIMER), put_last_mono },
	{ "Paths", BIT(PATH), put_paths },
	{ "What", BIT(MOUNT), put_what },
	{ "Type", BIT(MOUNT), put_type },
	{ "Options", BIT(MOUNT), put_options },
	{ "Priority", BIT(SWAP), put_priority },
	{ "MemoryCurrent", GROUPED, put_memory },
	{ "TasksCurrent", GROUPED, put_tasks },
	{ "CPUUsageNSec", GROUPED, put_cpu },
	{ "IPIngressBytes", GROUPED, put_traffic },
	{ "IPIngressPackets", GROUPED, put_traffic },
	{ "IPEgressBytes", GROUPED, put_traffic },
	{ "IPEgressPackets", GROUPED, put_traffic },
	{ "ControlGroupId", GROUPED, put_cgroup_id },
	{ "ConditionTimestamp", EVERY, put_checked },
	{ "ConditionTimestampMonotonic", EVERY, put_checked },
	{ "AssertTimestamp", EVERY, put_asserted },
	{ "AssertTimestampMonotonic", EVERY, put_asserted },
	{ "FreezerState", EVERY, put_freezer },
	{ "RuntimeDirectorySymlink", EXECS, put_links },
	{ "StateDirectorySymlink", EXECS, put_links },
	{ "CacheDirectorySymlink", EXECS, put_links },
	{ "LogsDirectorySymlink", EXECS, put_links },
};
/* clang-format on */

void property_live(struct reply *r, struct hark *h, struct unit *u, const char *only)
{
	struct live_view v = {.reply = r, .h = h, .u = u};
	bool is_readable = u->config && ((u->type != UNIT_TIMER || u->config->own->timer) &&
					 (u->type != UNIT_PATH || u->config->own->path) &&
					 (u->type != UNIT_MOUNT || u->config->own->mount) &&
					 (u->type != UNIT_SWAP || u->config->own->swap));

	for (unsigned i = 0; is_readable && i < ARRAY_SIZE(rows); i++) {
		v.name = rows[i].name;
		if ((rows[i].types & (1u << u->type)) && property_is_wanted(only, v.name))
			rows[i].put(&v);
	}
}

const char *property_live_name(unsigned at)
{
	return at < ARRAY_SIZE(rows) ? rows[at].name : NULL;
}
