/* SPDX-License-Identifier: MIT */
#include "core/describe_view.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include "core/plan.h"
#include "core/view.h"
#include "units/exec_config.h"
#include "units/sandbox.h"

#define DECIDED UINT64_MAX /* nothing is taken from what is around */

enum { UNIT_NAME_PART = 128, OPTIONS_ROOM = 512, PATH_ROOM = 512 };

/* --- settings that mean fixed places --- */

enum setting {
	SYSTEM_FROM_YES,
	SYSTEM_FROM_FULL,
	SYSTEM_AS_STRICT,
	HOMES_HIDDEN,
	HOMES_READ_ONLY,
	HOMES_EMPTY,
	TUNABLES,
	MODULES,
	LOGS,
	CGROUPS,
	DEVICES,
	API_FILES
};

/*
 * How to read: with that setting the place is shown in that way, with these attributes. Missing places are left out.
 * systemd.exec(5), "Sandboxing"
 */
static const struct fixed {
	uint8_t setting; /* enum setting */
	uint8_t kind;    /* enum view_kind */
	uint8_t set;     /* MOUNT_ATTR_* */
	const char *place, *source;
} fixed[] = {
#define READ_ONLY(setting, place) {setting, VIEW_SAME, MOUNT_ATTR_RDONLY, place, ""},
#define AS_IT_IS(setting, place) {setting, VIEW_SAME, 0, place, ""},
#define HIDDEN(setting, place) {setting, VIEW_HIDDEN, MOUNT_ATTR_RDONLY, place, ""},
#define EMPTY(setting, place) \
	{setting, VIEW_TMPFS, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, place, "mode=0755"},
#define KEPT(setting, place) {setting, VIEW_KEEP, 0, place, ""},
	/* clang-format off */
	READ_ONLY(SYSTEM_FROM_YES, "/usr") READ_ONLY(SYSTEM_FROM_YES, "/boot") READ_ONLY(SYSTEM_FROM_YES, "/efi")
	/* where they are no links into /usr */
	READ_ONLY(SYSTEM_FROM_YES, "/bin") READ_ONLY(SYSTEM_FROM_YES, "/sbin") READ_ONLY(SYSTEM_FROM_YES, "/lib")
	READ_ONLY(SYSTEM_FROM_YES, "/lib64")
	READ_ONLY(SYSTEM_FROM_FULL, "/etc")
	READ_ONLY(SYSTEM_AS_STRICT, "/")
	AS_IT_IS(SYSTEM_AS_STRICT, "/dev") AS_IT_IS(SYSTEM_AS_STRICT, "/proc") AS_IT_IS(SYSTEM_AS_STRICT, "/sys")
	AS_IT_IS(SYSTEM_AS_STRICT, "/home") AS_IT_IS(SYSTEM_AS_STRICT, "/root") AS_IT_IS(SYSTEM_AS_STRICT, "/run/user")
	HIDDEN(HOMES_HIDDEN, "/home") HIDDEN(HOMES_HIDDEN, "/root") HIDDEN(HOMES_HIDDEN, "/run/user")
	READ_ONLY(HOMES_READ_ONLY, "/home") READ_ONLY(HOMES_READ_ONLY, "/root") READ_ONLY(HOMES_READ_ONLY, "/run/user")
	EMPTY(HOMES_EMPTY, "/home") EMPTY(HOMES_EMPTY, "/root") EMPTY(HOMES_EMPTY, "/run/user")
	READ_ONLY(TUNABLES, "/proc/acpi") READ_ONLY(TUNABLES, "/proc/apm") READ_ONLY(TUNABLES, "/proc/asound")
	READ_ONLY(TUNABLES, "/proc/bus") READ_ONLY(TUNABLES, "/proc/fs") READ_ONLY(TUNABLES, "/proc/irq")
	READ_ONLY(TUNABLES, "/proc/latency_stats") READ_ONLY(TUNABLES, "/proc/mtrr") READ_ONLY(TUNABLES, "/proc/scsi")
	READ_ONLY(TUNABLES, "/proc/sys") READ_ONLY(TUNABLES, "/proc/sysrq-trigger")
	HIDDEN(TUNABLES, "/proc/kallsyms") HIDDEN(TUNABLES, "/proc/kcore")
	READ_ONLY(TUNABLES, "/sys") AS_IT_IS(TUNABLES, "/sys/fs/cgroup") AS_IT_IS(TUNABLES, "/sys/fs/selinux")
	HIDDEN(MODULES, "/usr/lib/modules") HIDDEN(MODULES, "/lib/modules")
	HIDDEN(LOGS, "/dev/kmsg") HIDDEN(LOGS, "/proc/kmsg")
	READ_ONLY(CGROUPS, "/sys/fs/cgroup")
	{DEVICES, VIEW_TMPFS, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "/dev", "mode=0755"},
	KEPT(DEVICES, "/dev/null") KEPT(DEVICES, "/dev/zero") KEPT(DEVICES, "/dev/full") KEPT(DEVICES, "/dev/random")
	KEPT(DEVICES, "/dev/urandom") KEPT(DEVICES, "/dev/tty") KEPT(DEVICES, "/dev/ptmx") KEPT(DEVICES, "/dev/pts")
	KEPT(DEVICES, "/dev/shm") KEPT(DEVICES, "/dev/mqueue") KEPT(DEVICES, "/dev/hugepages") KEPT(DEVICES, "/dev/log")
	KEPT(DEVICES, "/dev/fd") KEPT(DEVICES, "/dev/stdin") KEPT(DEVICES, "/dev/stdout") KEPT(DEVICES, "/dev/stderr")
	{API_FILES, VIEW_BIND, 0, "/proc", "/proc"}, {API_FILES, VIEW_BIND, 0, "/sys", "/sys"},
	{API_FILES, VIEW_BIND, 0, "/dev", "/dev"},
	{API_FILES, VIEW_TMPFS, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, "/run", "mode=0755"},
	/* clang-format on */
};

