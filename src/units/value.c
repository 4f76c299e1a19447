/* SPDX-License-Identifier: MIT */
#include "units/value.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

__extension__ typedef unsigned __int128 u128;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct str *s)
{
	while (s->n > 0 && is_blank(s->p[0]))
		*s = str_sub(*s, 1, s->n);
}

/* Cut the leading bytes off that are digits (want true) or neither digit, blank, sign nor dot (want false). */
static struct str cut_run(struct str *s, bool want_digits)
{
	struct str run;
	size_t n = 0;

	while (n < s->n &&
	       (want_digits ? is_digit(s->p[n])
			    : !is_digit(s->p[n]) && !is_blank(s->p[n]) && !strchr("+-.", s->p[n])))
		n++;
	run = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	return run;
}

int value_bool(struct str s, bool *ret)
{
	/* Even places mean yes, odd ones no. */
	static const char *const words[] = {"yes", "no", "true", "false", "on", "off",
					    "1",   "0",  "y",    "n",     "t",  "f"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_eq_case(s, str_of(words[i]))) {
			*ret = i % 2 == 0;
			return 0;
		}
	}
	return err_here(-EINVAL);
}

/* --- numbers with a fraction and a unit --- */

/*
 * "12", "12.5", ".5": the whole part and the fraction as numerator over a power of ten. The fraction is kept to 18
 * digits, which is finer than any unit here can tell apart.
 */
struct decimal {
	uint64_t whole, fraction, scale;
};

static int cut_decimal(struct str *s, struct decimal *ret)
{
	struct decimal d = {.scale = 1};
	struct str whole;
	struct str fraction;
	int r;

	if (s->n > 0 && s->p[0] == '-')
		return err_here(-ERANGE);
	if (s->n > 1 && s->p[0] == '+' && is_digit(s->p[1]))
		*s = str_sub(*s, 1, s->n);
	whole = cut_run(s, true);
	if (whole.n > 0) {
		r = str_to_u64(whole, &d.whole);
		if (r < 0)
			return r;
	}
	if (s->n > 0 && s->p[0] == '.') {
		*s = str_sub(*s, 1, s->n);
		fraction = cut_run(s, true);
		if (fraction.n == 0)
			return err_here(-EINVAL);
		for (size_t i = 0; i < fraction.n && i < 18; i++) {
			d.fraction = d.fraction * 10 + (uint64_t)(fraction.p[i] - '0');
			d.scale *= 10;
		}
	} else if (whole.n == 0) {
		return err_here(-EINVAL);
	}
	*ret = d;
	return 0;
}

/* sum += whole * unit + part; UINT64_MAX is infinity and so already too much. */
static int add_scaled(uint64_t *sum, uint64_t whole, uint64_t unit, uint64_t part)
{
	u128 total = (u128)whole * unit + part + *sum;

	if (total >= UINT64_MAX)
		return err_here(-ERANGE);
	*sum = (uint64_t)total;
	return 0;
}

#define US_PER_MIN (60 * US_PER_SEC)
#define US_PER_HOUR (60 * US_PER_MIN)
#define US_PER_DAY (24 * US_PER_HOUR)
#define US_PER_WEEK (7 * US_PER_DAY)
#define US_PER_YEAR (31557600 * US_PER_SEC) /* 365.25 days */
#define US_PER_MONTH (US_PER_YEAR / 12)

/* clang-format off */
static const struct span_unit {
	const char *name;
	uint64_t us;
} span_units[] = {
	{"us", 1}, {"usec", 1}, {"\xc2\xb5s", 1} /* micro sign */, {"\xce\xbcs", 1} /* Greek mu */,
	{"ms", US_PER_MS}, {"msec", US_PER_MS},
	{"s", US_PER_SEC}, {"sec", US_PER_SEC}, {"second", US_PER_SEC}, {"seconds", US_PER_SEC},
	{"m", US_PER_MIN}, {"min", US_PER_MIN}, {"minute", US_PER_MIN}, {"minutes", US_PER_MIN},
	{"h", US_PER_HOUR}, {"hr", US_PER_HOUR}, {"hour", US_PER_HOUR}, {"hours", US_PER_HOUR},
	{"d", US_PER_DAY}, {"day", US_PER_DAY}, {"days", US_PER_DAY},
	{"w", US_PER_WEEK}, {"week", US_PER_WEEK}, {"weeks", US_PER_WEEK},
	{"M", US_PER_MONTH}, {"month", US_PER_MONTH}, {"months", US_PER_MONTH},
	{"y", US_PER_YEAR}, {"year", US_PER_YEAR}, {"years", US_PER_YEAR},
};
/* clang-format on */

