/* SPDX-License-Identifier: MIT */
#include "activate/instance.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "core/proc.h"

struct endpoint {
	char addr[INET6_ADDRSTRLEN];
	unsigned port;
	bool is_v6;
};

/* An IPv4 peer of an IPv6 socket goes by its IPv4 address. */
static bool read_endpoint(const struct sockaddr_storage *storage, uint32_t n, struct endpoint *ret)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	const void *addr = &in.sin_addr;

	*ret = (struct endpoint){0};
	if (storage->ss_family == AF_INET && n >= sizeof(in)) {
		memcpy(&in, storage, sizeof(in));
		ret->port = ntohs(in.sin_port);
		return inet_ntop(AF_INET, addr, ret->addr, sizeof(ret->addr));
	}
	if (storage->ss_family != AF_INET6 || n < sizeof(in6))
		return false;
	memcpy(&in6, storage, sizeof(in6));
	ret->port = ntohs(in6.sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return inet_ntop(AF_INET, (const char *)&in6.sin6_addr + 12, ret->addr,
				 sizeof(ret->addr));
	ret->is_v6 = true;
	return inet_ntop(AF_INET6, &in6.sin6_addr, ret->addr, sizeof(ret->addr));
}

static void name_local(uint32_t nr, const struct bank_note *note, bool ask_comm,
		       struct connection_name *ret)
{
	char comm[17] = "";

	if (note->peer_pid <= 0) {
		snprintf(ret->instance, sizeof(ret->instance), "%u-unknown", nr);
		snprintf(ret->remote, sizeof(ret->remote), "unknown");
		return;
	}
	if (ask_comm && proc_comm(note->peer_pid, comm, sizeof(comm)) < 0)
		snprintf(comm, sizeof(comm), "?");
	snprintf(ret->instance, sizeof(ret->instance), "%u-%d-%u", nr, note->peer_pid,
		 note->peer_uid);
	snprintf(ret->remote, sizeof(ret->remote), "%s[%d] of uid %u", comm, note->peer_pid,
		 note->peer_uid);
	snprintf(ret->source, sizeof(ret->source), "uid %u", note->peer_uid);
}

void connection_name(uint32_t nr, const struct bank_note *note, bool ask_comm,
		     struct connection_name *ret)
{
	struct endpoint here, there;

	*ret = (struct connection_name){0};
	if (!read_endpoint(&note->peer, note->peer_n, &there) ||
	    !read_endpoint(&note->local, note->local_n, &here)) {
		name_local(nr, note, ask_comm, ret);
		return;
	}
	snprintf(ret->instance, sizeof(ret->instance), "%u-%s:%u-%s:%u", nr, here.addr, here.port,
		 there.addr, there.port);
	snprintf(ret->remote, sizeof(ret->remote), there.is_v6 ? "[%s]:%u" : "%s:%u", there.addr,
		 there.port);
	snprintf(ret->addr, sizeof(ret->addr), "%s", there.addr);
	snprintf(ret->port, sizeof(ret->port), "%u", there.port & 0xffff);
	snprintf(ret->source, sizeof(ret->source), "%s", there.addr);
}

void connection_address(struct str remote, struct connection_name *ret)
{
	size_t colon = remote.n;

	*ret = (struct connection_name){0};
	while (colon && remote.p[colon - 1] != ':')
		colon--;
	if (!colon || str_index(remote, ' ') < remote.n)
		return;
	snprintf(ret->port, sizeof(ret->port), STR_FMT, STR_ARG(str_sub(remote, colon, remote.n)));
	remote = str_sub(remote, 0, colon - 1);
	if (remote.n > 1 && remote.p[0] == '[')
		remote = str_sub(remote, 1, remote.n - 1);
	snprintf(ret->addr, sizeof(ret->addr), STR_FMT, STR_ARG(remote));
}
