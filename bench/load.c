/* SPDX-License-Identifier: MIT */
/*
 * load - what loading unit files costs, as harkd does it, and the least it can cost.
 *
 *   load make DIR N          N services that all.target wants
 *   load chain DIR N         chain-1.service to chain-N.service, each requiring the next
 *   load floor DIR N         open, read, close of each service
 *   load cache DIR TO        the directory's cache, to the file TO/units
 *   load load DIR N UNIT [CACHE] index, then UNIT and everything it pulls in
 *
 * floor and load print "CPU-MICROSECONDS UNITS BYTES": of this process, loaded, resident memory they took a unit.
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "core/graph.h"
#include "units/load.h"
#include "units/passive.h"
#include "units/service.h"
#include "units/socket.h"

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static long resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%*s %ld", &pages) != 1)
		die("/proc/self/statm");
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		die(path);
}

static void make(const char *dir, unsigned n)
{
	char path[512], name[64], text[512];

	snprintf(path, sizeof(path), "%s/all.target.wants", dir);
	if (mkdir(dir, 0755) < 0 || mkdir(path, 0755) < 0)
		die(path);
	write_file(dir, "all.target", "[Unit]\nDescription=everything\n");
	for (unsigned i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "unit-%u.service", i);
		snprintf(
			text, sizeof(text),
			"[Unit]\nDescription=The service number %u\n\n[Service]\nExecStart=/bin/sleep %u\n"
			"Restart=on-failure\n\n[Install]\nWantedBy=all.target\n",
			i, i);
		write_file(dir, name, text);
		snprintf(path, sizeof(path), "%s/all.target.wants/%s", dir, name);
		snprintf(text, sizeof(text), "../%s", name);
		if (symlink(text, path) < 0)
			die(path);
	}
}

static void make_chain(const char *dir, unsigned n)
{
	char name[64], text[512];

	if (mkdir(dir, 0755) < 0)
		die(dir);
	for (unsigned i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "chain-%u.service", i);
		snprintf(
			text, sizeof(text),
			"[Unit]\nDefaultDependencies=no\nRequires=chain-%u.service\nAfter=chain-%u.service\n[Service]\nExecStart=/bin/true\n",
			i + 1, i + 1);
		write_file(dir, name, i < n ? text : "[Service]\nExecStart=/bin/true\n");
	}
}

static void floor_of(const char *dir, unsigned n)
{
	uint64_t begin = cpu_us();
	char path[512], text[4096];

	for (unsigned i = 1; i <= n; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/unit-%u.service", dir, i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
			die(path);
		close(fd);
	}
	printf("%llu %u 0\n", (unsigned long long)(cpu_us() - begin), n);
}

static int load_one(void *arg, struct unit *u)
{
	return load_unit(arg, u->name, &u->config) < 0 ? -ENOMEM : 0;
}

/* As harkd's engine does: the configuration, then its edges. */
static int load_and_attach(void *arg, struct unit *u)
{
	struct registry *reg = arg;
	int r = load_one(reg->canonical_arg, u);

	return r == 0 ? graph_attach(reg, u) : r;
}

static const char *canonical(void *arg, const char *name)
{
	return load_canonical(arg, name);
}

/* With files of a second ago, which hark-cache would leave out. */
static void write_cache(char *dir, const char *to)
{
	if (unit_cache_write(&dir, 1, time(NULL) + 1, to, UNIT_CACHE_NAME) < 0)
		die(to);
}

/* cache: its file, or NULL. */
static void load_all(const char *dir, const char *name, const char *cache)
{
	static const struct unit_type_ops *const types[] = {&service_ops, &target_ops, &slice_ops,
							    &socket_ops};
	static struct registry reg;
	static struct load load;
	struct unit *u;
	long before = resident_bytes();
	uint64_t begin = cpu_us();
	unsigned n = 0;

	reg.canonical = canonical;
	if (registry_init(&reg, types, sizeof(types) / sizeof(types[0])) < 0 ||
	    load_init(&load, dir, "") < 0)
		die("no memory");
	load.keeps_texts = true;
	if (cache && unit_cache_open(&load.cache, cache) < 0)
		die(cache);
	if (load_scan(&load) < 0)
		die(dir);
	reg.canonical = canonical;
	reg.canonical_arg = &load;
	u = registry_get(&reg, name);
	if (!u || graph_closure(&reg, u, load_and_attach, &reg) < 0)
		die(name);
	load_forget_texts(&load);
	begin = cpu_us() - begin;
	for (uint32_t i = 0; i < reg.n; i++)
		n += reg.units[i] && reg.units[i]->config &&
		     reg.units[i]->config->load == LOAD_LOADED;
	printf("%llu %u %ld\n", (unsigned long long)begin, n,
	       n ? (resident_bytes() - before) / (long)n : 0);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	if (argc == 4 && strcmp(argv[1], "make") == 0)
		make(argv[2], n);
	else if (argc == 4 && strcmp(argv[1], "chain") == 0)
		make_chain(argv[2], n);
	else if (argc == 4 && strcmp(argv[1], "floor") == 0)
		floor_of(argv[2], n);
	else if ((argc == 5 || argc == 6) && strcmp(argv[1], "load") == 0)
		load_all(argv[2], argv[4], argv[5]);
	else if (argc == 4 && strcmp(argv[1], "cache") == 0)
		write_cache(argv[2], argv[3]);
	else
		die("usage: load make|chain|floor|cache|load DIR N|TO [UNIT [CACHE]]");
	return 0;
}