static int span_unit_us(struct str name, uint64_t *ret_us)
{
	for (size_t i = 0; i < ARRAY_SIZE(span_units); i++) {
		if (str_eq_z(name, span_units[i].name)) {
			*ret_us = span_units[i].us;
			return 0;
		}
	}
	return err_here(-EINVAL);
}

/* Each digit of a fraction counts whole microseconds: a third of one is lost ten digits in a row, as systemd has it. */
static uint64_t fraction_us(struct decimal d, uint64_t unit_us)
{
	uint64_t sum = 0;

	for (uint64_t place = d.scale / 10; place > 0; place /= 10) {
		unit_us /= 10;
		sum += d.fraction / place % 10 * unit_us;
	}
	return sum;
}

/* One "12.5 min" off s. A number must be followed by a unit, a blank or the end: "1.2.3" says nothing. */
static int cut_span(struct str *s, uint64_t default_unit_us, uint64_t *sum)
{
	uint64_t unit_us = default_unit_us;
	struct decimal d;
	struct str name;
	size_t left;
	int r;

	r = cut_decimal(s, &d);
	if (r < 0)
		return r;
	left = s->n;
	skip_blanks(s);
	name = cut_run(s, false);
	if (name.n > 0)
		r = span_unit_us(name, &unit_us);
	else if (s->n > 0 && s->n == left)
		r = err_here(-EINVAL);
	/* As systemd counts, the last whole unit before infinity is too much already, and so is what needs a sign bit. */
	if (r == 0 && (d.whole > INT64_MAX || d.whole >= UINT64_MAX / unit_us))
		r = err_here(-ERANGE);
	return r < 0 ? r : add_scaled(sum, d.whole, unit_us, fraction_us(d, unit_us));
}

int value_span(struct str s, uint64_t default_unit_us, uint64_t *ret_us)
{
	uint64_t sum = 0;

	s = str_trim(s);
	if (str_eq_z(s, "infinity")) {
		*ret_us = TIME_NEVER;
		return 0;
	}
	if (s.n == 0)
		return err_here(-EINVAL);
	while (s.n > 0) {
		int r = cut_span(&s, default_unit_us, &sum);

		if (r < 0)
			return r;
		skip_blanks(&s);
	}
	*ret_us = sum;
	return 0;
}

int value_size(struct str s, uint64_t *ret_bytes)
{
	static const char suffixes[] = "EPTGMKB";
	size_t last = 0; /* "1G 500M": suffixes may only fall */
	uint64_t sum = 0;

	s = str_trim(s);
	if (str_eq_z(s, "infinity")) {
		*ret_bytes = UINT64_MAX;
		return 0;
	}
	if (s.n == 0)
		return err_here(-EINVAL);
	while (s.n > 0) {
		size_t at = sizeof(suffixes) - 2;
		struct decimal d;
		uint64_t unit;
		int r = cut_decimal(&s, &d);

		if (r < 0)
			return r;
		skip_blanks(&s);
		if (s.n > 0 && !is_digit(s.p[0])) {
			const char *found = memchr(suffixes, s.p[0], sizeof(suffixes) - 1);

			if (!found)
				return err_here(-EINVAL);
			at = (size_t)(found - suffixes);
			s = str_sub(s, 1, s.n);
			skip_blanks(&s);
		}
		if (at < last)
			return err_here(-EINVAL);
		last = at + 1;
		unit = UINT64_C(1) << (10 * (sizeof(suffixes) - 2 - at));
		r = add_scaled(&sum, d.whole, unit, (uint64_t)((u128)d.fraction * unit / d.scale));
		if (r < 0)
			return r;
	}
	*ret_bytes = sum;
	return 0;
}

