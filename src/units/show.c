/* SPDX-License-Identifier: MIT */
#include "units/show.h"

#include <netinet/in.h>
#include <stdio.h>

#include "units/cgroup_config.h"
#include "units/sandbox.h"
#include "units/value.h"

/* --- single values --- */

typedef void (*show_fn)(const struct directive *d, const void *member, struct sbuf *out);

static void write_bool(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_add_z(out, *(const bool *)member ? "yes" : "no");
}

static void write_u32(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_addf(out, "%u", *(const uint32_t *)member);
}

static void write_int(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_addf(out, "%d", *(const int *)member);
}

static void write_i64(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_addf(out, "%lld", (long long)*(const int64_t *)member);
}

static void write_size(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_addf(out, "%llu", (unsigned long long)*(const uint64_t *)member);
}

/* -1 is "not set". */
static void write_exit_status(const struct directive *d, const void *member, struct sbuf *out)
{
	if (*(const int *)member >= 0)
		write_int(d, member, out);
}

static void write_span(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	char text[128];

	sbuf_add(out, (struct str){text, value_format_span(*(const uint64_t *)member, text,
							   sizeof(text))});
}

static void write_word(const struct directive *d, const void *member, struct sbuf *out)
{
	uint8_t at = *(const uint8_t *)member;

	if (at < d->words->n && d->words->names[at])
		sbuf_add_z(out, d->words->names[at]);
}

static void write_mode(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_addf(out, "%04o", *(const uint32_t *)member);
}

static void write_signal(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	sbuf_add_z(out, value_signal_name(*(const int *)member));
}

static void write_text(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	const char *text = *(const char *const *)member;

	if (text)
		sbuf_add_z(out, text);
}

static void write_socket_protocol(const struct directive *d UNUSED, const void *member,
				  struct sbuf *out)
{
	uint8_t protocol = *(const uint8_t *)member;

	sbuf_add_z(out, protocol == IPPROTO_UDPLITE ? "udplite"
			: protocol == IPPROTO_SCTP  ? "sctp"
						    : "ip");
}

static void write_timestamping(const struct directive *d UNUSED, const void *member,
			       struct sbuf *out)
{
	static const char *const words[] = {"off", "us", "ns"};

	sbuf_add_z(out, words[*(const uint8_t *)member]);
}

static void write_number_set(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	show_numbers(member, out);
}

static void write_controllers(const struct directive *d UNUSED, const void *member,
			      struct sbuf *out)
{
	show_controllers(*(const uint8_t *)member, out);
}

/* Hundredths of a percent. */
static void write_pressure(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	uint32_t share = *(const uint32_t *)member;

	sbuf_addf(out, "%u.%02u%%", share / 100, share % 100);
}

/* --- lists of texts --- */

static void write_names(const struct directive *d UNUSED, const void *member, struct sbuf *out)
{
	const struct name_list *first = *(const struct name_list *const *)member;

	for (const struct name_list *n = first; n; n = n->next) {
		if (n != first)
			sbuf_add_c(out, ' ');
		sbuf_add_z(out, n->text);
	}
}

static const show_fn writers[PARSERS] = {
	[PARSER_bool] = write_bool,
	[PARSER_u32] = write_u32,
	[PARSER_int] = write_int,
	[PARSER_i64] = write_i64,
	[PARSER_nice] = write_int,
	[PARSER_oom_score] = write_int,
	[PARSER_exit_status] = write_exit_status,
	[PARSER_span] = write_span,
	[PARSER_span_or_never] = write_span,
	[PARSER_span_nonzero] = write_span,
	[PARSER_start_timeout] = write_span,
	[PARSER_both_timeouts] = write_span,
	[PARSER_abort_timeout] = write_span,
	[PARSER_nanoseconds] = write_size,
	[PARSER_size] = write_size,
	[PARSER_word] = write_word,
	[PARSER_service_type] = write_word,
	[PARSER_bool_or_word] = write_word,
	[PARSER_mode] = write_mode,
	[PARSER_signal] = write_signal,
	[PARSER_text] = write_text,
	[PARSER_description] = write_text,
	[PARSER_path] = write_text,
	[PARSER_pid_file] = write_text,
	[PARSER_paths] = write_names,
	[PARSER_documentation] = write_names,
	[PARSER_mounts_for] = write_names,
	[PARSER_install] = write_names,
	[PARSER_instance] = write_text,
	[PARSER_unit_name] = write_text,
	[PARSER_slice] = write_text,
	[PARSER_sockets] = write_names,
	[PARSER_isolate] = write_word,
	[PARSER_environment] = write_names,
	[PARSER_environment_file] = write_names,
	[PARSER_variables] = write_names,
	[PARSER_user] = write_text,
	[PARSER_users] = write_names,
	[PARSER_cpu_priority] = write_int,
	[PARSER_weight] = write_size,
	[PARSER_cpu_weight] = write_size,
	[PARSER_cpu_shares] = write_size,
	[PARSER_block_weight] = write_size,
	[PARSER_cpu_quota] = write_span,
	[PARSER_cpu_period] = write_span,
	[PARSER_memory] = write_size,
	[PARSER_tasks] = write_size,
	[PARSER_pressure] = write_pressure,
	[PARSER_numbers] = write_number_set,
	[PARSER_controllers] = write_controllers,
	[PARSER_delegate] = write_bool,
	[PARSER_device_allow] = write_names,
	[PARSER_device_weight] = write_names,
	[PARSER_device_latency] = write_names,
	[PARSER_device_rate] = write_names,
	[PARSER_networks] = write_names,
	[PARSER_bind_ports] = write_names,
	[PARSER_interfaces] = write_names,
	[PARSER_bpf_program] = write_names,
	[PARSER_words] = write_names,
	[PARSER_binds] = write_names,
	[PARSER_tmpfs] = write_names,
	[PARSER_search_path] = write_names,
	[PARSER_mount_api] = write_bool,
	[PARSER_architectures] = write_names,
	[PARSER_syscalls] = write_names,
	[PARSER_families] = write_names,
	[PARSER_directories] = write_names,
	[PARSER_bus_name] = write_text,
	[PARSER_fd_name] = write_text,
	[PARSER_interface] = write_text,
	[PARSER_socket_protocol] = write_socket_protocol,
	[PARSER_ip_tos] = write_int,
	[PARSER_ip_ttl] = write_int,
	[PARSER_timestamping] = write_timestamping,
};

