/* SPDX-License-Identifier: MIT */
#include "core/utmp.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utmpx.h>

#include "core/fd.h"

#define UTMP_FILE "/run/utmp"
#define WTMP_FILE "/var/log/wtmp"

enum { TRIES = 20, TRY_MS = 50 };

/* Fields have no NUL behind them when they are full. */
static void fill(char *field, size_t room, const char *text)
{
	size_t n = strnlen(text, room);

	memset(field, 0, room);
	memcpy(field, text, n);
}

/* As the C library locks it: all of the file, by process. 0, -EAGAIN: somebody else writes. */
static int lock(int fd, unsigned tries)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int r;

	while ((r = fcntl(fd, F_SETLK, &all)) < 0 && --tries)
		poll(NULL, 0, TRY_MS);
	return r < 0 ? -EAGAIN : 0;
}

/* The record of that id in *found, and where it is; else the end of the file. */
static bool find(int fd, const struct utmpx *like, struct utmpx *found, off_t *ret_at)
{
	for (*ret_at = 0; pread(fd, found, sizeof(*found), *ret_at) == (ssize_t)sizeof(*found);
	     *ret_at += (off_t)sizeof(*found))
		if (found->ut_type >= INIT_PROCESS && found->ut_type <= DEAD_PROCESS &&
		    memcmp(found->ut_id, like->ut_id, sizeof(like->ut_id)) == 0)
			return true;
	return false;
}

static void append(const struct utmpx *record)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, WTMP_FILE, O_WRONLY | O_APPEND, 0);

	if (fd >= 0)
		(void)!write(fd, record, sizeof(*record));
}

static void set_time(struct utmpx *record)
{
	uint64_t now = clock_wall_us();

	record->ut_tv.tv_sec = (int32_t)(now / US_PER_SEC);
	record->ut_tv.tv_usec = (int32_t)(now % US_PER_SEC);
}

static void set_id(struct utmpx *record, const char *id)
{
	size_t n = strlen(id);

	fill(record->ut_id, sizeof(record->ut_id),
	     n > sizeof(record->ut_id) ? id + n - sizeof(record->ut_id) : id);
}

void utmp_begin(const struct utmp_entry *e)
{
	static const short types[] = {INIT_PROCESS, LOGIN_PROCESS, USER_PROCESS};
	AUTO_FD int fd = fd_open(AT_FDCWD, UTMP_FILE, O_RDWR, 0);
	struct utmpx record = {.ut_pid = e->pid, .ut_session = getsid(0)}, old;
	off_t at;

	set_id(&record, e->id);
	fill(record.ut_line, sizeof(record.ut_line), e->line);
	set_time(&record);
	/* Each mode has been the one before, as wtmp tells. */
	for (unsigned k = UTMP_INIT; k <= e->mode && k < ARRAY_SIZE(types); k++) {
		record.ut_type = types[k];
		if (k == UTMP_LOGIN)
			fill(record.ut_user, sizeof(record.ut_user), "LOGIN");
		if (k == UTMP_USER)
			fill(record.ut_user, sizeof(record.ut_user), e->user);
		append(&record);
	}
	if (fd < 0 || lock(fd, TRIES) < 0)
		return;
	(void)find(fd, &record, &old, &at);
	(void)!pwrite(fd, &record, sizeof(record), at);
}

void utmp_end(const char *id, pid_t pid)
{
	AUTO_FD int fd = fd_open(AT_FDCWD, UTMP_FILE, O_RDWR, 0);
	struct utmpx record = {0}, found;
	off_t at;

	set_id(&record, id);
	if (fd < 0 || lock(fd, 1) < 0 || !find(fd, &record, &found, &at) || found.ut_pid != pid)
		return;
	found.ut_type = DEAD_PROCESS;
	memset(found.ut_user, 0, sizeof(found.ut_user));
	memset(found.ut_host, 0, sizeof(found.ut_host));
	set_time(&found);
	(void)!pwrite(fd, &found, sizeof(found), at);
	append(&found);
}