/* --- plain numbers and words --- */

int value_mode(struct str s, uint32_t *ret_mode)
{
	uint32_t mode;
	int r = str_to_octal(s, &mode);

	if (r < 0)
		return r;
	if (mode > 07777)
		return err_here(-ERANGE);
	*ret_mode = mode;
	return 0;
}

int value_u32(struct str s, uint32_t *ret)
{
	uint64_t n;
	int r = str_to_u64(s, &n);

	if (r < 0)
		return r;
	if (n > UINT32_MAX)
		return err_here(-ERANGE);
	*ret = (uint32_t)n;
	return 0;
}

int value_int(struct str s, int min, int max, int *ret)
{
	int64_t n;
	int r = str_to_i64(s, &n);

	if (r < 0)
		return r;
	if (n < min || n > max)
		return err_here(-ERANGE);
	*ret = (int)n;
	return 0;
}

int value_enum(struct str s, const char *const *names, unsigned n, unsigned *ret)
{
	for (unsigned i = 0; i < n; i++) {
		if (names[i] && str_eq_z(s, names[i])) {
			*ret = i;
			return 0;
		}
	}
	return err_here(-EINVAL);
}

/* --- signals --- */

#define SIGNAL_ROW(name) [SIG##name] = "SIG" #name
/* clang-format off */
static const char *const signal_names[] = {
	SIGNAL_ROW(HUP), SIGNAL_ROW(INT), SIGNAL_ROW(QUIT), SIGNAL_ROW(ILL), SIGNAL_ROW(TRAP), SIGNAL_ROW(ABRT),
	SIGNAL_ROW(BUS), SIGNAL_ROW(FPE), SIGNAL_ROW(KILL), SIGNAL_ROW(USR1), SIGNAL_ROW(SEGV), SIGNAL_ROW(USR2),
	SIGNAL_ROW(PIPE), SIGNAL_ROW(ALRM), SIGNAL_ROW(TERM), SIGNAL_ROW(STKFLT), SIGNAL_ROW(CHLD), SIGNAL_ROW(CONT),
	SIGNAL_ROW(STOP), SIGNAL_ROW(TSTP), SIGNAL_ROW(TTIN), SIGNAL_ROW(TTOU), SIGNAL_ROW(URG), SIGNAL_ROW(XCPU),
	SIGNAL_ROW(XFSZ), SIGNAL_ROW(VTALRM), SIGNAL_ROW(PROF), SIGNAL_ROW(WINCH), SIGNAL_ROW(IO), SIGNAL_ROW(PWR),
	SIGNAL_ROW(SYS),
};
/* By distance from SIGRTMIN, which the C library decides at run time. */
#define RT(n) "SIGRTMIN+" #n
static const char *const realtime_names[] = {
	"SIGRTMIN", RT(1), RT(2), RT(3), RT(4), RT(5), RT(6), RT(7), RT(8), RT(9), RT(10), RT(11), RT(12), RT(13), RT(14),
	RT(15), RT(16), RT(17), RT(18), RT(19), RT(20), RT(21), RT(22), RT(23), RT(24), RT(25), RT(26), RT(27), RT(28),
	RT(29), RT(30), RT(31), RT(32),
};
/* clang-format on */

const char *value_signal_name(int sig)
{
	if (sig > 0 && sig < (int)ARRAY_SIZE(signal_names) && signal_names[sig])
		return signal_names[sig];
	if (sig >= SIGRTMIN && sig <= SIGRTMAX && sig - SIGRTMIN < (int)ARRAY_SIZE(realtime_names))
		return realtime_names[sig - SIGRTMIN];
	return "?";
}

/* What follows "RTMIN" or "RTMAX": nothing, or a sign (that of step) and a distance that stays within the range. */
static int realtime_signal(struct str tail, int from, int step, int *ret)
{
	int distance = 0;
	int r;

	if (tail.n > 0) {
		if (tail.p[0] != (step > 0 ? '+' : '-') || tail.n < 2 || !is_digit(tail.p[1]))
			return err_here(-EINVAL);
		r = value_int(str_sub(tail, 1, tail.n), 0, SIGRTMAX - SIGRTMIN, &distance);
		if (r < 0)
			return r;
	}
	*ret = from + step * distance;
	return 0;
}

