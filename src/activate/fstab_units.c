/* SPDX-License-Identifier: MIT */
#include "activate/fstab_units.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "activate/fstab_options.h"
#include "units/mount.h"
#include "units/name.h"
#include "units/value.h"

/* Whatever is longer could not be the name of a unit. */
enum { PLACE_MOST = 1024 };

/* One line on its way to its units. */
struct making {
	struct fstab *f;
	const struct fstab_world *w;
	struct unit_tree *tree;
	const struct fstab_line *line;
	struct fstab_options o;
	char what[PLACE_MOST], where[PLACE_MOST];
	char name[UNIT_NAME_MAX + 1];
	bool is_root, is_swap;
};

#define TELL(m, field_name, severity, ...) \
	fstab_tell((m)->f, (m)->line, (m)->line->field[field_name], severity, __VA_ARGS__)

/* --- words of unit files --- */

static void add_setting(struct sbuf *b, const char *key, const char *value)
{
	if (!*value)
		return;
	sbuf_addf(b, "%s=", key);
	for (; *value; value++) {
		if (*value == '%') /* no specifier */
			sbuf_add_c(b, '%');
		sbuf_add_c(b, *value);
	}
	sbuf_add_c(b, '\n');
}

/* PREFIX + the path as part of a unit's name + SUFFIX; false: it is too long. */
static bool name_for(const char *prefix, const char *path, const char *suffix,
		     char out[UNIT_NAME_MAX + 1])
{
	char escaped[UNIT_NAME_MAX + 1];
	int n = name_escape(str_of(path), true, escaped, sizeof(escaped));

	if (n >= 0)
		n = snprintf(out, UNIT_NAME_MAX + 1, "%s%s%s", prefix, escaped, suffix);
	return n >= 0 && n <= UNIT_NAME_MAX;
}

