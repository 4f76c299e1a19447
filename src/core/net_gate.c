/* SPDX-License-Identifier: MIT */
#include "core/net_gate.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "core/bpf.h"
#include "core/str.h"

enum {
	STACK = 16, /* bytes of it below the frame that hold an address */
	DROP = 0,
	PASS = 1,
	PORTS_ALL = UINT16_MAX,
	ETHERNET_IP = 0x0800,
	ETHERNET_IP6 = 0x86dd,
};

/* Registers that keep what they hold over calls: 6 the context, 7 the protocol, 8 the verdict so far, 9 a word of the address. */
enum { CONTEXT = BPF_REG_6, PROTOCOL = BPF_REG_7, VERDICT = BPF_REG_8, WORD = BPF_REG_9 };

enum { IN, OUT, BIND4, BIND6, POINTS };
static const struct bpf_point points[POINTS] = {
	[IN] = {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
	[OUT] = {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS},
	[BIND4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND},
	[BIND6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND},
};

static void set(struct bpf_code *c, uint8_t to, int32_t value)
{
	bpf_alu(c, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, value);
}

static void copy(struct bpf_code *c, uint8_t to, uint8_t from)
{
	bpf_alu(c, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0);
}

/* The end, if the verdict so far is to drop it. */
static void drop_if_so(struct bpf_code *c)
{
	uint32_t first = c->n;

	bpf_want(c, VERDICT, DROP);
	bpf_end(c, DROP);
	bpf_rule_end(c, first);
}

/* --- addresses --- */

struct family {
	int family;
	uint16_t protocol;
	unsigned bytes;
	unsigned source, destination; /* offsets of the addresses in the packet */
};
static const struct family families[] = {
	{AF_INET, ETHERNET_IP, 4, offsetof(struct iphdr, saddr), offsetof(struct iphdr, daddr)},
	{AF_INET6, ETHERNET_IP6, 16, offsetof(struct ip6_hdr, ip6_src),
	 offsetof(struct ip6_hdr, ip6_dst)},
};

/* "10.0.0.0/8" as the reader of the directive wrote it. False: of the other family. */
static bool read_network(const char *text, int family, uint32_t address[4], uint32_t mask[4])
{
	struct str rest = str_of(text), part;
	char host[INET6_ADDRSTRLEN];
	uint64_t bits = 0;

	if (!str_cut(&rest, '/', &part) || part.n >= sizeof(host) || str_to_u64(rest, &bits) < 0)
		return false;
	memcpy(host, part.p, part.n);
	host[part.n] = '\0';
	for (unsigned k = 0; k < 4; k++, bits -= bits < 32 ? bits : 32)
		mask[k] = bits >= 32 ? UINT32_MAX : htonl(~(UINT32_MAX >> bits));
	return inet_pton(family, host, address) == 1;
}

/* What lies in one of these networks gets that verdict; the address is on the stack. */
static void put_networks(struct bpf_code *c, const struct family *f, const struct name_list *list,
			 int verdict)
{
	for (; list; list = list->next) {
		uint32_t address[4], mask[4], first = c->n;

		if (!read_network(list->text, f->family, address, mask))
			continue;
		for (unsigned k = 0; k < f->bytes / sizeof(uint32_t) && mask[k]; k++) {
			bpf_load(c, WORD, BPF_REG_10, (size_t)(k * sizeof(uint32_t)) - STACK);
			bpf_alu(c, BPF_ALU | BPF_AND | BPF_K, WORD, 0, (int32_t)mask[k]);
			bpf_want(c, WORD, address[k]);
		}
		set(c, VERDICT, verdict);
		bpf_rule_end(c, first);
	}
}

static void put_family(struct bpf_code *c, const struct family *f, const struct net_rules *rules,
		       int way)
{
	uint32_t first = c->n;

	bpf_want(c, PROTOCOL, htons(f->protocol));
	copy(c, BPF_REG_1, CONTEXT);
	set(c, BPF_REG_2, (int32_t)(way == IN ? f->source : f->destination));
	copy(c, BPF_REG_3, BPF_REG_10);
	bpf_alu(c, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, -STACK);
	set(c, BPF_REG_4, (int32_t)f->bytes);
	bpf_call(c, BPF_FUNC_skb_load_bytes);
	for (unsigned k = 0; k < rules->n; k++)
		put_networks(c, f, rules->levels[k]->ip_deny, DROP);
	for (unsigned k = 0; k < rules->n; k++)
		put_networks(c, f, rules->levels[k]->ip_allow, PASS);
	bpf_rule_end(c, first);
}

static bool has_networks(const struct net_rules *rules)
{
	bool has = false;

	for (unsigned k = 0; k < rules->n; k++)
		has |= rules->levels[k]->ip_allow || rules->levels[k]->ip_deny;
	return has;
}

static void put_addresses(struct bpf_code *c, const struct net_rules *rules, int way)
{
	if (!has_networks(rules))
		return;
	set(c, VERDICT, PASS);
	for (unsigned k = 0; k < ARRAY_SIZE(families); k++)
		put_family(c, &families[k], rules, way);
	drop_if_so(c);
}

/* --- interfaces --- */

static void put_interfaces(struct bpf_code *c, struct net_rules *rules, unsigned level)
{
	const struct cgroup_config *g = rules->levels[level];

	if (!g->interfaces)
		return;
	set(c, VERDICT, g->interfaces_are_denied ? PASS : DROP);
	bpf_load(c, WORD, CONTEXT, offsetof(struct __sk_buff, ifindex));
	for (const struct name_list *l = g->interfaces; l; l = l->next) {
		unsigned index = if_nametoindex(l->text);
		uint32_t first = c->n;

		if (index == 0) {
			rules->missing = l->text;
			continue;
		}
		bpf_want(c, WORD, index);
		set(c, VERDICT, g->interfaces_are_denied ? DROP : PASS);
		bpf_rule_end(c, first);
	}
	drop_if_so(c);
}

/* --- counting --- */

/* One packet and its bytes, in the cell of that descriptor. */
static void put_count(struct bpf_code *c, int cell)
{
	uint32_t key = (uint32_t) - (int)sizeof(uint32_t);

	bpf_load(c, VERDICT, CONTEXT, offsetof(struct __sk_buff, len));
	bpf_emit(c, (struct bpf_insn){.code = BPF_ST | BPF_MEM | BPF_W,
				      .dst_reg = BPF_REG_10,
				      .off = (int16_t)key,
				      .imm = 0});
	/* An instruction of two places: the descriptor of the map. */
	bpf_emit(c, (struct bpf_insn){.code = BPF_LD | BPF_DW | BPF_IMM,
				      .dst_reg = BPF_REG_1,
				      .src_reg = BPF_PSEUDO_MAP_FD,
				      .imm = cell});
	bpf_emit(c, (struct bpf_insn){.code = 0});
	copy(c, BPF_REG_2, BPF_REG_10);
	bpf_alu(c, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, (int32_t)key);
	bpf_call(c, BPF_FUNC_map_lookup_elem);
	/* There is always one, but the kernel wants it asked for: over the next three. */
	bpf_emit(c, (struct bpf_insn){
			    .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 3});
	set(c, BPF_REG_1, 1);
	for (unsigned k = 0; k < 2; k++)
		bpf_emit(c, (struct bpf_insn){
				    .code = BPF_STX | BPF_ATOMIC | BPF_DW,
				    .dst_reg = BPF_REG_0,
				    .src_reg = k ? (unsigned)VERDICT & 15U : BPF_REG_1,
				    .off = (int16_t)(k ? offsetof(struct net_count, bytes)
						       : offsetof(struct net_count, packets)),
				    .imm = BPF_ADD});
}

/* --- packets --- */

static int set_packets(struct net_rules *rules, int way, int dir, bool is_inner, uint32_t salt)
{
	bool is_counted = rules->n && rules->levels[0]->ip_accounting;
	AUTO_FD int cell = is_counted ? bpf_cell_new(sizeof(struct net_count)) : -1;
	struct bpf_code c = {0};
	uint32_t plain;
	int r = 0;

	if (is_counted && cell < 0)
		return cell;
	copy(&c, CONTEXT, BPF_REG_1);
	bpf_load(&c, PROTOCOL, CONTEXT, offsetof(struct __sk_buff, protocol));
	plain = c.n;
	for (unsigned k = 0; k < rules->n && !is_inner; k++)
		put_interfaces(&c, rules, k);
	if (!is_inner)
		put_addresses(&c, rules, way);
	if (is_counted)
		put_count(&c, cell);
	if (c.n == plain) {
		bpf_detach(&points[way], dir);
	} else {
		bpf_end(&c, PASS);
		r = bpf_attach(&c, &points[way], dir, salt);
	}
	bpf_code_fini(&c);
	return r;
}

/* --- ports --- */

struct port_rule {
	int protocol; /* 0: any */
	uint32_t from, to;
};

/* "ipv4:tcp:80-90", each part only if it is wanted. False: of the other family. */
static bool read_ports(const char *text, bool is_ip6, struct port_rule *ret)
{
	struct str rest = str_of(text), part;
	uint64_t from, to;

	*ret = (struct port_rule){.to = PORTS_ALL};
	while (str_cut(&rest, ':', &part)) {
		size_t dash = str_index(part, '-');

		if (str_eq(part, STR("ipv4")) || str_eq(part, STR("ipv6"))) {
			if (str_eq(part, STR("ipv6")) != is_ip6)
				return false;
		} else if (str_eq(part, STR("tcp")) || str_eq(part, STR("udp"))) {
			ret->protocol = part.p[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
		} else if (str_to_u64(str_sub(part, 0, dash), &from) == 0) {
			ret->from = ret->to = (uint32_t)from;
			if (dash < part.n && str_to_u64(str_sub(part, dash + 1, part.n), &to) == 0)
				ret->to = (uint32_t)to;
		}
	}
	return true;
}

static void put_ports(struct bpf_code *c, const struct name_list *list, bool is_ip6, int verdict)
{
	struct port_rule rule;

	for (; list; list = list->next) {
		uint32_t first = c->n;

		if (!read_ports(list->text, is_ip6, &rule))
			continue;
		if (rule.protocol)
			bpf_want(c, PROTOCOL, (uint32_t)rule.protocol);
		copy(c, BPF_REG_1, WORD);
		bpf_alu(c, BPF_ALU | BPF_SUB | BPF_K, BPF_REG_1, 0, (int32_t)rule.from);
		bpf_want_most(c, BPF_REG_1, rule.to - rule.from);
		set(c, VERDICT, verdict);
		bpf_rule_end(c, first);
	}
}

static int set_ports(const struct net_rules *rules, int where, int dir, bool is_inner)
{
	struct bpf_code c = {0};
	uint32_t plain;
	int r = 0;

	copy(&c, CONTEXT, BPF_REG_1);
	bpf_load(&c, PROTOCOL, CONTEXT, offsetof(struct bpf_sock_addr, protocol));
	bpf_load(&c, WORD, CONTEXT, offsetof(struct bpf_sock_addr, user_port));
	bpf_alu(&c, BPF_ALU | BPF_END | BPF_TO_BE, WORD, 0, 16);
	plain = c.n;
	for (unsigned k = 0; k < rules->n && !is_inner; k++) {
		const struct cgroup_config *g = rules->levels[k];

		if (!g->bind_deny)
			continue;
		set(&c, VERDICT, PASS);
		put_ports(&c, g->bind_deny, where == BIND6, DROP);
		put_ports(&c, g->bind_allow, where == BIND6, PASS);
		drop_if_so(&c);
	}
	if (c.n == plain) {
		bpf_detach(&points[where], dir);
	} else {
		bpf_end(&c, PASS);
		r = bpf_attach(&c, &points[where], dir, 0);
	}
	bpf_code_fini(&c);
	return r;
}

/* --- all of it --- */

bool net_gate_is_wanted(const struct cgroup_config *g)
{
	return g->ip_allow || g->ip_deny || g->ip_accounting || g->interfaces || g->bind_deny;
}

int net_gate_set(struct net_rules *rules, int dir, bool is_inner, uint32_t salt)
{
	int r = set_packets(rules, IN, dir, is_inner, salt);

	if (r == 0)
		r = set_packets(rules, OUT, dir, is_inner, salt);
	if (r == 0)
		r = set_ports(rules, BIND4, dir, is_inner);
	return r == 0 ? set_ports(rules, BIND6, dir, is_inner) : r;
}

void net_gate_drop(int dir)
{
	for (unsigned k = 0; k < POINTS; k++)
		bpf_detach(&points[k], dir);
}

int net_gate_count(int dir, bool is_sent, struct net_count *ret)
{
	return bpf_cell_read(&points[is_sent ? OUT : IN], dir, ret);
}
