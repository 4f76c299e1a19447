/* SPDX-License-Identifier: MIT */
#include "core/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/device_gate.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/net_gate.h"
#include "core/reach.h"
#include "units/cgroup_config.h"
#include "units/service.h"

enum {
	VALUE_ROOM = 4096,      /* a page, which is what the kernel takes */
	PERIOD_US = 100 * 1000, /* of cpu.max, where nothing else is said */
	BITS = 8,
	OOM_POLICY_STOP = 2, /* service_config.oom_policy */
};
/* Old weights of systemd.resource-control(5) and the usual value of each; the new ones are around 100. */
enum { SHARES_USUAL = 1024, BLOCK_WEIGHT_USUAL = 500, WEIGHT_USUAL = 100, WEIGHT_MOST = 10000 };

struct limiting {
	struct unit *unit;
	const struct cgroup_config *config;
	int dir; /* its cgroup */
};

/* --- which controllers are needed --- */

enum { NEED_NUMBER, NEED_LIST, NEED_FLAG };

static bool is_set(uint64_t value)
{
	return value != CGROUP_UNSET;
}

/* How to read: a member that is not as the kind says when nothing was set needs that controller. */
static const struct need {
	uint16_t offset; /* in struct cgroup_config */
	uint8_t kind, controller;
} needs[] = {
#define NUMBER(member, c) {offsetof(struct cgroup_config, member), NEED_NUMBER, CONTROLLER_##c},
#define LIST(member, c) {offsetof(struct cgroup_config, member), NEED_LIST, CONTROLLER_##c},
#define FLAG(member, c) {offsetof(struct cgroup_config, member), NEED_FLAG, CONTROLLER_##c},
	/* clang-format off */
	FLAG(cpu_accounting, cpu) NUMBER(cpu_weight, cpu) NUMBER(cpu_shares, cpu) NUMBER(cpu_quota_us, cpu)
	LIST(cpus.mask, cpuset) LIST(nodes.mask, cpuset)
	FLAG(io_accounting, io) FLAG(block_accounting, io) NUMBER(io_weight, io) NUMBER(block_weight, io)
	LIST(io_weights, io) LIST(io_latencies, io) LIST(io_read_max, io) LIST(io_write_max, io) LIST(io_read_ops, io)
	LIST(io_write_ops, io) LIST(block_weights, io) LIST(block_read, io) LIST(block_write, io)
	FLAG(memory_accounting, memory) NUMBER(memory_high, memory) NUMBER(memory_max, memory)
	NUMBER(memory_swap_max, memory) NUMBER(memory_limit, memory)
	FLAG(tasks_accounting, pids) NUMBER(tasks_max, pids)
	/* clang-format on */
};

static bool is_needed(const struct need *n, const struct cgroup_config *g)
{
	const void *member = (const char *)g + n->offset;

	return n->kind == NEED_NUMBER ? is_set(*(const uint64_t *)member)
	       : n->kind == NEED_LIST ? *(void *const *)member != NULL
				      : *(const bool *)member;
}

static uint8_t needs_of(const struct cgroup_config *g)
{
	uint8_t set = g->delegate ? g->delegated : 0;

	for (unsigned k = 0; k < ARRAY_SIZE(needs); k++)
		set |= (uint8_t)(is_needed(&needs[k], g) << needs[k].controller);
	if (g->memory_min || g->memory_low)
		set |= 1 << CONTROLLER_memory;
	return set;
}

/* Turn them on for what lies in a cgroup; those that are there already cost nothing. */
static void turn_on(int dir, const char *path, uint8_t wanted)
{
	char file[CGROUP_PATH], word[16];

	snprintf(file, sizeof(file), "%s%scgroup.subtree_control", path, *path ? "/" : "");
	for (unsigned k = 0; k < CGROUP_CONTROLLERS; k++) {
		snprintf(word, sizeof(word), "+%s", cgroup_controller_names[k]);
		/* One at a time: of several none is turned on when one cannot be. */
		if (wanted >> k & 1 && fd_write_small(dir, file, word) < 0)
			log_debug("limits", "%s: no %s", file, word);
	}
}

/* --- values --- */

