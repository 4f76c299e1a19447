#!/bin/bash
# SPDX-License-Identifier: MIT
# What a process of a service finds itself with: environment, identity, limits, standard streams, directories.
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# hark-init is started from a dirty shell: nothing of it may reach a service.
hark_clean() {
	local binary=$BIN
	mkdir "$T/bin"
	{
		printf '#!/bin/bash\nexport JUNK=1 LD_LIBRARY_PATH=/junk\numask 0077\ncd %q\n' "$T"
		printf 'exec 7</etc/passwd 8>%q\ntrap "" PIPE USR1 HUP\nexec %q "$@"\n' "$T/leak" "$binary/hark-init"
	} >"$T/bin/hark-init"
	chmod 755 "$T/bin/hark-init"
	ln -s "$binary/harkctl" "$T/bin/harkctl"
	BIN=$T/bin hark_up "$@"
}
hark_clean clean || finish

service() { # NAME LINES...
	local name=$1
	shift
	{ printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n' && printf '%s\n' "$@"; } | unit "$name.service"
}
# run NAME LINES...: start it once; the report is $T/NAME.
run() {
	local name=$1
	shift
	service "$name" "$@"
	# a client that is as dirty as it can be
	(
		export CLIENTJUNK=1
		umask 0
		ulimit -S -c 0 -s 1234
		exec 6</etc/passwd
		exec nice -n 7 "$BIN/harkctl" start "$name.service"
	) >"$T/$name.out" 2>&1
}

clean() {
	run clean1 "ExecStart=$PAYLOAD report $T/clean1"
	local f=$T/clean1
	is "environment: only PATH, LANG and what hark sets" "E13" "" \
		"$(sed -n 's/^env //p' "$f" | grep -vE '^(PATH|LANG|LC_[A-Z]+|LANGUAGE|INVOCATION_ID|SYSTEMD_EXEC_PID|JOURNAL_STREAM)=' | paste -sd' ')"
	is "umask 0022" "E13" 0022 "$(found "$f" umask)"
	is "working directory /" "E13" / "$(found "$f" cwd)"
	is "nice 0" "E13" 0 "$(found "$f" nice)"
	is "no descriptors but 0, 1 and 2" "E13" "fd0 fd1 fd2" "$(sed -n 's/^\(fd[0-9]*\)=.*/\1/p' "$f" | paste -sd' ')"
	is "standard input is /dev/null" "E13" /dev/null "$(found "$f" fd0)"
	is "soft limits of the client do not matter" "E13" "$(ulimit -S -s)" "$(($(found "$f" limit3 | cut -d: -f1) / 1024))"
	is "no signal is blocked, and only SIGPIPE ignored (IgnoreSIGPIPE=yes)" "E13" "0000000000000000 0000000000001000" \
		"$(sed -n 's/^Sig\(Ign\|Blk\):[[:space:]]*//p' "$f" | paste -sd' ')"
	is "own session" "E13 C21" "$(found "$f" pid)" "$(found "$f" sid)"
	is "no death signal" "E13" 0 "$(found "$f" pdeathsig)"
}

limits() {
	run limits1 LimitNOFILE=123:456 LimitCORE=0 LimitSTACK=1M:2M Nice=3 UMask=0027 OOMScoreAdjust=100 \
		"WorkingDirectory=/usr" TimerSlackNSec=123456 IgnoreSIGPIPE=no "ExecStart=$PAYLOAD report $T/limits1"
	local f=$T/limits1
	is "LimitNOFILE=" "" 123:456 "$(found "$f" limit7)"
	is "LimitSTACK=" "" 1048576:2097152 "$(found "$f" limit3)"
	is "Nice=" "" 3 "$(found "$f" nice)"
	is "UMask=" "" 0027 "$(found "$f" umask)"
	is "WorkingDirectory=" "" /usr "$(found "$f" cwd)"
	is "IgnoreSIGPIPE=no" "" 0000000000000000 "$(sed -n 's/^SigIgn:[[:space:]]*//p' "$f")"
	is "TimerSlackNSec=" "" 123456 "$(found "$f" slack)"
	run nnp NoNewPrivileges=yes CapabilityBoundingSet=CAP_CHOWN "ExecStart=$PAYLOAD report $T/nnp"
	is "NoNewPrivileges= and CapabilityBoundingSet=" "" "1 0000000000000001" \
		"$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "$T/nnp") $(sed -n 's/^CapBnd:[[:space:]]*//p' "$T/nnp")"
	run nodir WorkingDirectory=/nonexistent "ExecStart=/bin/true"
	is "a missing WorkingDirectory= fails with 200" "" "failed 200" "$(active nodir.service) $(prop nodir.service ExecMainStatus)"
	run maybe "WorkingDirectory=-/nonexistent" "ExecStart=$PAYLOAD report $T/maybe"
	ok_if "but not with a dash" "" test -e "$T/maybe"
}

users() {
	chmod 777 "$T"
	run user1 User=nobody "ExecStart=$PAYLOAD report $T/user1"
	local f=$T/user1
	is "User= with its group" "B17" "$(id -u nobody) $(id -g nobody)" "$(found "$f" uid) $(found "$f" gid)"
	is "User= has no other groups" "B17" "$(id -G nobody | tr ' ' ,)" "$(found "$f" groups)"
	is "USER and LOGNAME" "B17" "USER=nobody LOGNAME=nobody" \
		"$(sed -n 's/^env //p' "$f" | grep -E '^(USER|LOGNAME)=' | sort -r | paste -sd' ')"
	run user2 User=nobody Group=daemon "SupplementaryGroups=mail tty" "ExecStart=$PAYLOAD report $T/user2"
	is "Group= and SupplementaryGroups=" "B17" "$(getent group daemon | cut -d: -f3) yes yes" \
		"$(found "$T/user2" gid) $(found "$T/user2" groups | tr , '\n' | grep -qx "$(getent group mail | cut -d: -f3)" && echo yes) \
$(found "$T/user2" groups | tr , '\n' | grep -qx "$(getent group tty | cut -d: -f3)" && echo yes)"
	run user3 User=65533 "ExecStart=$PAYLOAD report $T/user3"
	is "User= by number" "B17" 65533 "$(found "$T/user3" uid)"
	run user4 User=nobody "ExecStartPre=+$PAYLOAD report $T/user4plus" "ExecStartPre=!$PAYLOAD report $T/user4bang" \
		"ExecStart=$PAYLOAD report $T/user4"
	is "prefixes + and ! keep root" "B17" "0 0 $(id -u nobody)" \
		"$(found "$T/user4plus" uid) $(found "$T/user4bang" uid) $(found "$T/user4" uid)"
	run user5 User=doesnotexist "ExecStart=/bin/true"
	is "a user that does not exist: failed" "" failed "$(active user5.service)"
	grep -q 'user5.service:5' "$T/user5.out"
	is "and the place is named" "" 0 $?
	grep -q 'doesnotexist' "$T/user5.out"
	is "and the user" "" 0 $?
}

environment() {
	printf '# comment\nFROMFILE=1\nQUOTED="two words"\nOVER=file\n' >"$T/envfile"
	run env1 "Environment=A=1 'B=2 3' OVER=unit" 'Environment="C=$A"' "EnvironmentFile=$T/envfile" "EnvironmentFile=-/nonexistent" \
		"UnsetEnvironment=LANG" "PassEnvironment=JUNK NOSUCH" "ExecStart=$PAYLOAD report $T/env1"
	local f=$T/env1
	is "Environment=" "" "env A=1|env B=2 3|env C=\$A" "$(grep -E '^env [ABC]=' "$f" | sort | paste -sd'|')"
	is "EnvironmentFile= wins over Environment=" "" "env FROMFILE=1|env OVER=file|env QUOTED=two words" \
		"$(grep -E '^env (FROMFILE|OVER|QUOTED)=' "$f" | sort | paste -sd'|')"
	is "PassEnvironment=" "" "env JUNK=1" "$(grep -E '^env (JUNK|NOSUCH)' "$f")"
	is "UnsetEnvironment=" "" "" "$(grep -E '^env LANG=' "$f")"
	run env2 "Environment=ONE=1 'TWO=a b' EMPTY=" \
		"ExecStart=$PAYLOAD log $T/env2 \${ONE}x log $T/env2 \"\${TWO}\" log $T/env2 \$\$ONE log $T/env2 pre\$ONE" \
		"ExecStart=:$PAYLOAD log $T/env2 \$ONE" "ExecStart=/bin/sh -c 'echo \"\$\$#:\$\$*\" >>$T/env2' sh \$TWO \${EMPTY} \$EMPTY"
	is "expansion of variables" "E18" '1x|a b|$ONE|pre$ONE|$ONE|3:a b ' "$(paste -sd'|' "$T/env2")"
	mkdir "$T/env.d"
	echo "ORDER=first" >"$T/env.d/10-a.conf"
	printf 'ORDER=second\nBOTH=1\n' >"$T/env.d/20-b.conf"
	echo "BOTH=hidden" >"$T/env.d/.30.conf"
	run env4 "EnvironmentFile=$T/env.d/*.conf" "EnvironmentFile=-$T/env.d/*.none" "ExecStart=$PAYLOAD report $T/env4"
	is "EnvironmentFile= with a pattern" "" "env BOTH=1|env ORDER=second" "$(grep -E '^env (ORDER|BOTH)=' "$T/env4" | sort | paste -sd'|')"
	run env5 "EnvironmentFile=$T/env.d/*.none" "ExecStart=/bin/true"
	is "a pattern that nothing matches fails like a missing file" "" "failed resources" "$(active env5.service) $(prop env5.service Result)"
	run env3 "EnvironmentFile=/nonexistent/file" "ExecStart=/bin/true"
	is "a missing EnvironmentFile= fails" "" "failed resources" "$(active env3.service) $(prop env3.service Result)"
}

words() {
	run words1 "ExecStart=$PAYLOAD log $T/words1 'single \"q\" x' log $T/words1 \"dou\\x41ble\" log $T/words1 a\\x20b log $T/words1 100%% \\" \
		"  log $T/words1 %n log $T/words1 '' ; $PAYLOAD log $T/words1 \\; log $T/words1 |"
	is "no shell: quotes, escapes, specifiers, ;" "E18" 'single "q" x|douAble|a b|100%|words1.service||;||' "$(paste -sd'|' "$T/words1")"
	is "no shell was run" "E18" no "$(grep -q /bin/sh "$UNITS/words1.service" && echo yes || echo no)"
	run words2 "ExecStart=@$PAYLOAD othername sleep 1"
	run words3 "ExecStart=@/bin/sh othername -c 'echo \$\$0 >$T/words3'"
	is "prefix @ names argv[0]" "" othername "$(cat "$T/words3")"
}

streams() {
	echo input >"$T/in"
	run out1 "StandardInput=file:$T/in" "StandardOutput=file:$T/out1" "StandardError=append:$T/err1" "ExecStart=$PAYLOAD read say one err two"
	is "file: and append:" "" "input one two" "$(paste -sd' ' "$T/out1" "$T/err1" | paste -sd' ')"
	run out2 "StandardOutput=append:$T/out1" StandardError=inherit "ExecStart=$PAYLOAD say three err four"
	is "append: and inherit" "" "input one three four" "$(paste -sd' ' "$T/out1")"
	run out3 "StandardOutput=truncate:$T/out1" StandardError=null "ExecStart=$PAYLOAD say five err six"
	is "truncate: and null" "" five "$(cat "$T/out1")"
	service out4 "ExecStart=$PAYLOAD say toself err alsotoself exit 1"
	ctl start out4.service >"$T/out4" 2>&1
	ok_if "a failed start shows the last output" "" grep -q alsotoself "$T/out4"
	ctl status out4.service >"$T/out4" 2>&1
	ok_if "status shows it too" "" grep -q toself "$T/out4"
	run data "StandardInputText=one \\x41" "StandardInputData=dHdvCg==" "StandardOutput=append:$T/data" "ExecStart=/bin/cat" "ExecStart=/bin/cat"
	is "StandardInput=data: each command reads it from the beginning" "" "one A two one A two" "$(paste -sd' ' "$T/data")"
	run data2 "StandardInput=data" "StandardOutput=file:$T/data2" "ExecStart=/usr/bin/wc -c"
	is "and there may be none" "" 0 "$(cat "$T/data2")"
	run out5 StandardOutput=null "ExecStart=$PAYLOAD report $T/out5"
	is "null" "" /dev/null "$(found "$T/out5" fd1)"
	unit stream.socket <<-Y
		[Unit]
		DefaultDependencies=no
		[Socket]
		ListenStream=$T/stream
		Service=stream.service
	Y
	service stream "StandardInput=socket" "StandardOutput=file:$T/streamed" "ExecStart=$PAYLOAD report $T/streamr"
	ctl start stream.socket && ctl start stream.service
	ok_if "StandardInput=socket" "" grep -q '^fd0=socket:' "$T/streamr"
}

directories() {
	service dirs RemainAfterExit=yes User=nobody "RuntimeDirectory=hark-t/one hark-t2" RuntimeDirectoryMode=0710 \
		"StateDirectory=hark-t" "ExecStart=$PAYLOAD report $T/dirs"
	ctl start dirs.service >/dev/null 2>&1
	is "RuntimeDirectory= is made with mode and owner" "" "710 nobody" "$(stat -c '%a %U' /run/hark-t2)"
	is "and named" "" "env RUNTIME_DIRECTORY=/run/hark-t/one:/run/hark-t2" "$(grep RUNTIME_DIRECTORY "$T/dirs")"
	ok_if "StateDirectory=" "" test -d /var/lib/hark-t
	ctl stop dirs.service
	is "RuntimeDirectory= goes with the service" "" gone "$([ -e /run/hark-t2 ] || [ -e /run/hark-t/one ] || echo gone)"
	ok_if "StateDirectory= stays" "" test -d /var/lib/hark-t
	mkdir -p /var/lib/hark-t/a/b/c
	(cd /var/lib/hark-t/a/b/c && seq 3000 | xargs touch && ln -s /etc link)
	is "clean takes away what is in it, some at a time" "" "0 gone success" \
		"$(ctl clean --what=state dirs.service >/dev/null; echo $?) $([ -e /var/lib/hark-t ] || echo gone) $(prop dirs.service CleanResult)"
	is "... and what is gone is no error" "" 0 "$(ctl clean --what=state dirs.service >/dev/null; echo $?)"
	service links RemainAfterExit=yes "RuntimeDirectory=hark-t5/:hark-t6 hark-t5:hark-t7/deep" "StateDirectory=hark-t:hark-t8" "ExecStart=$PAYLOAD report $T/links"
	ctl start links.service >/dev/null
	is "RuntimeDirectory=NAME:LINK" "" "hark-t5 ../hark-t5 hark-t" "$(readlink /run/hark-t6) $(readlink /run/hark-t7/deep) $(readlink /var/lib/hark-t8)"
	ok_if "... which the service is not told of" "" grep -qx 'env RUNTIME_DIRECTORY=/run/hark-t5' "$T/links"
	ctl restart links.service >/dev/null
	is "... may be there already" "" exited "$(sub links.service)"
	ctl stop links.service
	is "... and goes with the service" "" "gone hark-t" "$([ -L /run/hark-t6 ] || [ -L /run/hark-t7/deep ] || [ -e /run/hark-t5 ] || echo gone) $(readlink /var/lib/hark-t8)"
	mkdir /run/hark-t6
	ctl start links.service >/dev/null 2>&1
	is "... but takes the place of nothing" "" "1 233" "$? $(prop links.service ExecMainStatus)"
	rmdir /run/hark-t6 /var/lib/hark-t
	rm /var/lib/hark-t8
	service dirs2 RemainAfterExit=yes RuntimeDirectory=hark-t3 RuntimeDirectoryPreserve=yes "ExecStart=/bin/true"
	ctl start dirs2.service && ctl stop dirs2.service
	ok_if "RuntimeDirectoryPreserve=yes" "" test -d /run/hark-t3
	stolen_directories
}

# What a service has put into its own directory leads root nowhere else.
stolen_directories() {
	local state=/var/lib/hark-t
	mkdir -p "$T/victim/b" /var/lib/private/hark-victim
	touch "$T/victim/b/secret" /var/lib/private/hark-victim/secret
	service thief Type=oneshot User=nobody "StateDirectory=hark-t hark-t/a/b hark-t/c" ExecStart=/bin/true
	ctl start thief.service >/dev/null 2>&1
	rm -r $state/a
	ln -s "$T/victim" $state/a
	chown -h nobody $state/a
	ctl start thief.service >/dev/null 2>&1
	is "a link of the service's is not followed to give somebody else's directory away" "" "failed 233 root root" \
		"$(active thief.service) $(prop thief.service ExecMainStatus) $(stat -c %U "$T/victim/b" "$T/victim/b/secret" | paste -sd' ')"
	rm -r $state/a $state/c
	ln -s ../private/hark-victim $state/c
	chown -h nobody $state/c
	ctl start thief.service >/dev/null 2>&1
	is "... nor to bring back what was never there" "" "root secret" "$(stat -c %U /var/lib/private/hark-victim) $(ls /var/lib/private/hark-victim)"
	rm -rf $state
	mkdir "$T/elsewhere"
	ln -s "$T/elsewhere" $state
	ctl start thief.service >/dev/null 2>&1
	is "a link of root's is" "" "inactive nobody" "$(active thief.service) $(stat -c %U "$T/elsewhere/a/b")"
	rm -rf $state /var/lib/private/hark-victim
	mkdir "$T/logs"
	chown nobody "$T/logs"
	ln -s "$T/victim/made" "$T/logs/out"
	chown -h nobody "$T/logs/out"
	service writer Type=oneshot User=nobody "StandardOutput=append:$T/logs/out" "ExecStart=/bin/echo theirs"
	ctl start writer.service >/dev/null 2>&1
	is "nor does root open a log through one" "" "failed 209 no" \
		"$(active writer.service) $(prop writer.service ExecMainStatus) $([ -e "$T/victim/made" ] && echo made || echo no)"
	rm "$T/logs/out"
	ctl start writer.service >/dev/null 2>&1
	is "... and else it does" "" "theirs" "$(cat "$T/logs/out")"
}

for test in clean limits users environment words streams directories; do
	$test
done
hark_down
is "SIGTERM stops all and ends with 0" "" 0 $?
finish
