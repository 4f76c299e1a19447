/* SPDX-License-Identifier: MIT */
#include "activate/journal.h"

#include <endian.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/procs.h"
#include "units/service.h"

enum { FIELDS = 1024, DAEMON = 3 /* syslog(3): facility of system daemons */, PRIORITY_INFO = 6 };

static const struct sockaddr_un journald = {.sun_family = AF_UNIX,
					    .sun_path = "/run/systemd/journal/socket"};

/* In the name of PID 1, as root may. */
static bool put(int fd, struct iovec *iov, size_t n)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr head;
	} credentials = {0};
	struct msghdr m = {
		.msg_name = (void *)(uintptr_t)&journald,
		.msg_namelen = sizeof(journald),
		.msg_iov = iov,
		.msg_iovlen = n,
		.msg_control = credentials.bytes,
		.msg_controllen = sizeof(credentials.bytes),
	};
	const struct ucred first = {.pid = 1};

	credentials.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(first)),
					    .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_CREDENTIALS};
	memcpy(CMSG_DATA(&credentials.head), &first, sizeof(first));
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* That of the machine: of its own manager alone. */
static bool has_journal(const struct hark *h)
{
	return h->is_pid1 && !h->uid;
}

bool journal_put(struct hark *h, const struct unit *u, const struct journal_line *line)
{
	char fields[FIELDS], run[UNIT_RUN_TEXT];
	/* With its length in front, so that nothing in it begins another field. */
	uint64_t length = htole64(line->text.n);
	struct iovec iov[] = {
		{(void *)(uintptr_t) "MESSAGE\n", strlen("MESSAGE\n")},
		{&length, sizeof(length)},
		{(void *)(uintptr_t)line->text.p, line->text.n},
		{fields, 0},
	};

	if (!has_journal(h))
		return false;
	if (h->journal_fd <= 0)
		h->journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (h->journal_fd < 0)
		return false;
	unit_run_text(u, run);
	iov[3].iov_len = (size_t)snprintf(
		fields, sizeof(fields),
		"\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%.128s\nSYSLOG_PID=%d\nUNIT=%.255s\nINVOCATION_ID=%s\n",
		line->priority, DAEMON, line->identifier ? line->identifier : "hark",
		line->pid ? line->pid : getpid(), u->name, run);
	return put(h->journal_fd, iov, ARRAY_SIZE(iov));
}

/* SyslogIdentifier=, the name of the program, that of the unit. */
static const char *identifier_of(struct unit *u)
{
	const struct exec_config *e = u->config ? u->config->exec : NULL;
	const struct service *s = service_of(u);
	const struct command *now = s ? service_command(s) : NULL;
	const struct command *c = now || !s ? now : command_first(u->config, CMD_START);
	const char *slash = c && c->path ? strrchr(c->path, '/') : NULL;

	if (e && e->syslog_identifier)
		return e->syslog_identifier;
	return slash ? slash + 1 : u->name;
}

bool journal_said(struct hark *h, struct unit *u, struct str line)
{
	const struct proc_ref *main = procs_ref(u, ROLE_MAIN);
	struct journal_line l = {.text = line,
				 .priority = PRIORITY_INFO,
				 .identifier = identifier_of(u),
				 .pid = main ? main->pid : 0};

	if (line.n > 2 && line.p[0] == '<' && line.p[2] == '>' && line.p[1] >= '0' &&
	    line.p[1] <= '7') {
		l.priority = line.p[1] - '0';
		l.text = str_sub(line, 3, line.n);
	}
	return journal_put(h, u, &l);
}

/* A line that begins with "UNIT: " of a unit that is known. False: it does not, or nobody takes it now. */
static bool put_logged(struct hark *h, enum log_level level, const char *text)
{
	static const int priorities[LOG_LEVELS] = {3, 4, 5, 6, 7};
	size_t n = strcspn(text, ":");
	const struct unit *u;
	char name[256];

	if (n >= sizeof(name) || text[n] != ':')
		return false;
	memcpy(name, text, n);
	name[n] = '\0';
	u = registry_find(&h->reg, name);
	return u && journal_put(h, u,
				&(struct journal_line){.text = str_of(text),
						       .priority = priorities[level]});
}

const char *const log_target_names[LOG_TARGETS] = {
	[LOG_TO_AUTO] = "auto",
	[LOG_TO_JOURNAL] = "journal",
	[LOG_TO_JOURNAL_OR_KMSG] = "journal-or-kmsg",
	[LOG_TO_KMSG] = "kmsg",
	[LOG_TO_CONSOLE] = "console",
	[LOG_TO_NULL] = "null",
};

/* Errors that are taken here go to stderr on their own. */
static void put_console(enum log_level level, const char *text)
{
	char line[FIELDS];
	int n = snprintf(line, sizeof(line), "hark[harkd]: %s\n", text);

	if (level != LOG_ERROR && n > 0 && (size_t)n < sizeof(line))
		log_stderr(line, (size_t)n);
}

bool journal_take(struct hark *h, enum log_level level, const char *text)
{
	switch ((enum log_target)h->log_target) {
	case LOG_TO_CONSOLE:
		put_console(level, text);
		return true;
	case LOG_TO_NULL:
		return true;
	case LOG_TO_KMSG:
		return false;
	case LOG_TO_AUTO:
	case LOG_TO_JOURNAL:
	case LOG_TO_JOURNAL_OR_KMSG:
	case LOG_TARGETS:
		break;
	}
	return put_logged(h, level, text);
}

/* What a change from one to another is called; NULL: nothing to speak of. Failures have a line of the log. */
static const char *const words[COARSES][COARSES] = {
	[INACTIVE] = {[ACTIVATING] = "starting", [ACTIVE] = "started"},
	[FAILED] = {[ACTIVATING] = "starting", [ACTIVE] = "started"},
	[ACTIVATING] = {[ACTIVE] = "started", [INACTIVE] = "finished"},
	[ACTIVE] = {[DEACTIVATING] = "stopping", [INACTIVE] = "stopped"},
	[RELOADING] = {[ACTIVE] = "reloaded", [DEACTIVATING] = "stopping", [INACTIVE] = "stopped"},
	[DEACTIVATING] = {[INACTIVE] = "stopped"},
};

/* Devices, and mounts and swaps that have no file, come and go without us, a thousand a second under containers. */
static bool is_ours(const struct unit *u)
{
	bool is_in_table = u->type == UNIT_MOUNT || u->type == UNIT_SWAP;

	return !u->ops->is_outside &&
	       (!is_in_table || (u->config && unit_config_has_file(u->config)));
}

void journal_changed(struct hark *h, const struct unit *u, uint8_t old_state)
{
	enum coarse from = u->ops->fsm->states[old_state].coarse;
	const char *word = has_journal(h) && is_ours(u) ? words[from][unit_coarse(u)] : NULL;
	const char *about = unit_description(u);
	char text[512];

	if (!word)
		return;
	if (strcmp(about, u->name) == 0)
		snprintf(text, sizeof(text), "%s: %s", u->name, word);
	else
		snprintf(text, sizeof(text), "%s: %s (%s)", u->name, word, about);
	(void)journal_put(h, u,
			  &(struct journal_line){.text = str_of(text), .priority = PRIORITY_INFO});
}
