/* SPDX-License-Identifier: MIT */
#include "activate/bus_path.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/fd.h"

static const char units[] = BUS_ROOT "/unit/", jobs[] = BUS_ROOT "/job/";

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_plain(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void bus_path_of_unit(const char *name, char out[BUS_PATH_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = sizeof(units) - 1;

	memcpy(out, units, n);
	for (const char *p = name; *p && n + 4 <= BUS_PATH_MAX; p++) {
		unsigned char c = (unsigned char)*p;

		if (is_plain(*p) && (p > name || !is_digit(*p))) {
			out[n++] = *p;
			continue;
		}
		out[n++] = '_';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	if (!*name)
		out[n++] = '_';
	out[n] = '\0';
}

void bus_path_of_job(uint32_t id, char out[BUS_PATH_MAX])
{
	snprintf(out, BUS_PATH_MAX, "%s%u", jobs, id);
}

static int hex_value(char c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool bus_unit_of_path(const char *path, char out[UNIT_NAME_MAX + 1])
{
	const char *p = path + sizeof(units) - 1;
	size_t n = 0;

	if (strncmp(path, units, sizeof(units) - 1) != 0)
		return false;
	for (; *p && n < UNIT_NAME_MAX; p++) {
		int high = *p == '_' ? hex_value(p[1]) : -1;
		int low = high >= 0 ? hex_value(p[2]) : -1;

		if (*p == '_' && low < 0)
			return false;
		out[n++] = low >= 0 ? (char)(high << 4 | low) : *p;
		p += low >= 0 ? 2 : 0;
	}
	out[n] = '\0';
	return !*p && n > 0 && strlen(out) == n;
}

uint32_t bus_job_of_path(const char *path)
{
	uint64_t id;

	if (strncmp(path, jobs, sizeof(jobs) - 1) != 0 ||
	    str_to_u64(str_of(path + sizeof(jobs) - 1), &id) < 0 || id > UINT32_MAX)
		return 0;
	return (uint32_t)id;
}

/* --- whose process --- */

static bool unit_in_path(struct str path, char out[UNIT_NAME_MAX + 1])
{
	struct str piece;
	bool is_found = false;

	while (str_cut(&path, '/', &piece)) {
		char name[UNIT_NAME_MAX + 1];

		if (!piece.n || piece.n > UNIT_NAME_MAX)
			continue;
		memcpy(name, piece.p, piece.n);
		name[piece.n] = '\0';
		if (unit_type_of(name) < 0)
			continue;
		memcpy(out, name, piece.n + 1);
		is_found = true;
	}
	return is_found;
}

bool bus_unit_of_pid(pid_t pid, char out[UNIT_NAME_MAX + 1])
{
	char path[64], text[4096];
	struct str rest = {text, 0}, line;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	n = fd_read_small(AT_FDCWD, path, text, sizeof(text));
	rest.n = n < 0 ? 0 : (size_t)n;
	while (str_cut(&rest, '\n', &line))
		if (str_has_prefix(line, STR("0::")))
			return unit_in_path(str_sub(line, 3, line.n), out);
	return false;
}