static uint32_t settings_of(const struct unit_config *c, bool has_root)
{
	const struct sandbox *s = sandbox_of(c);
	/* In the order of enum setting. */
	const bool is_on[] = {
		s->protect_system == SYSTEM_YES || s->protect_system == SYSTEM_FULL,
		s->protect_system == SYSTEM_FULL,
		s->protect_system == SYSTEM_STRICT,
		s->protect_home == HOME_YES,
		s->protect_home == HOME_READ_ONLY,
		s->protect_home == HOME_TMPFS,
		s->protect_tunables,
		s->protect_modules,
		s->protect_logs,
		s->protect_cgroups,
		s->private_devices,
		has_root && s->mount_api,
	};
	uint32_t on = 0;

	for (unsigned k = 0; k < ARRAY_SIZE(is_on); k++)
		on |= (uint32_t)is_on[k] << k;
	return on;
}

/* --- writing views --- */

struct views {
	struct wbuf *plan;
	const char *root; /* "" or what the process will see as "/" */
	unsigned n;
};

struct view_row {
	enum view_kind kind;
	uint64_t set, decided, flags;
	const char *place, *source;
};

static void put(struct views *v, const struct view_row *row)
{
	const uint64_t words[] = {row->kind, row->set, row->decided, row->flags};
	const char *root = row->flags & VIEW_IN_ROOT ? v->root : "";
	struct sbuf text = {0};

	/* "/" below a root is that root */
	sbuf_addf(&text, "%s%s", root, *root && row->place[1] == '\0' ? "" : row->place);
	sbuf_add(&text, (struct str){"", 1});
	sbuf_add_z(&text, row->source);
	if (text.p)
		plan_put(v->plan, PLAN_VIEW, words, ARRAY_SIZE(words),
			 (struct str){text.p, text.n});
	v->plan->bad |= !text.p;
	sbuf_fini(&text);
	v->n++;
}

static void put_fixed(struct views *v, uint32_t on)
{
	for (unsigned k = 0; k < ARRAY_SIZE(fixed); k++) {
		const struct fixed *f = &fixed[k];
		bool is_same = f->kind == VIEW_SAME;

		if (on >> f->setting & 1)
			put(v, &(struct view_row){
				       f->kind, f->set, is_same ? MOUNT_ATTR_RDONLY : DECIDED,
				       VIEW_OPTIONAL | VIEW_IN_ROOT, f->place, f->source});
	}
}

/* "-+/path": a dash where it may be missing, a plus where it lies below RootDirectory=. */
static void put_paths(struct views *v, const struct name_list *list, enum view_kind kind,
		      uint64_t set, uint64_t decided)
{
	for (; list; list = list->next) {
		const char *path = list->text;
		struct view_row row = {.kind = kind, .set = set, .decided = decided, .source = ""};

		for (; *path == '-' || *path == '+'; path++)
			row.flags |= *path == '-' ? VIEW_OPTIONAL : VIEW_IN_ROOT;
		row.place = path;
		put(v, &row);
	}
}

