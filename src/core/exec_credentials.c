/* SPDX-License-Identifier: MIT */
#include "core/exec_credentials.h"

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/mem.h"
#include "core/tree.h"

enum { BYTES_MOST = 1024 * 1024, PATH_ROOM = 1024, NEW_ROOM = 300 };

/* Where a credential without a path comes from: what the system was given, then what lies ready. */
static const char *const stores[] = {"/run/credentials/@system", "/etc/credstore", "/run/credstore",
				     "/usr/local/lib/credstore", "/usr/lib/credstore"};

static struct {
	int dir;
	uid_t uid; /* who may read; our own: no list is needed */
	const char *unit;
} place = {.dir = -1};

/* --- files --- */

/* Read for that user beside root. Without such lists the file is the user's own. acl(5), "system.posix_acl_access" */
static int let_read(int fd, uid_t uid, unsigned rights)
{
	const struct {
		struct posix_acl_xattr_header head;
		struct posix_acl_xattr_entry entries[5];
	} list = {
		{POSIX_ACL_XATTR_VERSION},
		{{ACL_USER_OBJ, (uint16_t)rights, (uint32_t)ACL_UNDEFINED_ID},
		 {ACL_USER, (uint16_t)rights, uid},
		 {ACL_GROUP_OBJ, 0, (uint32_t)ACL_UNDEFINED_ID},
		 {ACL_MASK, (uint16_t)rights, (uint32_t)ACL_UNDEFINED_ID},
		 {ACL_OTHER, 0, (uint32_t)ACL_UNDEFINED_ID}},
	};

	if (uid == geteuid() ||
	    fsetxattr(fd, "system.posix_acl_access", &list, sizeof(list), 0) == 0)
		return 0;
	return errno == EOPNOTSUPP ? (fchown(fd, uid, (gid_t)-1) < 0 ? -errno : 0) : -errno;
}

int exec_credentials_open(const struct plan_record *rec)
{
	const char *path = rec->text;
	int r = fd_mkdir_parents(path, false, 0755);

	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	place.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place.dir < 0 || fchmod(place.dir, 0500) < 0)
		return -errno;
	place.uid = (uid_t)rec->w[0];
	place.unit = strrchr(path, '/') + 1;
	return let_read(place.dir, place.uid, ACL_READ | ACL_EXECUTE);
}

static int put(const char *id, const char *bytes, size_t n)
{
	char new[NEW_ROOM];
	AUTO_FD int fd = -1;
	int r;

	if (snprintf(new, sizeof(new), ".%s.%d", id, (int)getpid()) >= NEW_ROOM)
		return -ENAMETOOLONG;
	fd = openat(place.dir, new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, bytes, n);
	if (r == 0 && fchmod(fd, 0400) < 0)
		r = -errno;
	if (r == 0)
		r = let_read(fd, place.uid, ACL_READ);
	if (r == 0 && renameat(place.dir, new, place.dir, id) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(place.dir, new, 0);
	return r;
}

/* --- where they come from --- */

/* To the end, or -EFBIG. */
static int copy(const char *id, int fd)
{
	char *bytes = mem_get(BYTES_MOST + 1);
	size_t n = 0;
	ssize_t got = 1;
	int r = bytes ? 0 : -ENOMEM;

	while (r == 0 && got > 0 && n <= BYTES_MOST) {
		got = fd_read(fd, bytes + n, BYTES_MOST + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (r == 0)
		r = got < 0 ? (int)got : n > BYTES_MOST ? -EFBIG : put(id, bytes, n);
	mem_put(bytes);
	return r;
}

/* Whoever serves the socket learns by our address which unit asks for what. */
static int ask_socket(const char *id, const char *path)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX}, from = {.sun_family = AF_UNIX};
	int n;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	n = snprintf(from.sun_path + 1, sizeof(from.sun_path) - 1, "%016llx/unit/%s/%s",
		     (unsigned long long)clock_mono_us(), place.unit, id);
	if (n < (int)sizeof(from.sun_path) - 1 &&
	    bind(fd, (struct sockaddr *)&from,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return copy(id, fd);
}

static int load_file(const char *id, const char *path)
{
	AUTO_FD int fd = tree_open_file(path, O_RDONLY, 0);

	return fd < 0 ? fd : copy(id, fd);
}

/* Each file of a directory is a credential "ID_NAME". */
static int load_directory(const char *id, const char *path)
{
	DIR *entries = fd_opendir(AT_FDCWD, path);
	struct dirent *d;
	int r = entries ? 0 : -errno;

	while (r == 0 && (d = readdir(entries))) {
		char name[NEW_ROOM], file[PATH_ROOM];
		struct stat st;

		if (fstatat(dirfd(entries), d->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
			continue;
		snprintf(name, sizeof(name), "%s_%s", id, d->d_name);
		r = snprintf(file, sizeof(file), "%s/%s", path, d->d_name) < PATH_ROOM
			    ? load_file(name, file)
			    : -ENAMETOOLONG;
	}
	if (entries)
		closedir(entries);
	return r;
}

static int load(const char *id, const char *path)
{
	AUTO_FD int fd = tree_open_file(path, O_PATH, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (S_ISSOCK(st.st_mode))
		return ask_socket(id, path);
	return S_ISDIR(st.st_mode) ? load_directory(id, path) : load_file(id, path);
}

static int find(const char *id, const char *name)
{
	char path[PATH_ROOM];
	int r = -ENOENT;

	if (name[0] == '/')
		return load(id, name);
	for (unsigned k = 0; k < ARRAY_SIZE(stores) && r == -ENOENT; k++) {
		snprintf(path, sizeof(path), "%s/%s", stores[k], name[0] ? name : id);
		r = load(id, path);
	}
	return r;
}

int exec_credentials_put(const struct plan_record *rec)
{
	const char *id = rec->text, *value = id + strlen(id) + 1;
	int r;

	if (value >= id + rec->text_n || place.dir < 0)
		return -EBADMSG;
	if (rec->w[0] == CREDENTIAL_SET)
		return put(id, value, strlen(value));
	r = find(id, value);
	if (r < 0 && (r != -ENOENT || rec->w[0] != CREDENTIAL_OPTIONAL)) {
		dprintf(STDERR_FILENO, "hark-exec: credential %s: %s: %s\n", id, value,
			tree_strerror(r));
		return r;
	}
	return 0;
}
