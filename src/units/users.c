/* SPDX-License-Identifier: MIT */
#include "units/users.h"

#include "core/fd.h"
#include "units/value.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

enum { USERS_FILE_MAX = 4 * 1024 * 1024, FIELDS_MAX = 7 };

/* The whole of a file below root (NULL: /), owned by the caller. */
static int read_below(const char *root, const char *path, char **ret_text, struct str *ret)
{
	char full[PATH_MAX];
	size_t n;
	int r;

	r = snprintf(full, sizeof(full), "%s%s", root ? root : "", path);
	if (r < 0 || (size_t)r >= sizeof(full))
		return err_here(-ENAMETOOLONG);
	r = fd_read_file(AT_FDCWD, full, USERS_FILE_MAX, ret_text, &n);
	if (r == 0)
		*ret = (struct str){*ret_text, n};
	return r;
}

/* Next line with at least `want` fields between colons; false at the end. Comments and NIS lines are passed over. */
static bool next_entry(struct str *rest, size_t want, struct str fields[FIELDS_MAX])
{
	struct str line;

	while (str_cut(rest, '\n', &line)) {
		size_t n = 0;

		if (line.n == 0 || line.p[0] == '#' || line.p[0] == '+' || line.p[0] == '-')
			continue;
		while (n < FIELDS_MAX && str_cut(&line, ':', &fields[n]))
			n++;
		if (n >= want && fields[0].n > 0)
			return true;
	}
	return false;
}

bool users_read_id(struct str s, uint32_t *ret)
{
	return value_u32(s, ret) == 0 && *ret != UINT32_MAX && *ret != UINT16_MAX;
}

/* passwd(5): name, password, uid, gid, comment, home, shell. */
static int fill_user(const struct str fields[FIELDS_MAX], uint32_t uid, uint32_t gid,
		     struct arena *arena, struct user_entry *ret)
{
	const char *name = arena_dup(arena, fields[0].p, fields[0].n);
	const char *home = arena_dup(arena, fields[5].p, fields[5].n);
	const char *shell = arena_dup(arena, fields[6].p, fields[6].n);

	if (!name || !home || !shell)
		return err_here(-ENOMEM);
	*ret = (struct user_entry){
		.uid = uid, .gid = gid, .name = name, .home = home, .shell = shell};
	return 0;
}

int users_find(const char *root, const char *name, struct arena *arena, struct user_entry *ret)
{
	struct str fields[FIELDS_MAX];
	AUTO_MEM char *text = NULL;
	uint32_t number = 0;
	struct str rest;
	bool is_number;
	int r;

	is_number = users_read_id(str_of(name), &number);
	r = read_below(root, "/etc/passwd", &text, &rest);
	if (r < 0 && !(is_number && r == -ENOENT))
		return r;
	while (r == 0 && next_entry(&rest, FIELDS_MAX, fields)) {
		uint32_t uid;
		uint32_t gid;

		if (!users_read_id(fields[2], &uid) || !users_read_id(fields[3], &gid))
			continue;
		if (is_number ? uid == number : str_eq_z(fields[0], name))
			return fill_user(fields, uid, gid, arena, ret);
	}
	if (!is_number)
		return -ESRCH;
	for (size_t i = 0; i < FIELDS_MAX; i++)
		fields[i] = STR("");
	fields[0] = str_of(name);
	fields[5] = STR("/");
	return fill_user(fields, number, number, arena, ret);
}

int users_group(const char *root, const char *name, gid_t *ret_gid)
{
	struct str fields[FIELDS_MAX];
	AUTO_MEM char *text = NULL;
	struct str rest;
	uint32_t gid;
	int r;

	if (users_read_id(str_of(name), &gid)) {
		*ret_gid = gid;
		return 0;
	}
	r = read_below(root, "/etc/group", &text, &rest);
	if (r < 0)
		return r;
	while (next_entry(&rest, 3, fields)) {
		if (str_eq_z(fields[0], name) && users_read_id(fields[2], &gid)) {
			*ret_gid = gid;
			return 0;
		}
	}
	return -ESRCH;
}

int users_group_name(const char *root, gid_t gid, char *out, size_t cap)
{
	struct str fields[FIELDS_MAX];
	AUTO_MEM char *text = NULL;
	struct str rest;
	uint32_t found;
	int r;

	r = read_below(root, "/etc/group", &text, &rest);
	if (r < 0)
		return r;
	while (next_entry(&rest, 3, fields)) {
		if (!users_read_id(fields[2], &found) || found != gid)
			continue;
		if (fields[0].n >= cap)
			return err_here(-ENAMETOOLONG);
		memcpy(out, fields[0].p, fields[0].n);
		out[fields[0].n] = '\0';
		return 0;
	}
	return -ESRCH;
}

/* Is the name in "a,b,c"? */
static bool lists_name(struct str members, struct str name)
{
	struct str member;

	while (str_cut(&members, ',', &member))
		if (str_eq(str_trim(member), name))
			return true;
	return false;
}

int users_groups_of(const char *root, const char *user, gid_t *gids, int max)
{
	struct str fields[FIELDS_MAX];
	AUTO_MEM char *text = NULL;
	struct str rest;
	uint32_t gid;
	int n = 0;
	int r;

	r = read_below(root, "/etc/group", &text, &rest);
	if (r < 0)
		return r;
	while (n < max && next_entry(&rest, 4, fields))
		if (users_read_id(fields[2], &gid) && lists_name(fields[3], str_of(user)))
			gids[n++] = gid;
	return n;
}

const char *users_suggest(const char *root, const char *name, struct arena *arena)
{
	enum { DISTANCE_MAX = 2 };
	struct str fields[FIELDS_MAX];
	struct str best = {NULL, 0};
	unsigned best_distance = DISTANCE_MAX + 1;
	AUTO_MEM char *text = NULL;
	struct str rest;

	if (read_below(root, "/etc/passwd", &text, &rest) < 0)
		return NULL;
	while (next_entry(&rest, FIELDS_MAX, fields)) {
		unsigned distance = str_distance(fields[0], str_of(name), DISTANCE_MAX);

		if (distance < best_distance && 2 * distance < fields[0].n) {
			best_distance = distance;
			best = fields[0];
		}
	}
	return best.p ? arena_dup(arena, best.p, best.n) : NULL;
}
