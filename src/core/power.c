/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/reboot.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include "core/fd.h"
#include "core/final.h"
#include "core/log.h"
#include "core/remember.h"
#include "core/run.h"

enum { COMMAND_EXIT = -1, WORDS_MOST = 8192 };

/* What hark-init was started with, for the one that it becomes. */
static void keep_words(const char *path)
{
	static char text[WORDS_MOST]; /* nothing is allocated on the way down */
	ssize_t n = fd_read_small(AT_FDCWD, "/proc/1/cmdline", text, sizeof(text));
	AUTO_FD int fd = n < 0 ? -1 : fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || fd_write_all(fd, text, (size_t)n) < 0)
		log_at(LOG_ERROR,
		       "hark-init begins anew without its words: they cannot be kept in %s", path);
}

static void say_goodbye(struct hark *h)
{
	bool is_exit = h->final_command == COMMAND_EXIT;
	bool is_soft = h->final_command == FINAL_SOFT;
	char words[256];

	log_at(LOG_INFO, "everything has ended in order; %s",
	       is_exit   ? "leaving"
	       : is_soft ? "beginning anew"
			 : "handing over to the kernel");
	snprintf(words, sizeof(words), "%s/words", h->run_dir);
	if (is_soft)
		keep_words(words);
	if (bank_final(&h->bank, is_exit ? h->exit_code : h->final_command, is_exit, h->exec_path,
		       is_soft ? words : NULL) < 0)
		log_at(LOG_ERROR, "PID 1 does not take the final request");
}

void run_shutdown_check(struct hark *h)
{
	if (h->is_shutting_down && h->engine.jobs_n == 0 && !h->did_say_goodbye) {
		h->did_say_goodbye = true;
		say_goodbye(h);
	}
}

/* Mounts and swap outlive the isolation of a target; what conflicts with umount.target ends when all that use it have ended. */
static void unmount(struct hark *h, const struct cause *cause)
{
	struct unit *u = registry_get(&h->reg, "umount.target");

	if (!u || engine_request(&h->engine, u, JOB_START, MODE_REPLACE, cause, false, NULL) != 0)
		log_at(LOG_ERROR, "unmounting cannot be planned; PID 1 does it at the end");
}

/* Isolation leaves devices alone; nobody waits for one that is still to come. */
static void stop_waiting(struct hark *h)
{
	for (uint32_t i = 0; i < h->reg.n; i++) {
		struct unit *u = registry_unit(&h->reg, i);

		if (u && u->ops->is_outside && job_pending(u) == JOB_START)
			engine_cancel(&h->engine, u);
	}
}

/*
 * Everything stops by isolating shutdown.target: units are stopped in the inverse of their start order, each within its own
 * timeout. Stopping allocates nothing but the plan; when even that fails PID 1's last kill does the rest.
 */
int run_shutdown(struct hark *h, int command, int exit_code, const struct cause *cause)
{
	struct unit *u = registry_get(&h->reg, "shutdown.target");
	int r;

	h->final_command = h->is_pid1 ? command : COMMAND_EXIT;
	h->exit_code = exit_code;
	if (h->is_shutting_down)
		return 0;
	h->is_shutting_down = true;
	remember_manager(h);
	r = u ? engine_request(&h->engine, u, JOB_START, MODE_ISOLATE, cause, false, NULL)
	      : -ENOMEM;
	if (r == 0)
		unmount(h, cause);
	h->engine.is_ending = true;
	stop_waiting(h);
	if (r != 0) {
		log_at(LOG_ERROR, "the stop of all units cannot be planned (%d); PID 1 ends them",
		       r);
		h->did_say_goodbye = true;
		say_goodbye(h);
	}
	return 0;
}

static void reload_files(struct hark *h)
{
	if (load_scan(&h->load) < 0)
		log_at(LOG_ERROR,
		       "cannot read the unit directories again: out of memory; the old index stays");
}

/* --- orders by signal --- */

/* As numbers, because the C library decides where SIGRTMIN is. */
enum { RT = 64, KEYS_MOST = 7, KEYS_US = 2 * 1000 * 1000, COMMAND_NONE = 0 };

/*
 * What a signal to PID 1 asks for, as in systemd(1), "Signals": a unit that is started where one has been written for it, or else an end in order
 * with a command of reboot(2). At once: nothing is stopped by its unit. SIGINT is Ctrl-Alt-Del, SIGWINCH the key for attention and SIGPWR a failing
 * power supply (reboot(2), console_ioctl(4), signal(7)). SIGTERM is what a container is ended with.
 */