int value_signal(struct str s, int *ret)
{
	struct str bare = str_has_prefix(s, STR("SIG")) ? str_sub(s, 3, s.n) : s;

	if (s.n > 0 && is_digit(s.p[0]))
		return value_int(s, 1, SIGRTMAX, ret);
	if (str_has_prefix(bare, STR("RTMIN")))
		return realtime_signal(str_sub(bare, 5, bare.n), SIGRTMIN, 1, ret);
	if (str_has_prefix(bare, STR("RTMAX")))
		return realtime_signal(str_sub(bare, 5, bare.n), SIGRTMAX, -1, ret);
	for (int i = 1; i < (int)ARRAY_SIZE(signal_names); i++) {
		if (signal_names[i] && str_eq_z(bare, signal_names[i] + 3)) {
			*ret = i;
			return 0;
		}
	}
	return err_here(-EINVAL);
}

/* --- resource limits --- */

/* "+5" and "-5" are niceness as users write it; the kernel counts 20 - nice; a plain number is the kernel's. */
static int nice_limit(struct str s, uint64_t *ret)
{
	int nice = 0;
	int r;

	if (s.n == 0 || (s.p[0] != '+' && s.p[0] != '-')) {
		uint64_t raw;

		r = str_to_u64(s, &raw);
		if (r == 0 && raw > 40)
			r = err_here(-ERANGE);
		if (r == 0)
			*ret = raw;
		return r;
	}
	r = value_int(s.p[0] == '+' ? str_sub(s, 1, s.n) : s, -20, 19, &nice);
	if (r == 0)
		*ret = (uint64_t)(20 - nice);
	return r;
}

static int limit_one(struct str s, int resource, uint64_t *ret)
{
	uint64_t us;
	int r;

	if (str_eq_z(s, "infinity")) {
		*ret = UINT64_MAX;
		return 0;
	}
	switch (resource) {
	case RLIMIT_CPU:
		r = value_span(s, US_PER_SEC, &us);
		if (r == 0)
			*ret = us / US_PER_SEC + (us % US_PER_SEC ? 1 : 0);
		return r;
	case RLIMIT_RTTIME:
		return value_span(s, 1, ret);
	case RLIMIT_NICE:
		return nice_limit(s, ret);
	case RLIMIT_FSIZE:
	case RLIMIT_DATA:
	case RLIMIT_STACK:
	case RLIMIT_CORE:
	case RLIMIT_RSS:
	case RLIMIT_MEMLOCK:
	case RLIMIT_AS:
	case RLIMIT_MSGQUEUE:
		return value_size(s, ret);
	default:
		return str_to_u64(s, ret);
	}
}

int value_limit(struct str s, int resource, uint64_t *ret_soft, uint64_t *ret_hard)
{
	size_t colon = str_index(s, ':');
	uint64_t soft;
	uint64_t hard;
	int r;

	r = limit_one(str_sub(s, 0, colon), resource, &soft);
	if (r < 0)
		return r;
	hard = soft;
	if (colon < s.n) {
		r = limit_one(str_sub(s, colon + 1, s.n), resource, &hard);
		if (r < 0)
			return r;
	}
	if (soft > hard)
		return err_here(-EINVAL);
	*ret_soft = soft;
	*ret_hard = hard;
	return 0;
}

/* --- exit codes, capabilities, CPU lists --- */

