/* SPDX-License-Identifier: MIT */
#include "core/mountns.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fd.h"

/* linux/fanotify.h and linux/mount.h of Linux 6.14, asm-generic/unistd.h */
enum {
	SYS_STATMOUNT = 457,
	SYS_LISTMOUNT = 458,
	REPORT_MNT = 0x00004000,
	MNT_ATTACHED = 0x01000000,
	MNT_DETACHED = 0x02000000,
	MARK_MNTNS = 0x00000110,
	INFO_MNT = 7,
	LIST_NEWEST_FIRST = 1,
	EVENTS_BYTES = 8 * 1024,
};
static const uint64_t list_root = UINT64_MAX;
enum {
	WANT_SUPER = 0x1,
	WANT_BASIC = 0x2,
	WANT_POINT = 0x10,
	WANT_TYPE = 0x20,
	WANT_OPTIONS = 0x80,
	WANT_SOURCE = 0x200
};

struct mount_info {
	struct fanotify_event_info_header header;
	uint64_t id;
};

struct request {
	uint32_t size, spare;
	uint64_t id, param;
};

/* struct statmount; offsets of texts are from its end */
struct answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t device[2];
	uint64_t magic;
	uint32_t super_flags, type;
	uint64_t id, parent;
	uint32_t old_id, old_parent;
	uint64_t attributes, propagation, peer_group, master, from;
	uint32_t root, point;
	uint64_t ns;
	uint32_t subtype, source;
	uint64_t others[48];
	char text[];
};
static_assert(sizeof(struct answer) == 512, "as the kernel has it");

int mountns_watch(void)
{
	AUTO_FD int ns = fd_open(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY, 0);
	AUTO_FD int fd = -1;

	if (ns < 0)
		return ns;
	fd = fanotify_init(REPORT_MNT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
	if (fd < 0 ||
	    fanotify_mark(fd, FAN_MARK_ADD | MARK_MNTNS, MNT_ATTACHED | MNT_DETACHED, ns, NULL) < 0)
		return -errno;
	return take_fd(fd);
}

/* False: nothing about a mount. */
static bool read_event(const struct fanotify_event_metadata *e, struct mount_change *ret)
{
	const struct mount_info *info = (const void *)(e + 1);

	*ret = (struct mount_change){.is_lost = e->mask & FAN_Q_OVERFLOW};
	if (ret->is_lost)
		return true;
	if (e->event_len < sizeof(*e) + sizeof(*info) || info->header.info_type != INFO_MNT)
		return false;
	ret->id = info->id;
	ret->has_come = e->mask & MNT_ATTACHED;
	ret->has_gone = e->mask & MNT_DETACHED;
	return true;
}

int mountns_read(int fd, struct mount_change *changes, unsigned most)
{
	_Alignas(struct fanotify_event_metadata) char bytes[EVENTS_BYTES];
	size_t room = most * (sizeof(struct fanotify_event_metadata) + sizeof(struct mount_info));
	ssize_t left = fd_read(fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
	struct fanotify_event_metadata *e = (void *)bytes; /* FAN_EVENT_NEXT() is not const */
	int n = 0;

	if (left < 0)
		return left == -EAGAIN ? 0 : (int)left;
	for (; FAN_EVENT_OK(e, left) && (unsigned)n < most; e = FAN_EVENT_NEXT(e, left)) {
		if (e->fd >= 0)
			fd_close(e->fd);
		n += read_event(e, &changes[n]);
	}
	return n;
}

/* As the sixth field of mountinfo. */
static struct str options_of(uint64_t attributes)
{
	static char text[128];
	static const struct {
		uint64_t mask, value;
		const char *word;
	} words[] = {{0x2, 0x2, ",nosuid"},
		     {0x4, 0x4, ",nodev"},
		     {0x8, 0x8, ",noexec"},
		     {0x70, 0x10, ",noatime"},
		     {0x80, 0x80, ",nodiratime"},
		     {0x70, 0x0, ",relatime"},
		     {0x200000, 0x200000, ",nosymfollow"}};
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", attributes & 1 ? "ro" : "rw");

	for (size_t k = 0; k < ARRAY_SIZE(words); k++)
		if ((attributes & words[k].mask) == words[k].value)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", words[k].word);
	return (struct str){text, n};
}

static int ask(uint64_t id, uint64_t what, struct answer *a)
{
	struct request request = {.size = sizeof(request), .id = id, .param = what};

	return syscall(SYS_STATMOUNT, &request, a, MOUNTNS_TEXT, 0) < 0 ? -errno : 0;
}

int mountns_super_options(uint64_t id, char text[MOUNTNS_TEXT], struct sbuf *out)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {{0x10, ",sync"}, {0x80, ",dirsync"}, {0x2000000, ",lazytime"}};
	struct answer *a = (void *)text;
	int r = ask(id, WANT_SUPER | WANT_OPTIONS, a);

	if (r < 0)
		return r;
	sbuf_add_z(out, a->super_flags & 1 ? "ro" : "rw");
	for (size_t k = 0; k < ARRAY_SIZE(words); k++)
		sbuf_add_z(out, a->super_flags & words[k].flag ? words[k].word : "");
	if (a->mask & WANT_OPTIONS && a->text[a->options])
		sbuf_addf(out, ",%s", a->text + a->options);
	return out->err;
}

int mountns_stat(uint64_t id, char text[MOUNTNS_TEXT], struct mount_line *ret)
{
	struct answer *a = (void *)text;
	int r = ask(id, WANT_BASIC | WANT_POINT | WANT_TYPE | WANT_SOURCE, a);

	if (r < 0)
		return r;
	if (!(a->mask & WANT_POINT) || a->text[a->point] != '/')
		return -ENOENT;
	*ret = (struct mount_line){
		.id = a->id,
		.parent = a->parent,
		.point = str_of(a->text + a->point),
		.options = options_of(a->attributes),
		.type = str_of(a->mask & WANT_TYPE ? a->text + a->type : ""),
		.source = str_of(a->mask & WANT_SOURCE ? a->text + a->source : "none"),
		.is_plain = true,
	};
	return 0;
}

int mountns_list(uint64_t *last, uint64_t ids[MOUNTNS_IDS])
{
	struct request request = {.size = sizeof(request), .id = list_root, .param = *last};
	long n = syscall(SYS_LISTMOUNT, &request, ids, MOUNTNS_IDS, LIST_NEWEST_FIRST);

	if (n < 0)
		return -errno;
	if (n > 0)
		*last = ids[n - 1];
	return (int)n;
}