/* What is said of a controller that is not there: once for each unit, and in its status. */
static const char *const lacks[CGROUP_CONTROLLERS] = {
	[CONTROLLER_cpu] =
		"limits of processor time are not enforced: this system gives no cgroup controller \"cpu\"",
	[CONTROLLER_cpuset] =
		"AllowedCPUs= is not enforced: this system gives no cgroup controller \"cpuset\"",
	[CONTROLLER_io] =
		"limits of I/O are not enforced: this system gives no cgroup controller \"io\"",
	[CONTROLLER_memory] =
		"limits of memory are not enforced: this system gives no cgroup controller \"memory\"",
	[CONTROLLER_pids] =
		"TasksMax= is not enforced: this system gives no cgroup controller \"pids\"",
};

/* Accounting alone limits nothing: without it there are figures less. */
static void put(struct limiting *l, enum cgroup_controller controller, const char *file,
		const char *value)
{
	int r = fd_write_small(l->dir, file, value);
	struct unit *u = l->unit;

	if (r == 0)
		return;
	if (r == -ENOENT) {
		if (u->status_note != lacks[controller])
			log_at(LOG_WARN, "%s: %s", u->name, lacks[controller]);
		u->status_note = lacks[controller];
		return;
	}
	log_at(LOG_WARN, "%s: %s of its cgroup cannot be set to %s: %s; it runs without that",
	       u->name, file, value, strerror(-r));
	u->status_note = "a limit of its cgroup could not be set, see the log";
}

static void put_number(struct limiting *l, enum cgroup_controller controller, const char *file,
		       uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	put(l, controller, file, is_set(value) ? text : "max");
}

/* A weight of the old scale on the new one. */
static uint64_t rescaled(uint64_t value, uint64_t usual)
{
	uint64_t weight = value * WEIGHT_USUAL / usual;

	return weight < 1 ? 1 : weight > WEIGHT_MOST ? WEIGHT_MOST : weight;
}

static void put_cpu(struct limiting *l)
{
	const struct cgroup_config *g = l->config;
	uint64_t weight = is_set(g->cpu_weight)   ? g->cpu_weight
			  : is_set(g->cpu_shares) ? rescaled(g->cpu_shares, SHARES_USUAL)
						  : CGROUP_UNSET;
	uint64_t period = g->cpu_period_us == TIME_NEVER ? PERIOD_US : g->cpu_period_us;
	char text[64];

	if (is_set(weight) && weight)
		put_number(l, CONTROLLER_cpu, "cpu.weight", weight);
	else if (is_set(weight))
		put(l, CONTROLLER_cpu, "cpu.idle", "1");
	if (g->cpu_quota_us == TIME_NEVER)
		return;
	/* The quota is of a second, the kernel's of the period. */
	snprintf(text, sizeof(text), "%llu %llu",
		 (unsigned long long)(g->cpu_quota_us * period / US_PER_SEC),
		 (unsigned long long)period);
	put(l, CONTROLLER_cpu, "cpu.max", text);
}

static void put_set(struct limiting *l, const char *file, const struct number_set *set)
{
	struct sbuf text = {0};

	for (uint32_t k = 0; k < set->n * BITS; k++)
		if ((unsigned char)set->mask[k / BITS] >> k % BITS & 1)
			sbuf_addf(&text, "%s%u", text.n ? "," : "", k);
	if (text.p)
		put(l, CONTROLLER_cpuset, file, text.p);
	sbuf_fini(&text);
}

static void put_memory(struct limiting *l)
{
	const struct cgroup_config *g = l->config;
	uint64_t max = is_set(g->memory_max) ? g->memory_max : g->memory_limit;

	if (g->memory_min)
		put_number(l, CONTROLLER_memory, "memory.min", g->memory_min);
	if (g->memory_low)
		put_number(l, CONTROLLER_memory, "memory.low", g->memory_low);
	if (is_set(g->memory_high))
		put_number(l, CONTROLLER_memory, "memory.high", g->memory_high);
	if (is_set(max))
		put_number(l, CONTROLLER_memory, "memory.max", max);
	if (is_set(g->memory_swap_max))
		put_number(l, CONTROLLER_memory, "memory.swap.max", g->memory_swap_max);
}

/* --- I/O, by device --- */