/* clang-format off */
static const char *const exit_names[256] = {
	[0] = "SUCCESS", "FAILURE", "INVALIDARGUMENT", "NOTIMPLEMENTED", "NOPERMISSION", "NOTINSTALLED", "NOTCONFIGURED",
	"NOTRUNNING", /* LSB */
	[64] = "USAGE", "DATAERR", "NOINPUT", "NOUSER", "NOHOST", "UNAVAILABLE", "SOFTWARE", "OSERR", "OSFILE", "CANTCREAT",
	"IOERR", "TEMPFAIL", "PROTOCOL", "NOPERM", "CONFIG", /* sysexits.h */
	[200] = "CHDIR", "NICE", "FDS", "EXEC", "MEMORY", "LIMITS", "OOM_ADJUST", "SIGNAL_MASK", "STDIN", "STDOUT", "CHROOT",
	"IOPRIO", "TIMERSLACK", "SECUREBITS", "SETSCHEDULER", "CPUAFFINITY", "GROUP", "USER", "CAPABILITIES", "CGROUP",
	"SETSID", "CONFIRM", "STDERR",
	[224] = "PAM", "NETWORK", "NAMESPACE", "NO_NEW_PRIVILEGES", "SECCOMP", "SELINUX_CONTEXT", "PERSONALITY", "APPARMOR",
	"ADDRESS_FAMILIES", "RUNTIME_DIRECTORY",
	[235] = "CHOWN", "SMACK_PROCESS_LABEL", "KEYRING", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY",
	"CONFIGURATION_DIRECTORY", "NUMA_POLICY", "CREDENTIALS", "BPF",
	[255] = "EXCEPTION",
};

const char *value_setup_name(int status)
{
	return status >= 200 && status < 255 ? exit_names[status] : NULL;
}

static const char *const capability_names[] = {
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid",
	"cap_setuid", "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin",
	"cap_net_raw", "cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot",
	"cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource",
	"cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write", "cap_audit_control",
	"cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm", "cap_block_suspend",
	"cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore",
};
/* clang-format on */

int value_exit(struct str s, int *ret_value, bool *ret_is_signal)
{
	unsigned code = 0;
	int r;

	if (s.n > 0 && is_digit(s.p[0])) {
		r = value_int(s, 0, 255, ret_value);
	} else if (value_enum(s, exit_names, ARRAY_SIZE(exit_names), &code) == 0) {
		*ret_value = (int)code;
		r = 0;
	} else {
		r = value_signal(s, ret_value);
		if (r == 0)
			*ret_is_signal = true;
		return r;
	}
	if (r == 0)
		*ret_is_signal = false;
	return r;
}

const char *value_capability_name(unsigned cap)
{
	return cap < ARRAY_SIZE(capability_names) ? capability_names[cap] : NULL;
}

int value_capability(struct str s, unsigned *ret_cap)
{
	enum {
		CAP_NUMBER_MAX = 62
	}; /* the sets are 64 bits wide, and all ones is "every capability" */
	int number = 0;
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(capability_names); i++) {
		if (str_eq_case(s, str_of(capability_names[i]))) {
			*ret_cap = i;
			return 0;
		}
	}
	r = value_int(s, 0, CAP_NUMBER_MAX, &number);
	if (r == 0)
		*ret_cap = (unsigned)number;
	return r;
}

/* "3" or "0-3". */
static int cpu_range(struct str s, size_t limit, size_t *ret_from, size_t *ret_to)
{
	size_t dash = str_index(s, '-');
	uint64_t from;
	uint64_t to;
	int r;

	r = str_to_u64(str_sub(s, 0, dash), &from);
	if (r < 0)
		return r;
	to = from;
	if (dash < s.n) {
		r = str_to_u64(str_sub(s, dash + 1, s.n), &to);
		if (r < 0)
			return r;
	}
	if (to < from)
		return err_here(-EINVAL);
	if (to >= limit)
		return err_here(-ERANGE);
	*ret_from = (size_t)from;
	*ret_to = (size_t)to;
	return 0;
}

static bool cut_cpu_piece(struct str *s, struct str *ret)
{
	size_t n = 0;

	while (s->n > 0 && (is_blank(s->p[0]) || s->p[0] == ','))
		*s = str_sub(*s, 1, s->n);
	while (n < s->n && !is_blank(s->p[n]) && s->p[n] != ',')
		n++;
	*ret = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	return n > 0;
}

int value_cpus(struct str s, unsigned char *mask, size_t n)
{
	size_t limit = n > SIZE_MAX / 8 ? SIZE_MAX : n * 8;
	struct str rest = s;
	struct str piece;
	size_t from;
	size_t to;

	while (cut_cpu_piece(&rest,
			     &piece)) { /* all of it is looked at before the mask is touched */
		int r = cpu_range(piece, limit, &from, &to);

		if (r < 0)
			return r;
	}
	memset(mask, 0, n);
	while (cut_cpu_piece(&s, &piece)) {
		if (cpu_range(piece, limit, &from, &to) < 0)
			continue; /* cannot be: it was read a moment ago */
		for (size_t i = from; i <= to; i++)
			mask[i / 8] = (unsigned char)(mask[i / 8] | 1u << i % 8);
	}
	return 0;
}

