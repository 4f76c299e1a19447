# SPDX-License-Identifier: MIT
# asks.py SOCKET VERBS UID SEED N UNIT...: N requests to the manager at its control socket, in the words of src/ctl/verbs.def, for units, things that are
# none, and ways out of the directories; as that user. Prints how many were answered, refused for want of rights, and the last one that was not answered.
import os, random, re, socket, struct, sys

path, verbs_file, uid, seed, n, units = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6:]
text = open(verbs_file).read()
verbs = re.findall(r'^VERB\(\w+, "([^"]+)"', text, re.M)
options = re.findall(r'^OPTION\(\w+, "([^"]+)"', text, re.M)
if uid:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
else: # root's are carried out: those that end or change the system are not asked for
    verbs = [v for v in verbs if v in ("status", "show", "why", "logs", "start", "stop", "kill", "freeze", "thaw", "clean", "set-property", "cancel", "attach", "wait", "transient")]
paths = ["../../x.service", "..", ".", "", "/", "/etc/passwd", "a/../b.service", "../canary.service", "x/../../../canary.service", "@.service", "a@../../canary.service",
         "%n.service", "\x1b[2J", "a\nb.service", "x" * 300 + ".service", "-", "--", "é.service", "*", "[", "a@%s%n.service", "-1", "0", "1", "99999999999999999999", "TERM=1", "A=B"]
if not uid:
    paths.remove("*")
seeded = random.Random(seed)


def field(tag, value):
    value = value.encode()
    return struct.pack("=HHI", tag, 0, len(value)) + value


def request(number):
    frame = struct.pack("=HHI", 0x6b68, 1, number)
    for i in range(1 if seeded.random() < 0.95 else seeded.randrange(3)):
        frame += field(1, seeded.choice(verbs))
    for i in range(seeded.choice((0, 1, 1, 1, 2, 3))):
        frame += field(2, seeded.choice(units if uid and seeded.random() < 0.6 else paths))
    for i in range(seeded.choice((0, 0, 1, 2))):
        word = seeded.choice(options) if options else "all"
        frame += field(3, seeded.choice((word, word + "=", word + "=" + seeded.choice(paths + units))))
    if seeded.random() < 0.5:
        frame += field(4, seeded.choice(("1", "0", "x", str(seeded.getrandbits(63)))))
    return frame


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(60)
    s.connect(path)
    return s


s, answered, endless, lost = connect(), 0, 0, ""
for i in range(n):
    frame = request(i + 1)
    try:
        if uid and seeded.random() < 0.05: # descriptors that nobody asked for
            socket.send_fds(s, [frame], [0] * 200)
        else:
            s.send(frame)
        s.settimeout(0.05 if any(w in frame for w in (b"monitor", b"wait", b"follow", b"devices", b"start", b"stop")) else 60)
        while True:
            got = s.recv(16384)
            if not got:
                raise ConnectionError
            if struct.unpack("=HHI", got[:8])[1] == 3:
                answered += 1
                break
    except (TimeoutError, socket.timeout):
        endless += 1
        if s.gettimeout() > 1:
            lost = repr(frame)
        s.close()
        s = connect()
    except OSError: # it is no request: the connection is closed
        answered += 1
        s.close()
        s = connect()
print("answered %d of %d" % (answered + endless, n), lost)