static const struct order {
	int signal; /* RT + n: SIGRTMIN + n */
	const char *unit;
	enum job_mode mode;
	unsigned command;
	bool at_once;
} orders[] = {
	/* clang-format off */
	{ SIGTERM,  NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_RESTART,   false },
	{ SIGINT,   "ctrl-alt-del.target", MODE_REPLACE, LINUX_REBOOT_CMD_RESTART,   false },
	{ SIGPWR,   "sigpwr.target",       MODE_REPLACE, LINUX_REBOOT_CMD_POWER_OFF, false },
	{ SIGWINCH, "kbrequest.target",    MODE_REPLACE, COMMAND_NONE,               false },
	{ RT + 0,   "default.target",      MODE_ISOLATE, COMMAND_NONE,               false },
	{ RT + 1,   "rescue.target",       MODE_ISOLATE, COMMAND_NONE,               false },
	{ RT + 2,   "emergency.target",    MODE_ISOLATE, COMMAND_NONE,               false },
	{ RT + 3,   NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_HALT,      false },
	{ RT + 4,   NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_POWER_OFF, false },
	{ RT + 5,   NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_RESTART,   false },
	{ RT + 6,   NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_KEXEC,     false },
	{ RT + 13,  NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_HALT,      true  },
	{ RT + 14,  NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_POWER_OFF, true  },
	{ RT + 15,  NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_RESTART,   true  },
	{ RT + 16,  NULL,                  MODE_REPLACE, LINUX_REBOOT_CMD_KEXEC,     true  },
	/* clang-format on */
};

static const struct order *find_order(int sig)
{
	int key = sig >= SIGRTMIN ? RT + (sig - SIGRTMIN) : sig;

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (orders[i].signal == key)
			return &orders[i];
	return NULL;
}

/* False: nobody has written such a unit. */
static bool start_ordered(struct hark *h, const struct order *o, const struct cause *cause)
{
	bool is_default = o->signal == RT;
	struct unit *u = o->unit ? registry_get(&h->reg, is_default ? h->default_unit : o->unit)
				 : NULL;

	if (!u || engine_load(&h->engine, u) < 0 || unit_load_state(u) != LOAD_LOADED)
		return false;
	if (engine_request(&h->engine, u, JOB_START, o->mode, cause, false, NULL) != 0)
		log_at(LOG_ERROR, "%s, which a signal asks for, cannot be started", u->name);
	return true;
}

/* Somebody holds the keys down: the end in order does not come to its end. */
static bool is_impatient(struct hark *h, int sig)
{
	uint64_t now_us = loop_now_us(&h->loop);

	if (sig != SIGINT || now_us - h->keys.since_us > KEYS_US) {
		h->keys.since_us = now_us;
		h->keys.n = 0;
	}
	return ++h->keys.n > KEYS_MOST;
}

static void end_at_once(struct hark *h, unsigned command)
{
	log_at(LOG_WARN, "the end at once was asked for: units are not stopped in order");
	h->final_command = h->is_pid1 ? (int)command : COMMAND_EXIT;
	h->is_shutting_down = h->did_say_goodbye = true;
	say_goodbye(h);
}

void run_on_signal(struct hark *h, int sig)
{
	struct cause cause = {.kind = CAUSE_SIGNAL, .unit = UNIT_NONE};
	const struct order *o = find_order(sig);

	snprintf(cause.text, sizeof(cause.text), "signal %d", sig);
	log_at(LOG_INFO, "hark-init received signal %d", sig);
	if (sig == SIGHUP)
		reload_files(h);
	if (!o)
		return;
	if (o->at_once || is_impatient(h, sig))
		end_at_once(h, o->command);
	/* A session is not the machine: it just ends. */
	else if ((!h->is_pid1 || h->is_shutting_down || !start_ordered(h, o, &cause)) &&
		 o->command != COMMAND_NONE && run_shutdown(h, (int)o->command, 0, &cause) < 0)
		log_at(LOG_ERROR, "cannot end in order");
}

static void on_key(struct watch *w, uint32_t events UNUSED)
{
	struct hark *h = container_of(w, struct hark, key_watch);
	struct signalfd_siginfo si;

	if (fd_read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		run_on_signal(h, (int)si.ssi_signo);
}

void run_hear_key(struct hark *h)
{
	AUTO_FD int tty = h->is_pid1 ? fd_open(AT_FDCWD, "/dev/tty0", O_RDWR, 0) : -1;
	sigset_t key;
	int fd;

	if (tty < 0 || ioctl(tty, KDSIGACCEPT, SIGWINCH) < 0)
		return;
	sigemptyset(&key);
	sigaddset(&key, SIGWINCH);
	sigprocmask(SIG_BLOCK, &key, NULL);
	fd = signalfd(-1, &key, SFD_CLOEXEC | SFD_NONBLOCK);
	h->key_watch.fn = on_key;
	if (fd < 0 || loop_watch(&h->loop, &h->key_watch, fd, EPOLLIN) < 0) {
		log_at(LOG_WARN, "the key for attention is not heard: %s", strerror(errno));
		fd_close(fd);
	}
}