/* --- what was meant, and printing --- */

/* The lower, the more alike; UINT_MAX: not alike. A short common prefix says nothing, so 4 characters are asked for. */
static unsigned likeness(struct str s, struct str name)
{
	enum { PREFIX_MIN = 4, DISTANCE_MAX = 2 };
	unsigned distance;

	if (str_eq_case(s, name))
		return 0;
	distance = str_distance(s, name, DISTANCE_MAX);
	if (distance < s.n && distance <= DISTANCE_MAX)
		return distance;
	if (s.n >= PREFIX_MIN && name.n >= PREFIX_MIN &&
	    (str_has_prefix(name, s) || str_has_prefix(s, name)))
		return DISTANCE_MAX + 1;
	return UINT_MAX;
}

const char *value_suggest(struct str s, const char *const *names, unsigned n)
{
	unsigned best_score = UINT_MAX;
	const char *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		unsigned score = names[i] ? likeness(s, str_of(names[i])) : UINT_MAX;

		if (score < best_score) {
			best_score = score;
			best = names[i];
		}
	}
	return best;
}

const char *value_suggest_signal(struct str s)
{
	return value_suggest(s, signal_names, ARRAY_SIZE(signal_names));
}

const char *value_suggest_capability(struct str s)
{
	char lower[64];

	if (s.n > sizeof(lower))
		return NULL;
	for (size_t k = 0; k < s.n; k++)
		lower[k] = s.p[k] >= 'A' && s.p[k] <= 'Z' ? (char)(s.p[k] - 'A' + 'a') : s.p[k];
	return value_suggest((struct str){lower, s.n}, capability_names,
			     ARRAY_SIZE(capability_names));
}

/* How a span is printed: its units from the longest. digits: places of a fraction; used below a minute, to end the text. */
static const struct print_unit {
	const char *name;
	uint64_t us;
	int digits;
} print_units[] = {
	{"y", US_PER_YEAR, 0}, {"month", US_PER_MONTH, 0}, {"w", US_PER_WEEK, 0},
	{"d", US_PER_DAY, 0},  {"h", US_PER_HOUR, 0},      {"min", US_PER_MIN, 0},
	{"s", US_PER_SEC, 6},  {"ms", US_PER_MS, 3},       {"us", 1, 0},
};

/* n of that unit behind the `at` bytes there are; what does not fit is left out. Returns the bytes there are now. */
static size_t append(char *out, size_t cap, size_t at, const struct print_unit *unit, uint64_t us)
{
	unsigned long long whole = us / unit->us;
	unsigned long long fraction = us % unit->us;
	const char *gap = at > 0 ? " " : "";
	int r;

	if (at + 1 >= cap)
		return at;
	if (unit->digits > 0 && fraction > 0)
		r = snprintf(out + at, cap - at, "%s%llu.%0*llu%s", gap, whole, unit->digits,
			     fraction, unit->name);
	else
		r = snprintf(out + at, cap - at, "%s%llu%s", gap, whole, unit->name);
	if (r < 0)
		return at;
	return (size_t)r >= cap - at ? cap - 1 : at + (size_t)r;
}

size_t value_format_span(uint64_t us, char *out, size_t cap)
{
	size_t at = 0;

	if (cap == 0)
		return 0;
	out[0] = '\0';
	if (us == TIME_NEVER || us == 0) {
		struct str word = str_sub(us == 0 ? STR("0") : STR("infinity"), 0, cap - 1);

		memcpy(out, word.p, word.n);
		out[word.n] = '\0';
		return word.n;
	}
	for (size_t i = 0; i < ARRAY_SIZE(print_units) && us > 0; i++) {
		if (us < print_units[i].us)
			continue;
		at = append(out, cap, at, &print_units[i], us);
		us = print_units[i].digits > 0 ? 0 : us % print_units[i].us;
	}
	return at;
}
