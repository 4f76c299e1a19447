/* SPDX-License-Identifier: MIT */
/*
 * uevent FIRST COUNT KEY=VALUE...: what udevd tells those who listen, for COUNT devices; %u in a value is the number of the device. In
 * this network namespace only, without udevd and without devices. The form of the messages is that of libudev's monitor.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UDEV_GROUP = 2, MOST = 8192 };

struct header {
	char prefix[8];
	uint32_t magic, header_size, properties_off, properties_len;
	uint32_t subsystem_hash, devtype_hash, tags_hi, tags_lo;
};

/* Adds "KEY=VALUE" with its NUL; returns how many bytes there are then. */
static size_t add(char *out, size_t n, const char *text, unsigned long number)
{
	const char *hole = strstr(text, "%u");

	if (hole)
		n += (size_t)snprintf(out + n, MOST - n, "%.*s%lu%s", (int)(hole - text), text,
				      number, hole + 2);
	else
		n += (size_t)snprintf(out + n, MOST - n, "%s", text);
	if (n + 1 >= MOST)
		exit(2);
	return n + 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = UDEV_GROUP};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	/* All bits of the filter for tags: whoever waits for some tag hears of it. */
	struct header h = {.prefix = "libudev",
			   .magic = htonl(0xfeedcafe),
			   .header_size = sizeof(h),
			   .properties_off = sizeof(h),
			   .tags_hi = UINT32_MAX,
			   .tags_lo = UINT32_MAX};
	unsigned long first, count;
	static char text[MOST];

	if (argc < 4 || fd < 0)
		return 2;
	first = strtoul(argv[1], NULL, 10);
	count = strtoul(argv[2], NULL, 10);
	for (unsigned long k = first; k < first + count; k++) {
		size_t n = sizeof(h);

		for (int i = 3; i < argc; i++)
			n = add(text, n, argv[i], k);
		h.properties_len = (uint32_t)(n - sizeof(h));
		memcpy(text, &h, sizeof(h));
		if (sendto(fd, text, n, 0, (void *)&to, sizeof(to)) < 0) {
			perror("uevent");
			return 1;
		}
	}
	return 0;
}
