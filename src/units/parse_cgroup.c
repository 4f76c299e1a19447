/* SPDX-License-Identifier: MIT */
/* Readers of the resources of cgroups. Lists are kept as texts of one form (cgroup_config.h), so that they are read once. */
#include <arpa/inet.h>
#include <stdio.h>

#include "units/amount.h"
#include "units/cgroup_config.h"
#include "units/parse.h"
#include "units/value.h"

/* --- shares of time --- */

/* An empty value is "not set". */
static int take_weight(struct assignment *a, uint64_t least, uint64_t most)
{
	uint64_t value = CGROUP_UNSET;
	int r = a->value.n ? str_to_u64(a->value, &value) : 0;

	if (r == 0 && a->value.n > 0 && (value < least || value > most))
		return -ERANGE;
	if (r == 0)
		*(uint64_t *)a->target = value;
	return r;
}

int parse_weight(struct assignment *a)
{
	return take_weight(a, 1, 10000);
}

int parse_cpu_weight(struct assignment *a)
{
	if (!str_eq(a->value, STR("idle")))
		return take_weight(a, 1, 10000);
	*(uint64_t *)a->target = 0;
	return 0;
}

int parse_cpu_shares(struct assignment *a)
{
	return take_weight(a, 2, 262144);
}

int parse_block_weight(struct assignment *a)
{
	return take_weight(a, 10, 1000);
}

/* A percentage of one processor's second. */
int parse_cpu_quota(struct assignment *a)
{
	uint32_t share = 0;
	int r = a->value.n ? amount_share(a->value, UINT32_MAX, &share) : 0;

	if (r == 0 && a->value.n > 0 && share == 0)
		return -ERANGE;
	if (r == 0)
		*(uint64_t *)a->target = a->value.n ? share * (US_PER_SEC / PERCENT_UNITS)
						    : TIME_NEVER;
	return r;
}

int parse_cpu_period(struct assignment *a)
{
	uint64_t value = TIME_NEVER;
	int r = a->value.n ? value_span(a->value, US_PER_SEC, &value) : 0;

	if (r == 0)
		*(uint64_t *)a->target = value;
	return r;
}

/* --- amounts --- */

/* Bytes, a share of the machine's memory, or infinity; an empty value is the default, num 1: nothing, else no limit. */
int parse_memory(struct assignment *a)
{
	const struct specifier_host *host = a->spec.host;
	uint64_t value = a->num ? 0 : CGROUP_UNSET;
	uint32_t share;
	int r = 0;

	if (str_has_suffix(a->value, STR("%"))) {
		r = amount_share(a->value, PERCENT_UNITS, &share);
		if (r == 0)
			value = host->memory_pages * share / PERCENT_UNITS * host->page_bytes;
	} else if (a->value.n > 0) {
		r = value_size(a->value, &value);
	}
	if (r == 0)
		*(uint64_t *)a->target = value;
	return r;
}

int parse_tasks(struct assignment *a)
{
	uint64_t value = CGROUP_UNSET;
	uint32_t share;
	int r = 0;

	if (str_has_suffix(a->value, STR("%"))) {
		r = amount_share(a->value, PERCENT_UNITS, &share);
		if (r == 0)
			value = a->spec.host->tasks_max * share / PERCENT_UNITS;
	} else if (a->value.n > 0 && !str_eq(a->value, STR("infinity"))) {
		r = str_to_u64(a->value, &value);
	}
	if (r == 0 && value == 0)
		return -ERANGE;
	if (r == 0)
		*(uint64_t *)a->target = value;
	return r;
}

int parse_pressure(struct assignment *a)
{
	uint32_t share = 0;
	int r = a->value.n ? amount_share(a->value, PERCENT_UNITS, &share) : 0;

	if (r == 0)
		*(uint32_t *)a->target = share;
	return r;
}

int parse_numbers(struct assignment *a)
{
	enum { MASK_BYTES = 1024 / 8 };
	struct number_set *set = a->target;
	unsigned char mask[MASK_BYTES] = {0};
	uint32_t n = MASK_BYTES;
	int r;

	if (a->value.n == 0) {
		*set = (struct number_set){NULL, 0};
		return 0;
	}
	r = value_cpus(a->value, mask, sizeof(mask));
	if (r < 0)
		return r;
	/* Several lines add up. */
	for (uint32_t k = 0; k < set->n; k++)
		mask[k] |= (unsigned char)set->mask[k];
	while (n > 0 && mask[n - 1] == 0)
		n--;
	set->mask = arena_dup(a->arena, (const char *)mask, n);
	set->n = set->mask ? n : 0;
	return set->mask ? 0 : -ENOMEM;
}

/* --- controllers --- */

/* The set of the words; of a word that is none of them a finding is made. */
static uint8_t take_controllers(struct assignment *a)
{
	struct str rest = a->value;
	struct str raw;
	uint8_t set = 0;
	unsigned at;

	while (str_word(&rest, &raw))
		if (value_enum(raw, cgroup_controller_names, CGROUP_CONTROLLERS, &at) == 0)
			set |= (uint8_t)(1u << at);
		else
			parse_word_ignored(a, CODE_BAD_WORD, raw, "a controller of cgroups");
	return set;
}