/* Where the unit's file is, as somebody else made it; false: nowhere. */
static bool find_unit(const struct fstab_world *w, const char *name, char path[PLACE_MOST])
{
	for (const char *const *dir = w->unit_dirs; *dir; dir++) {
		snprintf(path, PLACE_MOST, "%s/%s", *dir, name);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static bool program_exists(const char *name)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin",
					   "/bin"};
	char path[PLACE_MOST];

	for (size_t k = 0; k < ARRAY_SIZE(dirs); k++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[k], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* The unit file, begun; NULL: it is there already, which is told. */
static struct sbuf *begin_unit(struct making *m, const char *name)
{
	struct sbuf *b = unit_tree_file(m->tree, name);

	if (!b) {
		TELL(m, m->is_swap ? FSTAB_WHAT : FSTAB_WHERE, DIAG_ERROR,
		     "a line above has it already; this one is skipped");
		return NULL;
	}
	sbuf_addf(b, "# Made by hark from %s:%u\n[Unit]\nDocumentation=man:fstab(5)\n", m->f->path,
		  m->line->number);
	add_setting(b, "SourcePath", m->f->path);
	return b;
}

/* --- what and where --- */

/* As udev writes labels into the names of links. */
static bool encode_label(const char *label, const char *folder, char out[PLACE_MOST])
{
	size_t n = (size_t)snprintf(out, PLACE_MOST, "/dev/disk/by-%s/", folder);

	for (; *label && n < PLACE_MOST - 5; label++) {
		unsigned char c = (unsigned char)*label;
		bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
				(c >= 'a' && c <= 'z') || c >= 0x80 || strchr("#+-.:=@_", c);

		n += (size_t)snprintf(out + n, PLACE_MOST - n, is_plain ? "%c" : "\\x%02x", c);
	}
	return !*label;
}

static bool take_what(struct making *m)
{
	static const char *const tags[][2] = {{"UUID=", "uuid"},
					      {"LABEL=", "label"},
					      {"PARTUUID=", "partuuid"},
					      {"PARTLABEL=", "partlabel"}};
	struct str what = str_of(m->line->what);

	for (size_t k = 0; k < ARRAY_SIZE(tags); k++) {
		const char *label = m->line->what + strlen(tags[k][0]);
		char bare[PLACE_MOST];
		size_t n;

		if (!str_has_prefix(what, str_of(tags[k][0])))
			continue;
		n = strlen(label);
		if (n >= 2 && label[0] == '"' && label[n - 1] == '"') {
			snprintf(bare, sizeof(bare), "%.*s", (int)n - 2, label + 1);
			label = bare;
		}
		return encode_label(label, tags[k][1], m->what);
	}
	return (size_t)snprintf(m->what, sizeof(m->what), "%s", m->line->what) < sizeof(m->what);
}

/* The part of the path that is there, without links, and the rest: a mount unit has the name of the real place. False: it is not known. */
static bool real_place(const char *path, char out[PLACE_MOST])
{
	char head[PLACE_MOST], real[PATH_MAX];
	size_t n = strlen(path);

	memcpy(head, path, n + 1);
	while (!realpath(head, real)) {
		if (errno != ENOENT || n <= 1)
			return false;
		while (n > 1 && path[--n] != '/')
			continue;
		head[n] = '\0';
	}
	for (path += n; *path == '/'; path++)
		continue;
	/* What is left is not there yet. */
	n = (size_t)snprintf(out, PLACE_MOST, "%s%s%s", real, *path && real[1] ? "/" : "", path);
	return n < PLACE_MOST;
}

static bool take_where(struct making *m)
{
	char clean[PLACE_MOST];
	size_t n = 0;

	if (m->line->where[0] != '/' || strlen(m->line->where) >= PLACE_MOST) {
		TELL(m, FSTAB_WHERE, DIAG_ERROR,
		     "a mount point is an absolute path; the line is skipped");
		return false;
	}
	for (const char *p = m->line->where; *p; p++)
		if (*p != '/' || n == 0 || clean[n - 1] != '/')
			clean[n++] = *p;
	n -= n > 1 && clean[n - 1] == '/';
	clean[n] = '\0';
	if (!real_place(clean, m->where))
		memcpy(m->where, clean, n + 1);
	m->is_root = strcmp(m->where, "/") == 0;
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* --- what both mounts and swaps have --- */

static const char *value_text(const struct making *m, enum fstab_option option)
{
	const char *found = NULL;

	for (const struct fstab_value *v = m->o.values; v; v = v->next)
		if (v->option == option)
			found = v->text;
	return found;
}

/* Seconds as a unit file has them; the option was found good. */
static void add_span(struct sbuf *b, const char *key, const char *text)
{
	char span[64];
	uint64_t us = 0;

	if (!text || value_span(str_of(text), US_PER_SEC, &us) < 0)
		return;
	value_format_span(us, span, sizeof(span));
	sbuf_addf(b, "%s=%s\n", key, span);
}

/* x-systemd.requires=, before=, after=, requires-mounts-for= */
static void add_relations(struct making *m, struct sbuf *b)
{
	for (const struct fstab_value *v = m->o.values; v; v = v->next) {
		char name[UNIT_NAME_MAX + 1];

		if (v->option == FSTAB_REQUIRES_MOUNTS) {
			add_setting(b, "RequiresMountsFor", v->text);
			continue;
		}
		if (v->option != FSTAB_REQUIRES && v->option != FSTAB_AFTER &&
		    v->option != FSTAB_BEFORE)
			continue;
		if (name_from_user(v->text, name, sizeof(name)) < 0) {
			fstab_tell(m->f, m->line, v->piece, DIAG_ERROR,
				   "%s is no unit and no path; the option is ignored", v->text);
			continue;
		}
		if (v->option == FSTAB_REQUIRES)
			add_setting(b, "Requires", name);
		add_setting(b, v->option == FSTAB_BEFORE ? "Before" : "After", name);
	}
}

static void add_block_device(struct making *m, struct sbuf *b)
{
	char name[UNIT_NAME_MAX + 1];

	if (str_has_prefix(str_of(m->what), STR("/dev/")) &&
	    name_for("blockdev@", m->what, ".target", name))
		add_setting(b, "After", name);
}

/* How long the device is waited for. 0: as long as for any. */
static void limit_device(struct making *m, const char *span)
{
	char device[UNIT_NAME_MAX + 1], path[PLACE_MOST];
	struct sbuf *b;

	if (!name_for("", m->what, ".device", device))
		return;
	snprintf(path, sizeof(path), "%s.d/50-device-timeout.conf", device);
	b = unit_tree_file(m->tree, path);
	if (b)
		sbuf_addf(b, "# Made by hark from %s:%u\n[Unit]\nJobRunningTimeoutSec=%s\n",
			  m->f->path, m->line->number, span);
}

/* What the boot needs is waited for like anything else; the rest must not keep it. */
static void limit_device_by_default(struct making *m)
{
	char span[64];

	if (m->w->device_us == TIME_NEVER || m->is_root || strcmp(m->where, "/usr") == 0 ||
	    !mount_is_device(m->what))
		return;
	value_format_span(m->w->device_us, span, sizeof(span));
	limit_device(m, span);
}

static void limit_device_as_told(struct making *m)
{
	const char *text = value_text(m, FSTAB_DEVICE_TIMEOUT);

	if (text && mount_is_device(m->what))
		limit_device(m, text);
	else if (text)
		TELL(m, FSTAB_OPTIONS, DIAG_WARNING,
		     "%s is no device: there is nothing to wait for", m->what);
}

/* --- who wants it --- */

static void add_wanted(struct making *m, const char *unit, const char *target)
{
	bool may_lack = m->o.is_nofail ||
			(m->w->is_locked && !m->is_root && strcmp(m->where, "/usr") != 0);
	bool is_told = false;

	for (const struct fstab_value *v = m->o.values; v; v = v->next) {
		char name[UNIT_NAME_MAX + 1];

		if (v->option != FSTAB_WANTED_BY && v->option != FSTAB_REQUIRED_BY)
			continue;
		is_told = true;
		if (name_from_user(v->text, name, sizeof(name)) < 0)
			fstab_tell(m->f, m->line, v->piece, DIAG_ERROR,
				   "%s is no unit; the option is ignored", v->text);
		else
			unit_tree_link(m->tree, name,
				       v->option == FSTAB_WANTED_BY ? "wants" : "requires", unit,
				       NULL);
	}
	if (!is_told)
		unit_tree_link(m->tree, target, may_lack ? "wants" : "requires", unit, NULL);
}

/* --- fsck, makefs, growfs, remount --- */

static bool wants_fsck(struct making *m)
{
	char program[NAME_MAX + 1];

	if (m->line->pass <= 0)
		return false;
	if (!mount_is_device(m->what)) {
		TELL(m, FSTAB_PASS, DIAG_WARNING, "%s is no device: there is nothing to check",
		     m->what);
		return false;
	}
	snprintf(program, sizeof(program), "fsck.%s", m->line->type);
	return strcmp(m->line->type, "auto") == 0 || program_exists(program);
}

/* A unit that somebody else's package has, wanted by local-fs.target. */
static void want_local(struct making *m, const char *unit)
{
	char path[PLACE_MOST];

	if (find_unit(m->w, unit, path))
		unit_tree_link(m->tree, "local-fs.target", "wants", unit, path);
}

static void add_fsck(struct making *m, struct sbuf *b)
{
	bool is_usr = strcmp(m->where, "/usr") == 0;
	char unit[UNIT_NAME_MAX + 1], path[PLACE_MOST];

	if (!wants_fsck(m))
		return;
	if (m->is_root) {
		want_local(m, "systemd-fsck-root.service");
		return;
	}
	if (!name_for("systemd-fsck@", m->what, ".service", unit) ||
	    !find_unit(m->w, "systemd-fsck@.service", path))
		return;
	/* Without /usr there may be nothing to check it with. */
	add_setting(b, is_usr ? "Wants" : "Requires", unit);
	add_setting(b, "After", unit);
}

/* A service of the line's own; relations end in "Before=... " to which who waits for it is added. */
static void add_job(struct making *m, const char *prefix, const char *path, const char *kind,
		    const char *relations, const char *command)
{
	char unit[UNIT_NAME_MAX + 1], program[PLACE_MOST];
	struct sbuf *b;

	snprintf(program, sizeof(program), "%.*s", (int)strcspn(command, " "), command);
	if (access(program, X_OK) < 0) {
		TELL(m, FSTAB_OPTIONS, DIAG_WARNING, "%s is not installed; the option is ignored",
		     program);
		return;
	}
	if (!name_for(prefix, path, ".service", unit))
		return;
	b = unit_tree_file(m->tree, unit);
	if (!b)
		return;
	sbuf_addf(b,
		  "# Made by hark from %s:%u\n[Unit]\nDescription=%s\nDefaultDependencies=no\n"
		  "Conflicts=shutdown.target\n%s %s\n[Service]\nType=oneshot\n"
		  "RemainAfterExit=yes\nTimeoutSec=0\n",
		  m->f->path, m->line->number, command, relations,
		  strcmp(kind, "wants") == 0 ? "local-fs.target" : m->name);
	add_setting(b, "ExecStart", command);
	unit_tree_link(m->tree, m->name, kind, unit, NULL);
}

static void add_makefs(struct making *m)
{
	char command[2 * PLACE_MOST];

	if (!m->o.has[FSTAB_MAKEFS])
		return;
	if (!mount_is_device(m->what) || strcmp(m->line->type, "auto") == 0) {
		TELL(m, FSTAB_OPTIONS, DIAG_ERROR,
		     "a file system is made on a device, with a type that is named; x-systemd.makefs is ignored");
		return;
	}
	snprintf(command, sizeof(command), "/lib/systemd/systemd-makefs %s %s", m->line->type,
		 m->what);
	add_job(m, "systemd-makefs@", m->what, "requires",
		"BindsTo=%i.device\nAfter=%i.device\nBefore=shutdown.target systemd-fsck@%i.service",
		command);
}

static void add_growfs(struct making *m)
{
	char command[2 * PLACE_MOST];

	if (!m->o.has[FSTAB_GROWFS])
		return;
	snprintf(command, sizeof(command), "/lib/systemd/systemd-growfs %s", m->where);
	add_job(m, "systemd-growfs@", m->where, "wants",
		"BindsTo=%i.mount\nAfter=systemd-repart.service %i.mount\nBefore=shutdown.target",
		command);
}

/* --- mounts --- */

static void make_automount(struct making *m, const char *target)
{
	char name[UNIT_NAME_MAX + 1];
	struct sbuf *b = name_for("", m->where, ".automount", name) ? begin_unit(m, name) : NULL;

	if (!b)
		return;
	sbuf_add_z(b, "[Automount]\n");
	add_setting(b, "Where", m->where);
	add_span(b, "TimeoutIdleSec", value_text(m, FSTAB_IDLE_TIMEOUT));
	add_wanted(m, name, target);
}

/* What NFS means by bg: go on, and try for a week. nfs(5) */
static void settle_background(struct making *m)
{
	bool is_nfs = strcmp(m->line->type, "nfs") == 0 || strcmp(m->line->type, "nfs4") == 0;
	struct sbuf b = {0};
	const char *rest;

	if (!is_nfs || !m->o.is_background || m->o.has[FSTAB_AUTOMOUNT])
		return;
	sbuf_addf(&b, "x-systemd.mount-timeout=infinity,retry=10000,nofail,%s,fg", m->o.rest);
	rest = b.p ? arena_dup(&m->f->arena, b.p, b.n) : NULL;
	sbuf_fini(&b);
	if (rest)
		m->o.rest = rest;
	m->o.is_nofail = true;
}

static void settle_root(struct making *m)
{
	if (!m->is_root)
		return;
	if (m->o.is_noauto || m->o.is_nofail || m->o.has[FSTAB_AUTOMOUNT])
		TELL(m, FSTAB_OPTIONS, DIAG_WARNING,
		     "noauto, nofail and x-systemd.automount mean nothing for the root");
	m->o.is_noauto = m->o.is_nofail = m->o.has[FSTAB_AUTOMOUNT] = false;
}

static void make_mount(struct making *m)
{
	const struct mount_config config = {.type = m->line->type, .options = m->line->options};
	const char *target = mount_is_network(&config) ? "remote-fs.target" : "local-fs.target";
	const char *timeout;
	struct sbuf *b;

	settle_background(m);
	settle_root(m);
	b = begin_unit(m, m->name);
	if (!b)
		return;
	timeout = strstr(m->o.rest, "mount-timeout=infinity,retry=10000")
			  ? "infinity"
			  : value_text(m, FSTAB_MOUNT_TIMEOUT);
	add_relations(m, b);
	if (!m->o.is_nofail)
		add_setting(b, "Before", target);
	add_fsck(m, b);
	add_block_device(m, b);
	sbuf_add_z(b, "[Mount]\n");
	add_setting(b, "What", m->what);
	add_setting(b, "Where", m->where);
	add_setting(b, "Type", strcmp(m->line->type, "auto") == 0 ? "" : m->line->type);
	add_span(b, "TimeoutSec", timeout);
	add_setting(b, "Options", m->o.rest);
	if (m->o.has[FSTAB_RW_ONLY])
		sbuf_add_z(b, "ReadWriteOnly=yes\n");
	limit_device_as_told(m);
	add_makefs(m);
	add_growfs(m);
	if (m->is_root || strcmp(m->where, "/usr") == 0)
		want_local(m, "systemd-remount-fs.service");
	if (m->o.has[FSTAB_AUTOMOUNT])
		make_automount(m, target);
	else if (!m->o.is_noauto)
		add_wanted(m, m->name, target);
}

/* --- swap --- */

static void make_swap(struct making *m)
{
	struct sbuf *b = begin_unit(m, m->name);

	if (!b)
		return;
	add_relations(m, b);
	add_block_device(m, b);
	sbuf_add_z(b, "[Swap]\n");
	add_setting(b, "What", m->what);
	add_span(b, "TimeoutSec", value_text(m, FSTAB_MOUNT_TIMEOUT));
	add_setting(b, "Options", m->o.rest);
	limit_device_as_told(m);
	if (m->o.has[FSTAB_MAKEFS])
		add_makefs(m);
	if (!m->o.is_noauto)
		add_wanted(m, m->name, "swap.target");
}

/* --- lines --- */

/* Is it a line for us at all? What is not, and why, is told where its author could be surprised. */
static bool is_ours(struct making *m)
{
	if (m->is_swap && m->w->in_container)
		return false; /* the host's */
	if (!m->w->has_devices && mount_is_device(m->what))
		return false; /* nobody would ever tell of it */
	if (m->is_swap)
		return true;
	if (strcmp(m->line->type, "autofs") == 0)
		return false;
	return !mount_is_api(m->where);
}

/* All about a line but its units. False: there is nothing (more) to do. */
static bool settle(struct making *m)
{
	m->is_swap = strcmp(m->line->type, "swap") == 0;
	if (has_control(m->line->what) || has_control(m->line->where) ||
	    has_control(m->line->options)) {
		fstab_tell(
			m->f, m->line, (struct str){0}, DIAG_ERROR,
			"no unit file can say a path or an option with a line break; the line is skipped");
		return false;
	}
	if (!take_what(m) || (!m->is_swap && !take_where(m)) || !is_ours(m))
		return false;
	if (!name_for("", m->is_swap ? m->what : m->where, m->is_swap ? ".swap" : ".mount",
		      m->name)) {
		TELL(m, m->is_swap ? FSTAB_WHAT : FSTAB_WHERE, DIAG_ERROR,
		     "the path is too long to name a unit; the line is skipped");
		return false;
	}
	if (m->is_swap && m->line->what[0] != '/' && m->what[0] != '/') {
		TELL(m, FSTAB_WHAT, DIAG_ERROR,
		     "swap needs a device or a file; the line is skipped");
		return false;
	}
	return true;
}

static void each_line(struct fstab *f, const struct fstab_world *w, struct unit_tree *tree,
		      bool (*prepare)(struct making *m), void (*make)(struct making *m))
{
	for (const struct fstab_line *line = f->lines; line; line = line->next) {
		struct making m = {.f = f, .w = w, .tree = tree, .line = line};

		if (prepare(&m))
			make(&m);
	}
}

static bool prepare_units(struct making *m)
{
	if (!settle(m))
		return false;
	if (fstab_options(m->f, m->line, &m->o) == 0)
		return true;
	m->tree->is_short = true;
	return false;
}

static void make_units(struct making *m)
{
	if (m->is_swap)
		make_swap(m);
	else
		make_mount(m);
}

/* After all lines had their say: several may be about one device. Nothing is told twice. */
static bool prepare_limits(struct making *m)
{
	m->is_swap = strcmp(m->line->type, "swap") == 0;
	m->is_root = strcmp(m->line->where, "/") == 0;
	snprintf(m->where, sizeof(m->where), "%.*s", PLACE_MOST - 1, m->line->where);
	return take_what(m) && is_ours(m);
}

void fstab_units(struct fstab *f, const struct fstab_world *w, struct unit_tree *tree)
{
	each_line(f, w, tree, prepare_units, make_units);
	each_line(f, w, tree, prepare_limits, limit_device_by_default);
}