/* "-/from:/to:rbind" */
static void put_binds(struct views *v, const struct name_list *list, uint64_t set)
{
	for (; list; list = list->next) {
		bool is_optional = list->text[0] == '-';
		struct str rest = str_of(list->text + is_optional), from, to;
		struct sbuf texts = {0};

		if (!str_cut(&rest, ':', &from) || !str_cut(&rest, ':', &to))
			continue;
		sbuf_add(&texts, from);
		sbuf_add(&texts, (struct str){"", 1});
		sbuf_add(&texts, to);
		if (texts.p)
			put(v, &(struct view_row){str_eq(rest, STR("norbind")) ? VIEW_BIND_ONE
									       : VIEW_BIND,
						  set, DECIDED,
						  (is_optional ? VIEW_OPTIONAL : 0) | VIEW_IN_ROOT,
						  texts.p + from.n + 1, texts.p});
		v->plan->bad |= !texts.p;
		sbuf_fini(&texts);
	}
}

/* Options of a mount that are attributes; all others are the file system's. */
static const struct mount_word {
	struct str word;
	uint64_t set, clear;
} mount_words[] = {
	{STR("ro"), MOUNT_ATTR_RDONLY, 0},     {STR("rw"), 0, MOUNT_ATTR_RDONLY},
	{STR("nosuid"), MOUNT_ATTR_NOSUID, 0}, {STR("suid"), 0, MOUNT_ATTR_NOSUID},
	{STR("nodev"), MOUNT_ATTR_NODEV, 0},   {STR("dev"), 0, MOUNT_ATTR_NODEV},
	{STR("noexec"), MOUNT_ATTR_NOEXEC, 0}, {STR("exec"), 0, MOUNT_ATTR_NOEXEC},
};

static bool take_mount_word(struct str word, uint64_t *set)
{
	for (unsigned k = 0; k < ARRAY_SIZE(mount_words); k++)
		if (str_eq(word, mount_words[k].word)) {
			*set = (*set & ~mount_words[k].clear) | mount_words[k].set;
			return true;
		}
	return false;
}

/* "/path:ro,mode=0700" */
static void put_tmpfs(struct views *v, const struct name_list *list)
{
	for (; list; list = list->next) {
		uint64_t set = MOUNT_ATTR_NODEV;
		struct str rest = str_of(list->text), path, word;
		char options[OPTIONS_ROOM] = "mode=0755,size=10%,nr_inodes=400k";
		struct sbuf place = {0};

		(void)str_cut(&rest, ':', &path);
		while (str_cut(&rest, ',', &word)) {
			size_t n = strlen(options);

			if (word.n && !take_mount_word(word, &set))
				snprintf(options + n, sizeof(options) - n, "," STR_FMT,
					 STR_ARG(word));
		}
		sbuf_add(&place, path);
		if (place.p)
			put(v, &(struct view_row){VIEW_TMPFS, set, DECIDED, VIEW_IN_ROOT, place.p,
						  options});
		v->plan->bad |= !place.p;
		sbuf_fini(&place);
	}
}

/* --- settings that need more than a row --- */

static void put_proc(struct views *v, const struct sandbox *s)
{
	static const char *const modes[] = {"", "noaccess", "invisible", "ptraceable"};
	char options[64] = "";

	if (!s->protect_proc && !s->proc_subset)
		return;
	snprintf(options, sizeof(options), "%s%s%s", s->protect_proc ? "hidepid=" : "",
		 modes[s->protect_proc % ARRAY_SIZE(modes)], s->proc_subset ? ",subset=pid" : "");
	put(v,
	    &(struct view_row){VIEW_PROC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
			       DECIDED, VIEW_OPTIONAL | VIEW_IN_ROOT, "/proc", options});
}

/* Behind the door that only root can pass nothing is seen but what is the service's own. */
static void open_private(struct views *v, const char *root)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/private", root);
	put(v, &(struct view_row){VIEW_TMPFS,
				  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					  MOUNT_ATTR_NOEXEC,
				  DECIDED, 0, path, "mode=0755"});
}

/* What was made for the service can be written whatever is read-only around it. */
static void put_own_directories(struct views *v, const struct unit_config *c)
{
	char path[PATH_ROOM];

	for (unsigned kind = 0; kind < EXEC_DIRS; kind++) {
		const struct name_list *l = c->exec->directories[kind].names;
		bool is_private = sandbox_is_private_dir(c, kind);

		if (kind == DIR_CONFIGURATION)
			continue;
		if (l && is_private)
			open_private(v, exec_dir_roots[kind]);
		for (; l; l = l->next) {
			int n = snprintf(path, sizeof(path), "%s/%s%s", exec_dir_roots[kind],
					 is_private ? "private/" : "", l->text);

			if (n > 0 && (size_t)n < sizeof(path))
				put(v, &(struct view_row){is_private ? VIEW_BIND : VIEW_SAME, 0,
							  is_private ? DECIDED : MOUNT_ATTR_RDONLY,
							  VIEW_OPTIONAL, path,
							  is_private ? path : ""});
		}
	}
}