int parse_controllers(struct assignment *a)
{
	uint8_t *set = a->target;

	*set = a->value.n ? *set | take_controllers(a) : 0;
	return 0;
}

/* A boolean, or the controllers that the processes are given. */
int parse_delegate(struct assignment *a)
{
	struct cgroup_config *g = a->config->own->cgroup;
	bool value;

	if (a->value.n == 0 || value_bool(a->value, &value) < 0) {
		g->delegated = a->value.n ? g->delegated | take_controllers(a) : 0;
		g->delegate = true;
	} else {
		g->delegated = value ? (1 << CGROUP_CONTROLLERS) - 1 : 0;
		g->delegate = value;
		a->is_off = !value;
	}
	return 0;
}

/* --- devices --- */

/* The text in the arena of the configuration, at the end of the target's list. */
static int PRINTF_LIKE(2, 3) keep_text(struct assignment *a, const char *fmt, ...)
{
	struct sbuf text = {0};
	const char *copy;
	va_list ap;

	va_start(ap, fmt);
	sbuf_addv(&text, fmt, ap);
	va_end(ap);
	copy = text.err || !text.p ? NULL : arena_dup(a->arena, text.p, text.n);
	sbuf_fini(&text);
	return copy ? parse_add_name(a, a->target, copy) : -ENOMEM;
}

/* What a line says of a device: its path with specifiers expanded, and the rest. 1, 0 an empty line (the list is reset), -errno. */
static int take_device(struct assignment *a, const char **ret_path, struct str *ret_rest)
{
	struct str rest = a->value;
	struct str path;
	int r;

	a->is_off = a->value.n == 0;
	if (!str_word(&rest, &path)) {
		parse_reset(a, a->target);
		return 0;
	}
	r = parse_expand(a, path, parse_offset(a, path), ret_path);
	*ret_rest = str_trim(rest);
	return r < 0 ? r : 1;
}

/* A node below /dev, or a class of devices of /proc/devices, which may be a pattern. */
static bool is_device(const char *path)
{
	return strncmp(path, "block-", 6) == 0 || strncmp(path, "char-", 5) == 0 ||
	       (parse_path_clean(path) && (strncmp(path, "/dev/", 5) == 0 ||
					   strncmp(path, "/run/systemd/inaccessible/", 26) == 0));
}

int parse_device_allow(struct assignment *a)
{
	const char *path;
	struct str access;
	int r = take_device(a, &path, &access);

	if (r <= 0)
		return r;
	if (!is_device(path))
		return parse_wrong(a, 0, strlen(path),
				   "neither a node in /dev nor a class of devices");
	for (size_t k = 0; k < access.n; k++)
		if (!strchr("rwm", access.p[k]))
			return parse_wrong(a, parse_offset(a, access), access.n,
					   "access is made of r, w and m");
	if (access.n == 0)
		access = STR("rwm");
	return keep_text(a, "%s " STR_FMT, path, STR_ARG(access));
}

int parse_device_weight(struct assignment *a)
{
	const char *path;
	struct str number;
	uint64_t weight;
	int r = take_device(a, &path, &number);

	if (r <= 0)
		return r;
	if (!parse_path_clean(path) || str_to_u64(number, &weight) < 0 || weight < 1 ||
	    weight > 10000)
		return -EINVAL;
	return keep_text(a, "%s %llu", path, (unsigned long long)weight);
}

int parse_device_latency(struct assignment *a)
{
	const char *path;
	struct str span;
	uint64_t us;
	char text[64];
	int r = take_device(a, &path, &span);

	if (r <= 0)
		return r;
	if (!parse_path_clean(path) || value_span(span, US_PER_SEC, &us) < 0)
		return -EINVAL;
	value_format_span(us, text, sizeof(text));
	return keep_text(a, "%s %s", path, text);
}

/* "5M" counts thousands here. */
int parse_device_rate(struct assignment *a)
{
	const char *path;
	struct str number;
	uint64_t rate;
	int r = take_device(a, &path, &number);

	if (r <= 0)
		return r;
	if (!parse_path_clean(path) || amount_rate(number, &rate) < 0)
		return -EINVAL;
	return rate == UINT64_MAX ? 0 : keep_text(a, "%s %llu", path, (unsigned long long)rate);
}

/* --- addresses, ports, programs --- */

/* Words that stand for networks. */
static const struct {
	const char *word;
	const char *networks[2];
} network_words[] = {
	{"any", {"0.0.0.0/0", "::/0"}},
	{"localhost", {"127.0.0.0/8", "::1/128"}},
	{"link-local", {"169.254.0.0/16", "fe80::/64"}},
	{"multicast", {"224.0.0.0/4", "ff00::/8"}},
};