/* The whole disk that a device or a file lies on has the limits; a partition has none of its own. "8:0", false: there is none */
static bool find_disk(const char *path, char *out, size_t cap)
{
	char sys[64], text[32];
	struct stat st;
	dev_t dev;
	ssize_t n;

	if (reach(AT_FDCWD, path) < 0 || stat(path, &st) < 0)
		return false;
	dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
	if (fd_read_small(AT_FDCWD, sys, text, sizeof(text)) < 0)
		return snprintf(out, cap, "%u:%u", major(dev), minor(dev)) > 0;
	snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
	n = fd_read_small(AT_FDCWD, sys, text, sizeof(text));
	if (n <= 0)
		return false;
	snprintf(out, cap, "%.*s", (int)strcspn(text, "\n"), text);
	return true;
}

/* "/dev/sda 100": each as "8:0 KEY100" into the file. */
static void put_devices(struct limiting *l, const struct name_list *list, const char *file,
			const char *key)
{
	char path[CGROUP_PATH], disk[32], value[128];

	for (; list; list = list->next) {
		struct str device, rest = str_of(list->text);

		if (!str_cut(&rest, ' ', &device) ||
		    snprintf(path, sizeof(path), STR_FMT, STR_ARG(device)) >= (int)sizeof(path))
			continue;
		if (find_disk(path, disk, sizeof(disk))) {
			snprintf(value, sizeof(value), "%s %s" STR_FMT, disk, key, STR_ARG(rest));
			put(l, CONTROLLER_io, file, value);
			continue;
		}
		log_at(LOG_WARN, "%s: there is no disk %s to limit", l->unit->name, path);
		l->unit->status_note = "a disk that is to be limited is not there, see the log";
	}
}

static void put_io(struct limiting *l)
{
	const struct cgroup_config *g = l->config;
	const struct {
		const struct name_list *list;
		const char *file, *key;
	} lists[] = {
		{g->io_weights ? g->io_weights : g->block_weights, "io.weight", ""},
		{g->io_latencies, "io.latency", "target="},
		{g->io_read_max ? g->io_read_max : g->block_read, "io.max", "rbps="},
		{g->io_write_max ? g->io_write_max : g->block_write, "io.max", "wbps="},
		{g->io_read_ops, "io.max", "riops="},
		{g->io_write_ops, "io.max", "wiops="},
	};
	uint64_t weight = is_set(g->io_weight)      ? g->io_weight
			  : is_set(g->block_weight) ? rescaled(g->block_weight, BLOCK_WEIGHT_USUAL)
						    : CGROUP_UNSET;
	char text[32];

	snprintf(text, sizeof(text), "default %llu", (unsigned long long)weight);
	if (is_set(weight))
		put(l, CONTROLLER_io, "io.weight", text);
	for (unsigned k = 0; k < ARRAY_SIZE(lists); k++)
		put_devices(l, lists[k].list, lists[k].file, lists[k].key);
}

/* --- one cgroup --- */

/* Said once for each unit, and in its status. */
static void note_gate(struct unit *u, const char *lack, const char *settings, int err)
{
	if (u->status_note != lack)
		log_at(LOG_WARN, "%s: %s not enforced: %s", u->name, settings, strerror(err));
	u->status_note = lack;
}

static void close_devices(struct unit *u, const struct cgroup_config *g, int dir)
{
	int r = device_gate_is_wanted(g) ? device_gate_set(g, dir) : 0;

	if (r < 0)
		note_gate(u,
			  "its devices are not restricted: this system has no programs for cgroups",
			  "DeviceAllow= and DevicePolicy= are", -r);
}

/* The counters of a run begin with it. */
static uint32_t salt_of(const struct unit *u)
{
	uint32_t salt;

	memcpy(&salt, u->invocation, sizeof(salt));
	return salt;
}

static void close_network(struct unit *u, struct net_rules *rules, int dir)
{
	int r = net_gate_set(rules, dir, u->type == UNIT_SLICE, salt_of(u));

	if (r < 0)
		note_gate(u,
			  "its network is not restricted: this system has no programs for cgroups",
			  "IPAddressDeny= and its like are", -r);
	else if (rules->missing)
		log_at(LOG_WARN, "%s: there is no network interface %s now; nothing is said of it",
		       u->name, rules->missing);
}