/* Nothing that a wall hides, and nothing to be changed. */
static void put_credentials(struct views *v, const struct unit *u)
{
	const struct sandbox *s = sandbox_of(u->config);
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/run/credentials/%s", u->name);
	if (s->credentials || s->set_credentials)
		put(v, &(struct view_row){VIEW_BIND,
					  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						  MOUNT_ATTR_NOEXEC,
					  DECIDED, VIEW_IN_ROOT, path, path});
}

void describe_private_tmp(const struct hark *h, const struct unit *u, char *out, size_t cap)
{
	const uint8_t *id = u->invocation;

	out[0] = '\0';
	if (u->config && u->config->exec && u->config->exec->private_tmp)
		snprintf(out, cap, "systemd-private-%s-%.*s-%02x%02x%02x%02x%02x%02x",
			 h->load.host.boot_id, UNIT_NAME_PART, u->name, id[0], id[1], id[2], id[3],
			 id[4], id[5]);
}

static void put_private_tmp(struct views *v, const char *name)
{
	static const char *const places[] = {"/tmp", "/var/tmp"};
	char source[512];

	plan_put_str(v->plan, PLAN_PRIVATE_TMP, str_of(name));
	for (unsigned k = 0; k < ARRAY_SIZE(places); k++) {
		snprintf(source, sizeof(source), "%s/%s/tmp", places[k], name);
		put(v, &(struct view_row){VIEW_BIND, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, DECIDED,
					  VIEW_IN_ROOT, places[k], source});
	}
}

/* MountFlags=: what becomes of mounts that are made inside; the usual is what nested managers need. */
static uint64_t propagation(const struct sandbox *s)
{
	static const unsigned long flags[] = {MS_SHARED, MS_SHARED, MS_SLAVE, MS_PRIVATE};

	return flags[s->mount_flags % ARRAY_SIZE(flags)];
}

/* Those of which nothing is seen in the file system. */
static uint64_t namespaces_of(const struct exec_config *e, const struct sandbox *s)
{
	return (e->private_network && !s->network_namespace ? CLONE_NEWNET : 0) |
	       (s->private_ipc && !s->ipc_namespace ? CLONE_NEWIPC : 0) |
	       (s->protect_hostname ? CLONE_NEWUTS : 0);
}

/* Those that stand in the file system: a path goes before a namespace of one's own. */
static void put_joined(struct wbuf *plan, const char *path, uint64_t kind)
{
	if (path)
		plan_put(plan, PLAN_JOIN, &kind, 1, str_of(path));
}

void describe_view(const struct hark *h, const struct unit *u, const char *root, struct wbuf *plan)
{
	const struct unit_config *c = u->config;
	const struct sandbox *s = sandbox_of(c);
	uint64_t ro = MOUNT_ATTR_RDONLY, nx = MOUNT_ATTR_NOEXEC;
	struct views v = {.plan = plan, .root = root ? root : ""};
	char tmp[256];

	put_joined(plan, s->network_namespace, CLONE_NEWNET);
	put_joined(plan, s->ipc_namespace, CLONE_NEWIPC);
	if (namespaces_of(c->exec, s))
		plan_put_u64(plan, PLAN_UNSHARE, namespaces_of(c->exec, s));
	if (h->is_user)
		return; /* without privilege nothing can be mounted */
	put_fixed(&v, settings_of(c, root != NULL));
	put_proc(&v, s);
	put_paths(&v, s->read_only_paths, VIEW_SAME, ro, ro);
	put_paths(&v, s->read_write_paths, VIEW_SAME, 0, ro);
	put_paths(&v, s->no_exec_paths, VIEW_SAME, nx, nx);
	put_paths(&v, s->exec_paths, VIEW_SAME, 0, nx);
	put_paths(&v, s->inaccessible_paths, VIEW_HIDDEN, ro, DECIDED);
	put_binds(&v, s->binds, 0);
	put_binds(&v, s->read_only_binds, ro);
	put_tmpfs(&v, s->tmpfs);
	describe_private_tmp(h, u, tmp, sizeof(tmp));
	if (tmp[0])
		put_private_tmp(&v, tmp);
	if (v.n)
		put_own_directories(&v, c);
	if (v.n)
		put_credentials(&v, u);
	if (v.n || s->private_mounts || s->mount_flags) {
		uint64_t w = propagation(s);

		plan_put(plan, PLAN_VIEWS, &w, 1, str_of(v.root));
	}
}
