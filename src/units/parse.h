/* SPDX-License-Identifier: MIT */
/*
 * parse - from the text of one value to members of a configuration: one reader for each kind of value. Pure.
 *
 * A reader gets an assignment with everything it may need and writes to assignment.target, whose type the kind fixes.
 * It returns 0, -ENOMEM, or -EINVAL when the value cannot be used; then it may have said what is wrong and where
 * (wrong, bad_at, bad_n, suggestion), and the one place that calls readers makes the finding. What is wrong with a
 * single word of a list is a finding of its own: the other words count.
 */
#pragma once

#include "units/codes.h"
#include "units/dep.h"
#include "units/ini.h"
#include "units/specifier.h"

/* A closed set of words, for values that are stored as their index in a byte. */
struct word_set {
	const char *const *names;
	unsigned n;
	const char *noun; /* "a restart policy" */
};
extern const struct word_set words_service_type, words_restart, words_restart_mode, words_notify,
	words_exit_type, words_timeout_mode, words_oom_policy, words_kill_mode, words_collect,
	words_job_mode, words_action, words_bind_v6, words_preserve, words_protect_system,
	words_protect_home, words_protect_proc, words_proc_subset, words_device_policy,
	words_keyring, words_utmp, words_mount_flags, words_oomd_mode, words_oomd_preference,
	words_log_level, words_log_facility, words_numa_policy, words_secure_bits;

struct assignment {
	struct unit_config *config;
	struct arena *arena;   /* of the configuration */
	struct arena *scratch; /* until the end of the load */
	struct specifier_context spec;
	bool (*has_zone)(void *arg, const char *name); /* is there such a time zone? */
	void *zone_arg;
	const char *file;
	const struct ini *ini; /* NULL: no file behind it */
	const struct ini_item *item;
	struct str key, value;
	/* from the directive's row */
	void *target; /* NULL: read and forget */
	int num;
	const struct word_set *words;
	/* what a reader has to say about an unusable value */
	const char *wrong;      /* static, or in scratch: "ends in the middle of a quote" */
	const char *suggestion; /* as above */
	size_t bad_at, bad_n;   /* 0, 0: the whole value */
	bool is_off;            /* the value asks for nothing ("no"): no note about it */
	bool is_strict;         /* an error in the value refuses the unit */
	/* the list appended to last and its end, so that long lists are not walked for each line */
	void *list_head, *list_end;
};

typedef int (*parse_fn)(struct assignment *a);