static bool has_name(const struct name_list *list, const char *text)
{
	while (list && strcmp(list->text, text) != 0)
		list = list->next;
	return list;
}

static int keep_network(struct assignment *a, const char *text)
{
	return has_name(*(struct name_list **)a->target, text) ? 0 : keep_text(a, "%s", text);
}

/* "10.1.2.3/8" becomes "10.0.0.0/8". 0, -EINVAL, -ENOMEM. */
static int take_network(struct assignment *a, struct str word)
{
	size_t slash = str_index(word, '/');
	char text[INET6_ADDRSTRLEN + 8] = "";
	unsigned char bytes[16];
	int family = str_index(word, ':') < word.n ? AF_INET6 : AF_INET;
	uint32_t most = family == AF_INET6 ? 128 : 32;
	uint32_t bits = most;
	size_t n;

	if (slash >= INET6_ADDRSTRLEN)
		return -EINVAL;
	memcpy(text, word.p, slash);
	text[slash] = '\0';
	if (inet_pton(family, text, bytes) != 1 ||
	    (slash < word.n && value_u32(str_sub(word, slash + 1, word.n), &bits) < 0) ||
	    bits > most)
		return -EINVAL;
	for (uint32_t k = bits; k < most; k++)
		bytes[k / 8] &= (unsigned char)~(0x80u >> k % 8);
	if (!inet_ntop(family, bytes, text, sizeof(text)))
		return -EINVAL;
	n = strlen(text);
	snprintf(text + n, sizeof(text) - n, "/%u", bits);
	return keep_network(a, text);
}

int parse_networks(struct assignment *a)
{
	struct str rest = a->value;
	struct str word;
	int r = 0;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0)
		parse_reset(a, a->target);
	while (r == 0 && str_word(&rest, &word)) {
		unsigned k = 0;

		while (k < ARRAY_SIZE(network_words) && !str_eq_z(word, network_words[k].word))
			k++;
		for (unsigned i = 0; r == 0 && k < ARRAY_SIZE(network_words) && i < 2; i++)
			r = keep_network(a, network_words[k].networks[i]);
		if (k == ARRAY_SIZE(network_words))
			r = take_network(a, word);
		if (r != -EINVAL)
			continue;
		parse_word_ignored(a, CODE_BAD_ADDRESS, word, "an address or a network");
		r = 0;
	}
	return r;
}

static bool is_port_range(struct str text)
{
	size_t dash = str_index(text, '-');
	uint32_t from, to;

	if (str_eq(text, STR("any")))
		return true;
	if (value_u32(str_sub(text, 0, dash), &from) < 0 || from == 0 || from > UINT16_MAX)
		return false;
	return dash == text.n || (value_u32(str_sub(text, dash + 1, text.n), &to) == 0 &&
				  to >= from && to <= UINT16_MAX);
}

/* "[family:][protocol:]port", "[family:]protocol", "family", "any". */
int parse_bind_ports(struct assignment *a)
{
	struct str rest = a->value;
	struct str part;
	unsigned place = 0; /* 0 nothing yet, 1 family, 2 protocol, 3 ports */

	a->is_off = a->value.n == 0;
	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	while (str_cut(&rest, ':', &part)) {
		unsigned is = str_eq(part, STR("ipv4")) || str_eq(part, STR("ipv6")) ? 1
			      : str_eq(part, STR("tcp")) || str_eq(part, STR("udp")) ? 2
			      : is_port_range(part)                                  ? 3
										     : 0;

		if (is <= place)
			return -EINVAL;
		place = is;
	}
	return keep_text(a, STR_FMT, STR_ARG(a->value));
}

int parse_interfaces(struct assignment *a)
{
	bool is_inverted = a->value.n && a->value.p[0] == '~';
	struct str rest = str_sub(a->value, is_inverted, a->value.n);
	struct str word;
	int r = 0;

	a->is_off = a->value.n == 0;
	if (a->value.n == 0) {
		parse_reset(a, a->target);
		return 0;
	}
	if (!*(struct name_list **)a->target)
		a->config->own->cgroup->interfaces_are_denied = is_inverted;
	while (r == 0 && str_word(&rest, &word))
		if (word.n > 15 || str_index(word, '/') < word.n)
			parse_word_ignored(a, CODE_BAD_TEXT, word,
					   "the name of a network interface");
		else
			r = keep_text(a, STR_FMT, STR_ARG(word));
	return r;
}

/* "attach type:/path". */
int parse_bpf_program(struct assignment *a)
{
	size_t colon = str_index(a->value, ':');
	const char *path;
	int r;

	if (a->value.n == 0) {
		parse_reset(a, a->target);
		a->is_off = true;
		return 0;
	}
	if (colon == 0 || colon == a->value.n)
		return -EINVAL;
	r = parse_expand(a, str_sub(a->value, colon + 1, a->value.n), colon + 1, &path);
	if (r < 0)
		return r;
	if (!parse_path_clean(path))
		return -EINVAL;
	return keep_text(a, STR_FMT ":%s", (int)colon, a->value.p, path);
}
