/* SPDX-License-Identifier: MIT */
/*
 * times - our side of tests/oracle/times.py: an expression a line in, what we make of it a line out.
 *
 * times calendar BASE_US ITERATIONS LOCAL_ZONE    "normal form<TAB>seconds seconds ..." or "invalid"
 * times span                                      "microseconds<TAB>as printed" or "invalid"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "units/calendar.h"
#include "units/value.h"

static char *read_zone(const char *name, size_t *ret_n)
{
	char path[512];
	char *text = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	text = malloc(1 << 20);
	*ret_n = text ? fread(text, 1, 1 << 20, f) : 0;
	fclose(f);
	return text;
}

static bool has_zone(void *arg, const char *name)
{
	size_t n;
	char *text = read_zone(name, &n);
	bool is_zone = text && n > 4 && memcmp(text, "TZif", 4) == 0;

	(void)arg;
	free(text);
	return is_zone;
}

static void answer_calendar(struct str text, uint64_t base_us, int iterations, const char *local)
{
	struct arena arena = {0};
	struct sbuf out = {0};
	struct calendar c;
	struct zone zone;
	const char *why = NULL;
	size_t n = 0;
	char *bytes;

	if (calendar_parse(text, has_zone, NULL, &arena, &c, &why) < 0) {
		printf("invalid\t%s\n", why);
		arena_fini(&arena);
		return;
	}
	calendar_format(&c, &out);
	bytes = read_zone(c.zone ? c.zone : local, &n);
	if (!bytes || zone_read((struct str){bytes, n}, &zone) < 0)
		exit(1);
	printf("%s\t", out.p);
	while (iterations-- > 0 && calendar_next(&c, &zone, base_us, &base_us))
		printf("%" PRIu64 " ", base_us / US_PER_SEC);
	putchar('\n');
	free(bytes);
	sbuf_fini(&out);
	arena_fini(&arena);
}

static void answer_span(struct str text)
{
	char printed[128];
	uint64_t us;

	if (value_span(text, US_PER_SEC, &us) < 0) {
		puts("invalid");
		return;
	}
	value_format_span(us, printed, sizeof(printed));
	printf("%" PRIu64 "\t%s\n", us, printed);
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		struct str text = {line, (size_t)n - (line[n - 1] == '\n')};

		if (argc == 5)
			answer_calendar(text, strtoull(argv[2], NULL, 10), atoi(argv[3]), argv[4]);
		else
			answer_span(text);
	}
	free(line);
	return 0;
}