bool show_knows(enum parser_kind kind)
{
	return writers[kind] != NULL;
}

void show_value(const struct directive *d, const struct unit_config *c, struct sbuf *out)
{
	const void *member = directive_member(d, c);

	if (member && writers[d->parser])
		writers[d->parser](d, member, out);
}

const struct name_list *show_items(const struct directive *d, const struct unit_config *c)
{
	const void *member = directive_member(d, c);

	return member && writers[d->parser] == write_names
		       ? *(const struct name_list *const *)member
		       : NULL;
}

/* --- pieces --- */

/* Characters that keep their meaning between double quotes, and those that make quotes needed. */
static const char escaped[] = "\"\\`$";
static const char quoted[] = "\"\\`$*?['()<>|&;!";

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

static void add_escaped(char c, struct sbuf *out)
{
	static const char letters[] = "abtnvfr"; /* from 7 on */

	if (c >= '\a' && c <= '\r')
		sbuf_addf(out, "\\%c", letters[c - '\a']);
	else if (is_control(c))
		sbuf_addf(out, "\\%03o", (unsigned)(unsigned char)c);
	else if (strchr(escaped, c))
		sbuf_addf(out, "\\%c", c);
	else
		sbuf_add_c(out, c);
}

void show_quoted(const char *word, struct sbuf *out)
{
	bool is_plain = word[0] != '\0';

	for (const char *p = word; *p; p++)
		is_plain = is_plain && *p != ' ' && !is_control(*p) && !strchr(quoted, *p);
	if (is_plain) {
		sbuf_add_z(out, word);
		return;
	}
	sbuf_add_c(out, '"');
	for (const char *p = word; *p; p++)
		add_escaped(*p, out);
	sbuf_add_c(out, '"');
}

void show_seconds(uint64_t us, struct sbuf *out)
{
	char text[128];

	if (us > US_PER_SEC && us != TIME_NEVER)
		us -= us % US_PER_SEC;
	value_format_span(us, text, sizeof(text));
	sbuf_add_z(out, text);
}

/* The next item of a list with blanks. */
static void add_item(struct sbuf *out, bool *is_first, const char *item)
{
	sbuf_addf(out, "%s%s", *is_first ? "" : " ", item);
	*is_first = false;
}

void show_capabilities(uint64_t set, struct sbuf *out)
{
	const char *name;
	bool is_first = true;

	for (unsigned k = 0; (name = value_capability_name(k)); k++)
		if (set >> k & 1)
			add_item(out, &is_first, name);
}

void show_controllers(uint8_t set, struct sbuf *out)
{
	bool is_first = true;

	for (unsigned k = 0; k < CGROUP_CONTROLLERS; k++)
		if (set >> k & 1)
			add_item(out, &is_first, cgroup_controller_names[k]);
}

void show_namespaces(uint8_t set, struct sbuf *out)
{
	bool is_first = true;

	for (unsigned k = 0; k < NAMESPACES; k++)
		if (set >> k & 1)
			add_item(out, &is_first, namespace_names[k]);
}

void show_numbers(const struct number_set *set, struct sbuf *out)
{
	bool is_first = true;
	char range[32];

	for (uint32_t k = 0, end; k < set->n * 8; k = end + 1) {
		for (end = k; end < set->n * 8 && (unsigned char)set->mask[end / 8] >> end % 8 & 1;)
			end++;
		if (end == k)
			continue;
		snprintf(range, sizeof(range), end == k + 1 ? "%u" : "%u-%u", k, end - 1);
		add_item(out, &is_first, range);
	}
}