/* KIND(name, code of the finding, noun, does an empty value reset it?): "cannot read "5x" as NOUN" */
#define PARSERS_LIST(KIND)                                                                         \
	KIND(ignored, BAD_TEXT, "a text", true)                                                    \
	KIND(bool, BAD_BOOLEAN, "yes or no", false)                                                \
	KIND(u32, BAD_NUMBER, "a number from 0 to 4294967295", false)                              \
	KIND(int, BAD_NUMBER, "a number", false)                                                   \
	KIND(i64, BAD_NUMBER, "a number", false)                                                   \
	KIND(nice, BAD_NUMBER, "a nice level from -20 to 19", false)                               \
	KIND(oom_score, BAD_NUMBER, "an adjustment from -1000 to 1000", false)                     \
	KIND(exit_status, BAD_NUMBER, "an exit status from 0 to 255", true)                        \
	KIND(span, BAD_SPAN, "a time span", false)                                                 \
	KIND(span_or_never, BAD_SPAN, "a time span", false)                                        \
	KIND(span_nonzero, BAD_SPAN, "a time span above zero", false)                              \
	KIND(start_timeout, BAD_SPAN, "a time span", false)                                        \
	KIND(both_timeouts, BAD_SPAN, "a time span", false)                                        \
	KIND(abort_timeout, BAD_SPAN, "a time span", true)                                         \
	KIND(nanoseconds, BAD_SPAN, "a time span", false)                                          \
	KIND(size, BAD_SIZE, "a size", false)                                                      \
	KIND(word, BAD_WORD, "one of the words", false)                                            \
	KIND(service_type, BAD_WORD, "a service type", false)                                      \
	KIND(bool_or_word, BAD_WORD, "yes, no or one of the words", false)                         \
	KIND(mode, BAD_MODE, "an octal access mode", false)                                        \
	KIND(signal, BAD_SIGNAL, "a signal", false)                                                \
	KIND(text, BAD_TEXT, "a text", true)                                                       \
	KIND(description, BAD_TEXT, "a text of at most 4096 bytes", true)                          \
	KIND(path, BAD_PATH, "an absolute path", true)                                             \
	KIND(pid_file, BAD_PATH, "a path", true)                                                   \
	KIND(paths, BAD_PATH, "a list of absolute paths", true)                                    \
	KIND(documentation, BAD_TEXT, "a list of documents", true)                                 \
	KIND(mounts_for, BAD_PATH, "a list of absolute paths", true)                               \
	KIND(deps, BAD_UNIT_NAME, "a list of unit names", true)                                    \
	KIND(install, BAD_UNIT_NAME, "a list of unit names", true)                                 \
	KIND(instance, BAD_TEXT, "the name of an instance", true)                                  \
	KIND(unit_name, BAD_UNIT_NAME, "the name of a unit", true)                                 \
	KIND(slice, BAD_UNIT_NAME, "the name of a slice", true)                                    \
	KIND(sockets, BAD_UNIT_NAME, "a list of socket units", true)                               \
	KIND(condition, BAD_CONDITION, "a condition", true)                                        \
	KIND(isolate, BAD_BOOLEAN, "yes or no", false)                                             \
	KIND(commands, BAD_COMMAND, "a command line", true)                                        \
	KIND(environment, BAD_ENVIRONMENT, "a list of NAME=value", true)                           \
	KIND(environment_file, BAD_PATH, "an absolute path, perhaps behind -", true)               \
	KIND(variables, BAD_ENVIRONMENT, "a list of variables", true)                              \
	KIND(user, BAD_USER, "the name or number of a user or group", true)                        \
	KIND(users, BAD_USER, "a list of groups", true)                                            \
	KIND(working_directory, BAD_PATH, "an absolute path or ~, perhaps behind -", true)         \
	KIND(limit, BAD_LIMIT, "a resource limit", false)                                          \
	KIND(io_class, BAD_SCHEDULING,                                                             \
	     "an I/O scheduling class (realtime, best-effort, idle, none)", true)                  \
	KIND(io_priority, BAD_SCHEDULING, "an I/O priority from 0 to 7", true)                     \
	KIND(cpu_policy, BAD_SCHEDULING, "a CPU scheduling policy (other, batch, idle, fifo, rr)", \
	     false)                                                                                \
	KIND(cpu_priority, BAD_SCHEDULING, "a CPU scheduling priority from 1 to 99", false)        \
	KIND(weight, BAD_NUMBER, "a weight from 1 to 10000", true)                                 \
	KIND(cpu_weight, BAD_NUMBER, "a weight from 1 to 10000, or idle", true)                    \
	KIND(cpu_shares, BAD_NUMBER, "a number from 2 to 262144", true)                            \
	KIND(block_weight, BAD_NUMBER, "a weight from 10 to 1000", true)                           \
	KIND(cpu_quota, BAD_NUMBER, "a percentage above zero", true)                               \
	KIND(cpu_period, BAD_SPAN, "a time span", true)                                            \
	KIND(memory, BAD_SIZE, "a size, a percentage or infinity", true)                           \
	KIND(tasks, BAD_NUMBER, "a number above zero, a percentage or infinity", true)             \
	KIND(pressure, BAD_NUMBER, "a percentage", true)                                           \
	KIND(numbers, BAD_CPUS, "a list of numbers and ranges", true)                              \
	KIND(controllers, BAD_WORD, "a list of controllers", true)                                 \
	KIND(delegate, BAD_WORD, "yes, no or a list of controllers", true)                         \
	KIND(device_allow, BAD_PATH, "a device and the access to it", true)                        \
	KIND(device_weight, BAD_NUMBER, "a device and its weight", true)                           \
	KIND(device_latency, BAD_SPAN, "a device and a time span", true)                           \
	KIND(device_rate, BAD_SIZE, "a device and a rate", true)                                   \
	KIND(networks, BAD_ADDRESS, "a list of networks", true)                                    \
	KIND(bind_ports, BAD_ADDRESS, "[family:][protocol:]port or any", true)                     \
	KIND(interfaces, BAD_TEXT, "a list of network interfaces", true)                           \
	KIND(bpf_program, BAD_PATH, "TYPE:/path", true)                                            \
	KIND(words, BAD_TEXT, "a list of words", true)                                             \
	KIND(binds, BAD_PATH, "a list of bind mounts", true)                                       \
	KIND(tmpfs, BAD_PATH, "a list of paths", true)                                             \
	KIND(search_path, BAD_PATH, "a list of directories", true)                                 \
	KIND(mount_api, BAD_BOOLEAN, "yes or no", false)                                           \
	KIND(syscall_errno, BAD_WORD, "an error number, its name, or kill", true)                  \
	KIND(coredump_filter, BAD_WORD, "a mask or a list of kinds of mappings", true)             \
	KIND(log_level_max, BAD_WORD, "a log level", true)                                         \
	KIND(numa_policy, BAD_WORD, "a NUMA policy", true)                                         \
	KIND(cpu_affinity, BAD_CPUS, "a list of CPUs", true)                                       \
	KIND(capabilities, BAD_CAPABILITY, "a list of capabilities", true)                         \
	KIND(secure_bits, BAD_FILTER, "a list of secure bits", true)                               \
	KIND(personality, BAD_WORD, "a personality (x86-64, x86, arm64 ...)", false)               \
	KIND(stdio, BAD_STDIO, "a standard stream", false)                                         \
	KIND(stdin_text, BAD_TEXT, "a text", true)                                                 \
	KIND(load_credential, BAD_TEXT, "NAME or NAME:SOURCE", true)                               \
	KIND(set_credential, BAD_TEXT, "NAME:TEXT", true)                                          \
	KIND(stdin_data, BAD_DATA, "base64", true)                                                 \
	KIND(directories, BAD_DIRECTORY, "a list of relative directory names", true)               \
	KIND(exit_set, BAD_EXIT_STATUS, "a list of exit codes and signals", true)                  \
	KIND(families, BAD_FILTER, "a list of address families", true)                             \
	KIND(namespaces, BAD_FILTER, "yes, no or a list of namespaces", true)                      \
	KIND(syscalls, BAD_FILTER, "a list of system calls", true)                                 \
	KIND(architectures, BAD_FILTER, "a list of architectures", true)                           \
	KIND(listen, BAD_ADDRESS, "an address to listen on", true)                                 \
	KIND(bus_name, BAD_TEXT, "a bus name", true)                                               \
	KIND(fd_name, BAD_TEXT, "a name of at most 255 printable characters without :", true)      \
	KIND(interface, BAD_TEXT, "the name of a network interface", true)                         \
	KIND(socket_protocol, BAD_WORD, "a protocol (udplite, sctp)", false)                       \
	KIND(ip_tos, BAD_WORD,                                                                     \
	     "a type of service (low-delay, throughput, reliability, low-cost) or a number",       \
	     false)                                                                                \
	KIND(ip_ttl, BAD_NUMBER, "a number from 1 to 255", false)                                  \
	KIND(timestamping, BAD_WORD, "a kind of timestamps (off, us, ns)", false)                  \
	KIND(timer_span, BAD_SPAN, "a time span", true)                                            \
	KIND(timer_calendar, BAD_CALENDAR, "a calendar event", true)                               \
	KIND(trigger_unit, BAD_UNIT_NAME, "the name of a unit", false)                             \
	KIND(path_watch, BAD_PATH, "an absolute path", true)                                       \
	KIND(pids, BAD_NUMBER, "numbers of processes", true)                                       \
	KIND(swap_priority, BAD_NUMBER, "a priority from -1 to 32767", false)

