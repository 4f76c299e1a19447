/* SPDX-License-Identifier: MIT */
/*
 * A file system whose server can hang, as one of the network does: `hangfs WHERE MARK` mounts it (FUSE) over WHERE and serves it until it is
 * unmounted. Each name in it is a directory, but "file" an empty file, of which each close(2) has to ask; nothing of it is kept by the kernel, so whoever walks through it has to ask. While the file
 * MARK exists nobody is answered.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, POLL_US = 20000 };
#define FILE_NODE (UINT64_C(1) << 62)

static int dev;

static void answer(const struct fuse_in_header *in, int err, const void *data, size_t n)
{
	char out[sizeof(struct fuse_out_header) + 256];
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + n), .error = -err, .unique = in->unique};

	memcpy(out, &head, sizeof(head));
	if (n)
		memcpy(out + sizeof(head), data, n);
	(void)!write(dev, out, head.len);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){.ino = node,
				  .mode = node & FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0755,
				  .nlink = 2};
}

/* A directory has one name only, so each name is another one. */
static uint64_t node_of(uint64_t parent, const char *name)
{
	bool is_file = strcmp(name, "file") == 0;

	for (; *name; name++)
		parent = parent * 31 + (unsigned char)*name;
	return is_file ? parent | FILE_NODE : parent & ~FILE_NODE;
}

static void serve(const struct fuse_in_header *in)
{
	uint64_t node = in->opcode == FUSE_LOOKUP ? node_of(in->nodeid, (const char *)(in + 1)) : 0;
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
				     .minor = FUSE_KERNEL_MINOR_VERSION,
				     .max_write = 4096};
	struct fuse_entry_out entry = {.nodeid = node, .attr = attributes(node)};
	struct fuse_attr_out attr = {.attr = attributes(in->nodeid)};
	struct fuse_statfs_out fs = {.st.bsize = 4096};
	struct fuse_open_out opened = {.fh = 1};

	switch (in->opcode) {
	case FUSE_INIT:
		answer(in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer(in, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(in, 0, &attr, sizeof(attr));
		break;
	case FUSE_STATFS:
		answer(in, 0, &fs, sizeof(fs));
		break;
	case FUSE_OPENDIR:
	case FUSE_OPEN:
		answer(in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READDIR:
	case FUSE_RELEASEDIR:
	case FUSE_RELEASE:
	case FUSE_FLUSH:
	case FUSE_ACCESS:
		answer(in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* nobody waits for an answer */
	default:
		answer(in, ENOSYS, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	_Alignas(struct fuse_in_header) static char buffer[BUFFER];
	char options[128];

	if (argc != 3)
		return 2;
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 dev);
	if (dev < 0 || mount("hangfs", argv[1], "fuse.sshfs", 0, options) < 0) {
		perror("hangfs");
		return 1;
	}
	while (read(dev, buffer, sizeof(buffer)) > 0 || errno == EINTR || errno == ENOENT) {
		while (access(argv[2], F_OK) == 0)
			usleep(POLL_US);
		serve((const void *)buffer);
	}
	return 0;
}
