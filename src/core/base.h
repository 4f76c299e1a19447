/* SPDX-License-Identifier: MIT */
/*
 * base - the few macros and types that every file of hark may use.
 *
 * Time is a uint64_t in microseconds everywhere; TIME_NEVER is infinity. A function that can fail returns an int:
 * 0 success, > 0 an outcome documented in its own header, < 0 a negative errno that is forwarded unchanged.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define NO_RETURN __attribute__((noreturn))

/* Drops const as strchr(3) does, so that one container_of() serves both kinds of pointer. */
static inline void *ptr_back(const void *p, size_t n)
{
	char *at;

	memcpy(&at, &p, sizeof(at));
	return at - n;
}
#define container_of(ptr, type, member) ((type *)ptr_back((ptr), offsetof(type, member)))

#define TIME_NEVER UINT64_MAX
#define US_PER_MS UINT64_C(1000)
#define US_PER_SEC UINT64_C(1000000)

/* Microseconds. */
static inline uint64_t timespec_us(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * US_PER_SEC + (uint64_t)t->tv_nsec / 1000;
}

/* Of a clock; the ones that are read here cannot fail. */
static inline uint64_t clock_us(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return timespec_us(&t);
}

static inline uint64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* Saturating addition of two times in microseconds; TIME_NEVER absorbs. */
static inline uint64_t time_add(uint64_t a_us, uint64_t b_us)
{
	uint64_t sum;

	return __builtin_add_overflow(a_us, b_us, &sum) ? TIME_NEVER : sum;
}

/*
 * limit_is_over() - one more in a window of time: is that more than may be?
 *
 * @begin_us, @count: of the window, zeroed at first
 * @interval_us, @most: 0 for no limit
 */
static inline bool limit_is_over(uint64_t *begin_us, uint32_t *count, uint64_t now_us,
				 uint64_t interval_us, uint32_t most)
{
	if (!interval_us || !most)
		return false;
	if (!*begin_us || now_us - *begin_us >= interval_us) {
		*begin_us = now_us;
		*count = 0;
	}
	return ++*count > most;
}

/* The place where an error was first seen; a ring of the last 256 is kept by log.c for `harkctl trace`. */
int err_note(int err, const char *file, int line);
#define err_here(err) err_note((err), __FILE__, __LINE__)

/* An invariant of ours. Never ends the process: it is counted, noted with its place, and the program goes on. */
void check_failed(const char *what, const char *file, int line);
static inline bool check_that(bool cond, const char *what, const char *file, int line)
{
	if (!cond)
		check_failed(what, file, line);
	return cond;
}
#define CHECK(cond) check_that((cond), #cond, __FILE__, __LINE__)

/* Give up ownership held by an AUTO_MEM or AUTO_FD variable: returns the value, leaves the variable empty. */
#define take_ptr(p)                            \
	({                                     \
		__typeof__(p) take_tmp_ = (p); \
		(p) = NULL;                    \
		take_tmp_;                     \
	})
#define take_fd(fd)                   \
	({                            \
		int take_tmp_ = (fd); \
		(fd) = -1;            \
		take_tmp_;            \
	})

void auto_mem_p(void *pp); /* mem.c */
void auto_fd_p(int *fd);   /* fd.c */
#define AUTO_MEM __attribute__((cleanup(auto_mem_p)))
#define AUTO_FD __attribute__((cleanup(auto_fd_p)))
