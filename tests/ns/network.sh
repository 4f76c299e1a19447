#!/bin/bash
# SPDX-License-Identifier: MIT
# What a service may speak with: addresses, interfaces and ports, as its programs find them, and how much it has said.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

hark_up net || finish
ip link add side type veth peer name other 2>/dev/null && ip addr add 10.99.0.1/24 dev side && ip link set side up && ip link set other up

# send ADDRESS...: a line for a script that says of each whether a datagram can be sent to it.
send() { printf 'bash -c "echo x >/dev/udp/%s/9" 2>/dev/null && echo yes || echo no\n' "$@"; }
# bind PORT...: the same for binding a TCP port.
bind() { printf "perl -MSocket -e 'socket(S,AF_INET,SOCK_STREAM,0); print bind(S,sockaddr_in(%s,INADDR_ANY)) ? \"yes\\\\n\" : \"no\\\\n\"'\n" "$@"; }

inside none User=root -- "$(send 127.0.0.1 127.1.2.3 ::1)" >/dev/null
is "without a word all can be spoken with" "" "yes|yes|yes" "$(out none)"
inside deny RemainAfterExit=yes IPAddressDeny=any -- "$(send 127.0.0.1 ::1)" >/dev/null
if ctl status deny.service | grep -q "not restricted"; then
	skip "IPAddressDeny=" "this kernel has no such programs"
	hark_down
	finish
fi
is "IPAddressDeny=any" "" "no|no" "$(out deny)"
inside allow IPAddressDeny=any "IPAddressAllow=127.0.0.1 ::1" -- "$(send 127.0.0.1 127.0.0.2 ::1 10.99.0.1)" >/dev/null
is "IPAddressAllow= goes before it, address by address" "" "yes|no|yes|no" "$(out allow)"
inside nets "IPAddressDeny=127.64.0.0/10 10.99.0.0/24" -- "$(send 127.0.0.1 127.64.0.1 127.127.255.1 127.128.0.1 10.99.0.7)" >/dev/null
is "networks to the bit" "" "yes|no|no|yes|no" "$(out nets)"
printf '[Slice]\nIPAddressDeny=any\n' | unit shut.slice
inside slice Slice=shut.slice IPAddressAllow=localhost -- "$(send 127.0.0.1 10.99.0.7)" >/dev/null
is "a slice denies, what lies in it allows" "" "yes|no" "$(out slice)"
inside lain Slice=shut.slice -- "$(send 127.0.0.1)" >/dev/null
is "who says nothing has the word of the slice" "" "no" "$(out lain)"
# Its cgroup stays where it is restarted.
unit deny.service <<Y
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
StandardOutput=truncate:$T/deny.out
ExecStart=/bin/sh $T/deny.script
Y
ctl restart deny.service
is "when the settings go the restriction goes with the next start" "" "yes|yes" "$(out deny)"

inside iface RestrictNetworkInterfaces=lo -- "$(send 127.0.0.1 10.99.0.7)" >/dev/null
is "RestrictNetworkInterfaces=" "" "yes|no" "$(out iface)"
inside ifaces "RestrictNetworkInterfaces=~lo nosuch0" -- "$(send 127.0.0.1 10.99.0.7)" >/dev/null
is "RestrictNetworkInterfaces=~" "" "no|yes" "$(out ifaces)"
ok_if "an interface that is not there is told of" "" in_log "no network interface nosuch0"

inside ports "SocketBindDeny=any" "SocketBindAllow=ipv4:tcp:7000-7002" -- "$(bind 6999 7000 7002 7003)" >/dev/null
is "SocketBindDeny= and SocketBindAllow=" "" "no|yes|yes|no" "$(out ports)"
inside udp "SocketBindDeny=udp:7000" "SocketBindDeny=ipv6" -- "$(bind 7000)" >/dev/null
is "by protocol and family" "" "yes" "$(out udp)"

inside count RemainAfterExit=yes IPAccounting=yes -- "$(send 127.0.0.1)" >/dev/null
# 20 bytes of IP, 8 of UDP, 2 that were said.
is "IPAccounting= counts" "" "1 30" "$(prop count.service IPEgressPackets) $(prop count.service IPEgressBytes)"
kill -KILL "$(manager_pid)"
wait_for 'ctl list'
is "and the count outlives the manager" "" "30" "$(prop count.service IPEgressBytes)"
ctl restart count.service
is "it begins anew with each start" "" "1" "$(prop count.service IPEgressPackets)"
hark_down
finish