enum parser_kind {
#define KIND(name, code, noun, empty) PARSER_##name,
	PARSERS_LIST(KIND)
#undef KIND
		PARSERS
};
struct parser {
	parse_fn fn;
	enum code code;
	const char *noun;
	bool takes_empty;
};
extern const struct parser parsers[PARSERS];

/* Implementations: parse.c, parse_exec.c, parse_lists.c, parse_types.c. */
#define KIND(name, code, noun, empty) MUST_USE int parse_##name(struct assignment *a);
PARSERS_LIST(KIND)
#undef KIND

/* --- for readers --- */

enum {
	PARSE_FINDINGS_MAX = 200
}; /* of one unit: more would help nobody, and a file of garbage must not cost */
bool parse_is_full(const struct assignment *a);

/*
 * A finding about a part of the value (p NULL: all of it, or the key when there is no value), with a->suggestion. An error refuses
 * the unit when a->is_strict.
 */
void parse_report(struct assignment *a, enum code code, enum diag_severity severity,
		  struct str about, const char *fmt, ...) PRINTF_LIKE(5, 6);
#define PARSE_WHOLE ((struct str){NULL, 0})
/* A finding about one word of a list, which is not `what` and is ignored, or refuses the unit when a->is_strict. */
void parse_word_ignored(struct assignment *a, enum code code, struct str raw, const char *what);
/* Note what is wrong with n bytes at `at` and return -EINVAL. wrong: static or NULL (then: cannot read ... as ...). */
int parse_wrong(struct assignment *a, size_t at, size_t n, const char *wrong);
/* Specifiers expanded, in the arena of the configuration. 0, -ENOMEM, or -EINVAL with the place noted; at: of text in the value. */
MUST_USE int parse_expand(struct assignment *a, struct str text, size_t at, const char **ret_text);
/* The end of the list at head (nodes begin with their next pointer). */
void *parse_list_end(struct assignment *a, void *head);
/* Append zeroed node of `size` bytes to the list at head, or NULL without memory. */
MUST_USE void *parse_append(struct assignment *a, void *head, size_t size);
/* Append text (already in the arena) to a list of names. 0 or -ENOMEM. */
MUST_USE int parse_add_name(struct assignment *a, struct name_list **head, const char *text);
/* Forget the list at head. */
void parse_reset(struct assignment *a, void *head);
/* Brings an absolute path, which lies in an arena, into its shortest form: no "//", no ".", no slash at its end. False: it is none, or has ".." in it. */
bool parse_path_clean(const char *path);
/* The same with a relative path. False also: nothing is left of it. */
bool parse_path_below(const char *path);
/* The same path below /run when it lies below /var/run, where it is the same file: for what is made there at boot. */
const char *parse_path_now(const char *path);
/* C escapes and specifiers of a text with any blanks in it, which is part of the value. As parse_expand(). */
MUST_USE int parse_unescaped(struct assignment *a, struct str value, const char **ret_text);
/* Offset of a view of the value. */
static inline size_t parse_offset(const struct assignment *a, struct str part)
{
	return (size_t)(part.p - a->value.p);
}
