/* SPDX-License-Identifier: MIT */
#include "core/log.h"

#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/str.h"

enum {
	LOG_LINE = 1024,  /* formatted, before escaping */
	LOG_RECORD = 976, /* most of /dev/kmsg is 1024 less its own prefix; more is EINVAL */
	LOG_CHECKS = 16,  /* failed CHECKs told: one in a hot path must not flood */
	ERR_RING = 256,
};

static struct {
	const char *name;
	enum log_level max;
	int kmsg_fd;
	struct str debug; /* HARK_DEBUG, or nothing */
	log_taker_fn taker;
} conf = {.name = "?", .max = LOG_INFO, .kmsg_fd = -1};

static struct err_origin ring[ERR_RING];
static uint64_t ring_seq;
static unsigned checks_failed;

/* Priorities of syslog(3). */
static const char kmsg_prio[] = {
	[LOG_ERROR] = '3', [LOG_WARN] = '4', [LOG_NOTE] = '5', [LOG_INFO] = '6', [LOG_TRACE] = '7',
};
static_assert(ARRAY_SIZE(kmsg_prio) == LOG_LEVELS, "a priority for each level");

void log_init(const char *name, enum log_level max, int kmsg_fd)
{
	conf.name = name;
	conf.kmsg_fd = kmsg_fd;
	conf.debug = str_of(secure_getenv("HARK_DEBUG"));
	log_limit(max);
}

void log_limit(enum log_level max)
{
	/* log_debug() lines are TRACE; who asks for them wants to see them. */
	conf.max = conf.debug.n ? LOG_TRACE : max;
}

void log_offer(log_taker_fn taker)
{
	conf.taker = taker;
}

void log_set_level(enum log_level max)
{
	conf.debug = max == LOG_TRACE ? STR("all") : STR("");
	log_limit(max);
}

enum log_level log_get_level(void)
{
	return conf.max;
}

/* Room for what is next is looked at before each step, so an escape is never cut in two. */
size_t log_escape(char *out, size_t cap, struct str text)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool is_control = c < 0x20 || c == 0x7f;

		if (cap - n < (is_control ? 4 : 1))
			break;
		if (!is_control) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

/* A line that cannot be written is lost: there is nowhere to tell it. */
static void put(int fd, const char *p, size_t n)
{
	ssize_t lost = write(fd, p, n);

	(void)lost;
}

/*
 * Losing a line beats waiting for a terminal or a pipe that nobody reads; and beats SIGPIPE, which
 * is why a descriptor in error is not written to.
 */
static bool is_ready(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};

	return poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT;
}

void log_stderr(const char *p, size_t n)
{
	if (is_ready(STDERR_FILENO))
		put(STDERR_FILENO, p, n);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char text[LOG_LINE];
	char record[LOG_RECORD];
	int saved = errno;
	bool is_taken;
	size_t begin, n;
	va_list ap;

	if (level > conf.max)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);

	/* One record serves both: stderr gets it without the three bytes of the priority. */
	n = (size_t)snprintf(record, sizeof(record), "<%c>hark[%.64s]: ", kmsg_prio[level],
			     conf.name);
	begin = n;
	n += log_escape(record + n, sizeof(record) - n - 1, str_of(text));
	record[n] = '\0';
	is_taken = conf.taker && conf.taker(level, record + begin);
	record[n++] = '\n';
	/* Never blocks, and never polls as writable: only its reading side answers poll(2). The kernel shows on the console what it shall. */
	if (is_taken ? level == LOG_ERROR : conf.kmsg_fd < 0 || write(conf.kmsg_fd, record, n) < 0)
		log_stderr(record + 3, n - 3);
	errno = saved;
}

bool log_debug_on(const char *module)
{
	struct str rest = conf.debug;
	struct str word;

	while (str_cut(&rest, ',', &word))
		if (str_eq_z(word, module) || str_eq(word, STR("all")))
			return true;
	return false;
}

int err_note(int err, const char *file, int line)
{
	ring_seq++;
	ring[ring_seq % ERR_RING] = (struct err_origin){file, line, err, ring_seq};
	return err;
}

unsigned err_trace(struct err_origin *out, unsigned max)
{
	unsigned n = 0;

	while (n < max && n < ERR_RING && n < ring_seq) {
		out[n] = ring[(ring_seq - n) % ERR_RING];
		n++;
	}
	return n;
}

void check_failed(const char *what, const char *file, int line)
{
	checks_failed++;
	(void)err_note(0, file, line);
	if (checks_failed <= LOG_CHECKS)
		log_at(LOG_ERROR, "%s:%d: this should hold but does not: %s; going on", file, line,
		       what);
}

unsigned check_failures(void)
{
	return checks_failed;
}