static void write_all(struct unit *u, int dir)
{
	struct limiting l = {.unit = u, .config = cgroup_config_of(u->config), .dir = dir};
	const struct service_config *s = u->config->service;

	put_cpu(&l);
	put_set(&l, "cpuset.cpus", &l.config->cpus);
	put_set(&l, "cpuset.mems", &l.config->nodes);
	put_memory(&l);
	if (is_set(l.config->tasks_max))
		put_number(&l, CONTROLLER_pids, "pids.max", l.config->tasks_max);
	put_io(&l);
	close_devices(u, l.config, dir);
	/* Of a service that is to end all processes end at once, before another of them is taken. */
	if (s && s->oom_policy >= OOM_POLICY_STOP && l.config->memory_accounting)
		put(&l, CONTROLLER_memory, "memory.oom.group", "1");
}

/* The slice whose cgroup is the first n bytes of the path, which are put into part; NULL where nobody has said anything of it. */
static struct unit *slice_at(const struct hark *h, const char *path, size_t n,
			     char part[CGROUP_PATH])
{
	const char *name;
	struct unit *slice;

	str_append(part, CGROUP_PATH, 0, (struct str){path, n});
	name = strrchr(part, '/') ? strrchr(part, '/') + 1 : part;
	slice = registry_find(&h->reg, name);
	return slice && slice->config && slice->config->own->cgroup ? slice : NULL;
}

static void write_slice(struct hark *h, struct unit *slice, const char *path)
{
	int dir = fd_open(h->cgroups.dir_fd, path, O_RDONLY | O_DIRECTORY, 0);

	if (dir >= 0)
		write_all(slice, dir);
	if (dir >= 0 && slice->config->own->cgroup->ip_accounting)
		close_network(slice,
			      &(struct net_rules){.levels = {slice->config->own->cgroup}, .n = 1},
			      dir);
	fd_close(dir);
}

/* What is said of the network by the unit and by the slices it lies in. */
static struct net_rules gather(const struct hark *h, const struct unit *u, const char *path)
{
	struct net_rules rules = {.levels = {cgroup_config_of(u->config)}, .n = 1};
	bool is_wanted = net_gate_is_wanted(rules.levels[0]);
	char part[CGROUP_PATH];

	for (size_t k = 0; path[k]; k++) {
		struct unit *slice = path[k] == '/' ? slice_at(h, path, k, part) : NULL;

		if (!slice || !net_gate_is_wanted(slice->config->own->cgroup) ||
		    rules.n == NET_GATE_LEVELS)
			continue;
		rules.levels[rules.n++] = slice->config->own->cgroup;
		is_wanted = true;
	}
	rules.n = is_wanted ? rules.n : 0;
	return rules;
}

/* Programs of the last run that nothing asks for any more. */
static void drop_gates(struct hark *h, const struct cgroup_config *g, const struct net_rules *rules,
		       int dir)
{
	if (!h->has_gates)
		return;
	if (!g || !device_gate_is_wanted(g))
		device_gate_drop(dir);
	if (!rules->n)
		net_gate_drop(dir);
}

/* The slices on the way get what is said of them, and the controllers that are wanted below. */
static void apply_above(struct hark *h, const char *path, uint8_t wanted)
{
	char part[CGROUP_PATH];

	turn_on(h->cgroups.dir_fd, "", wanted);
	for (size_t k = 0; path[k]; k++) {
		struct unit *slice;

		if (path[k] != '/')
			continue;
		slice = slice_at(h, path, k, part);
		turn_on(h->cgroups.dir_fd, part, wanted);
		if (slice)
			write_slice(h, slice, part);
	}
}

bool limits_apply(struct hark *h, struct unit *u, const char *path, int dir)
{
	const struct cgroup_config *g = u->config->own->cgroup;
	struct net_rules rules = gather(h, u, path);
	bool has_gate = rules.n || (g && device_gate_is_wanted(g));
	uint8_t wanted = g ? needs_of(g) : 0;
	char part[CGROUP_PATH];
	struct unit *slice;

	for (size_t k = 0; path[k]; k++)
		if (path[k] == '/' && (slice = slice_at(h, path, k, part)))
			wanted |= needs_of(slice->config->own->cgroup);
	drop_gates(h, g, &rules, dir);
	if (!wanted && !has_gate)
		return false;
	h->has_gates |= has_gate;
	apply_above(h, path, wanted);
	if (g)
		write_all(u, dir);
	if (rules.n)
		close_network(u, &rules, dir);
	return wanted >> CONTROLLER_memory & 1;
}
