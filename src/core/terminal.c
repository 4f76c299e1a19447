/* SPDX-License-Identifier: MIT */
#include "core/terminal.h"

#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "core/fd.h"

enum { RETRY_MS = 200 };

static int sys(long result)
{
	return result < 0 ? -errno : 0;
}

/* A terminal may be somebody else's: force it, fail, or wait until it is free. systemd.exec(5), StandardInput= */
int terminal_take(const struct plan_record *rec)
{
	enum { FORCE = 1, FAIL = 2 };
	uint64_t flags = rec->w[0];
	/* The service inherits it: a process of its own is not made before it has one. */
	int fd = open(rec->text, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0 || fcntl(fd, F_SETFL, O_RDWR) < 0)
		return -errno;
	while (ioctl(fd, TIOCSCTTY, flags & FORCE) < 0) {
		if (errno != EPERM || flags & (FORCE | FAIL))
			return -errno;
		poll(NULL, 0, RETRY_MS);
	}
	if (fd == STDIN_FILENO)
		return sys(fcntl(fd, F_SETFD, 0));
	r = sys(dup2(fd, STDIN_FILENO));
	close(fd);
	return r;
}

/* One that does not wait for its line (O_NONBLOCK), and never becomes ours by that. */
static int open_quietly(const char *path)
{
	return fd_open(AT_FDCWD, path, O_RDWR | O_NONBLOCK, 0);
}

/* termios(3): lines, echo, signals by keys; 8 bits; speed and parity stay as they are. */
static void set_modes(int fd)
{
	static const cc_t keys[NCCS] = {
		[VINTR] = 3,     [VQUIT] = 28,    [VERASE] = 127, [VKILL] = 21,  [VEOF] = 4,
		[VTIME] = 0,     [VMIN] = 1,      [VSTART] = 17,  [VSTOP] = 19,  [VSUSP] = 26,
		[VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
	};
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return;
	t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | ISTRIP | INLCR | IGNCR | IUCLC | IXOFF);
	t.c_iflag |= ICRNL | IMAXBEL | IUTF8 | IXON;
	t.c_oflag |= ONLCR | OPOST;
	t.c_cflag |= CREAD;
	t.c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
	memcpy(t.c_cc, keys, sizeof(keys));
	(void)tcsetattr(fd, TCSANOW, &t);
	(void)tcflush(fd, TCIOFLUSH);
}

/* console_ioctl(4): what a graphical program that died has left behind. */
static void set_console(int fd)
{
	(void)ioctl(fd, TIOCNXCL);
	(void)ioctl(fd, KDSETMODE, KD_TEXT);
	(void)ioctl(fd, KDSKBMODE, K_UNICODE);
}

/* A console that nobody sees is given up with its memory; of the one that is seen all is wiped. console_codes(4) */
static void clear(int fd, const char *path)
{
	static const char wipe[] = "\033[r\033[H\033[3J\033c";
	struct str name = str_of(path);
	uint64_t number;

	if (!str_has_prefix(name, STR("/dev/tty")) ||
	    str_to_u64(str_sub(name, strlen("/dev/tty"), name.n), &number) < 0)
		return;
	(void)!fd_write_all(fd, wipe, sizeof(wipe) - 1);
	if (number > 0) {
		AUTO_FD int current = open_quietly("/dev/tty0");

		if (current >= 0)
			(void)ioctl(current, VT_DISALLOCATE, (int)number);
	}
}

static void set_size(int fd, uint64_t rows, uint64_t columns)
{
	struct winsize size;

	if ((!rows && !columns) || ioctl(fd, TIOCGWINSZ, &size) < 0)
		return;
	size.ws_row = rows ? (unsigned short)rows : size.ws_row;
	size.ws_col = columns ? (unsigned short)columns : size.ws_col;
	(void)ioctl(fd, TIOCSWINSZ, &size);
}

int terminal_reset(const struct plan_record *rec)
{
	const char *path = rec->text;
	uint64_t flags = rec->w[0];
	int fd = open_quietly(path);

	if (fd >= 0 && isatty(fd) && flags & TERMINAL_HANGUP) {
		/* Its own descriptor is cut off, too. */
		(void)ioctl(fd, TIOCVHANGUP);
		fd_close(fd);
		fd = open_quietly(path);
	}
	if (fd < 0)
		return fd == -ENOENT || fd == -ENXIO ? 0 : fd;
	if (isatty(fd)) {
		if (flags & TERMINAL_RESET) {
			set_console(fd);
			set_modes(fd);
		}
		set_size(fd, rec->w[1], rec->w[2]);
		if (flags & TERMINAL_CLEAR)
			clear(fd, path);
	}
	fd_close(fd);
	return 0;
}
