#!/usr/bin/env python3
"""Makes TCP sessions on command, and reports what it did.

Reads commands from stdin, a JSON object a line: {"do": "connect", "name": "a", ...}. Answers each
with an object on stdout: who ran it, both clocks before and after it, errno (0 when it worked) and
the result. Numbers that JavaScript would round (nanoseconds, cookies) are strings.

The first line of output, before any command, describes the process. Its one argument is a JSON
object: its `comm`, `cgroups` to join, the `uid` to take, and by name descriptors of `sockets`.

Hundreds of these start when the tests run: only what is quick to import is at the top.
"""

import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

SO_COOKIE = 57
IPPROTO_MPTCP = 262
TCP_CLOSE = 7  # include/net/tcp_states.h
SIOCINQ = termios.FIONREAD
SIOCOUTQ = termios.TIOCOUTQ
COMMAND_LIMIT_S = 30  # a command that takes longer ends the process
CHUNK = b"x" * 65536

sockets = {}
sniffers = {}
steps = []
sockmaps = []


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Stamps:
    """Both clocks around one action."""

    def __enter__(self):
        self.wall_before = time.time_ns()
        self.before = boot_ns()
        return self

    def __exit__(self, *_):
        self.after = boot_ns()
        self.wall_after = time.time_ns()

    def __call__(self):
        return {
            "before_ns": str(self.before),
            "after_ns": str(self.after),
            "wall_before_ns": str(self.wall_before),
            "wall_after_ns": str(self.wall_after),
        }


def own_pid():
    """The pid in the /proc that is mounted here, whatever this process's pid namespace."""
    return int(os.readlink("/proc/self"))


def cgroup_id():
    """Inode of this process's cgroup v2 folder."""
    with open("/proc/self/cgroup") as lines:
        path = next(line for line in lines if line.startswith("0::"))[3:].strip()
    with open("/proc/mounts") as mounts:
        root = next(m.split()[1] for m in mounts if m.split()[2] == "cgroup2")
    return os.stat(root + path).st_ino


def describe():
    with open("/proc/self/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    with open("/proc/self/comm") as comm:
        name = comm.read().strip()
    return {
        "pid": own_pid(),
        "uid": os.getuid(),
        "comm": name,
        "exe": os.path.basename(os.readlink("/proc/self/exe")),
        "exe_path": os.readlink("/proc/self/exe"),
        "start_ticks": int(fields[19]),  # field 22 of proc_pid_stat(5)
        "cgroup_id": str(cgroup_id()),
        "netns": os.stat("/proc/self/ns/net").st_ino,
    }


def zone(name):
    """Number and name of the interface of a link-local address: sin6_scope_id of ipv6(7)."""
    index = name[3] if len(name) == 4 else 0
    return [index, socket.if_indextoname(index)] if index else None


def own_end_of(sock):
    name = sock.getsockname()
    cookie = struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    return {
        "local_address": name[0],
        "local_port": name[1],
        "local_zone": zone(name),
        "cookie": str(cookie),
    }


def end_of(sock):
    name = sock.getpeername()
    return {
        **own_end_of(sock),
        "peer_address": name[0],
        "peer_port": name[1],
        "peer_zone": zone(name),
    }


def target_of(command):
    """Python takes a zone only as a separate number."""
    address, _, interface = command["address"].partition("%")
    target = (address, command["port"])
    return (*target, 0, socket.if_nametoindex(interface)) if interface else target


def make_socket(command):
    family = socket.AF_INET if command["family"] == "ipv4" else socket.AF_INET6
    protocol = IPPROTO_MPTCP if command.get("mptcp") else socket.IPPROTO_TCP
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, command["family"] == "ipv6")
    return sock


def listen(command):
    """Also reserves a port that refuses connections, with "listen": false."""
    sock = sockets[command["name"]] = make_socket(command)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, command.get("reuse_port", False))
    sock.bind((command["address"], command.get("port", 0)))
    with Stamps() as stamps:
        if command.get("listen", True):
            sock.listen(command.get("backlog", 128))
    return {**stamps(), "port": sock.getsockname()[1]}


def prepare(command):
    """Makes a socket that connects later; binds it if an address or a port is given."""
    sock = sockets[command["name"]] = make_socket(command)
    if command.get("source") or command.get("source_port"):
        sock.bind((command.get("source", ""), command.get("source_port", 0)))
    return own_end_of(sock)


def set_option(command):
    """setsockopt(2) with an int or text, by the numbers of the kernel's headers."""
    sock = sockets[command["name"]]
    value = command["value"]
    value = value.encode() if isinstance(value, str) else value
    sock.setsockopt(command["level"], command["option"], value)
    return {}


def connect(command):
    if "name" in command and command["name"] in sockets:
        sock = sockets[command["name"]]
    else:
        sock = sockets[command["name"]] = make_socket(command)
        if command.get("source"):
            sock.bind((command["source"], 0))
    target = target_of(command)
    with Stamps() as stamps:
        code = sock.connect_ex(target)
    return {**stamps(), "errno": code, **({} if code else end_of(sock))}


def start_connect(command):
    """Sends a SYN, and does not wait for the result."""
    sock = sockets[command["name"]]
    sock.setblocking(False)
    with Stamps() as stamps:
        code = sock.connect_ex((command["address"], command["port"]))
    return {**stamps(), "errno": 0 if code == errno.EINPROGRESS else code, **own_end_of(sock)}


def finish_connect(command):
    """Waits for the result of start_connect."""
    sock = sockets[command["name"]]
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    with Stamps() as stamps:
        poll.poll()
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.setblocking(True)
    return {**stamps(), "errno": code, **({} if code else end_of(sock))}


def disconnect(command):
    """connect(2) with AF_UNSPEC: the socket can connect again."""
    import ctypes

    unspec = struct.pack("=H14x", socket.AF_UNSPEC)
    libc = ctypes.CDLL(None, use_errno=True)
    with Stamps() as stamps:
        result = libc.connect(sockets[command["name"]].fileno(), unspec, len(unspec))
    return {**stamps(), "errno": ctypes.get_errno() if result else 0}


def connect_and_abort(command):
    """A session of microseconds: connects, and closes with SO_LINGER and a time of 0."""
    truth = connect(command)
    return {**truth, "closed": close({"name": command["name"], "linger_zero": True})}


def accept(command):
    with Stamps() as stamps:
        sock, _ = sockets[command["listener"]].accept()
    sockets[command["name"]] = sock
    return {**stamps(), **end_of(sock)}


def is_ready(command):
    """Whether a listener has a session to accept, or a socket something to read."""
    return {"ready": bool(select.select([sockets[command["name"]]], [], [], 0)[0])}


def send(command):
    """With "flags" of send(2), such as MSG_OOB."""
    sock = sockets[command["name"]]
    left = command["bytes"]
    flags = command.get("flags", 0)
    with Stamps() as stamps:
        while left > 0:
            left -= sock.send(CHUNK[:left], flags)
    return stamps()


def send_fast_open(command):
    """Connects and sends in one call, with data in the SYN if there is a cookie (RFC 7413)."""
    sock = sockets[command["name"]]
    wait = command.get("wait", True)
    flags = socket.MSG_FASTOPEN | (0 if wait else socket.MSG_DONTWAIT)
    target = (command["address"], command["port"])
    with Stamps() as stamps:
        count = sock.sendto(CHUNK[: command["bytes"]], flags, target)
    return {**stamps(), **(end_of if wait else own_end_of)(sock), "bytes": count}


def send_file(command):
    """sendfile(2): the pages of a file, without a copy."""
    sock = sockets[command["name"]]
    left = command["bytes"]
    with memory_file(left) as source, Stamps() as stamps:
        while left > 0:
            left -= os.sendfile(sock.fileno(), source.fileno(), command["bytes"] - left, left)
    return stamps()


def memory_file(size):
    file = os.fdopen(os.memfd_create("payload"), "wb")
    file.truncate(size)
    return file


def splice(command):
    """splice(2) of "bytes" bytes, through a pipe, to a file or, with "send", from one."""
    sock = sockets[command["name"]].fileno()
    pipe_out, pipe_in = os.pipe()
    left = command["bytes"]
    with memory_file(left) as file, Stamps() as stamps:
        ends = (file.fileno(), sock) if command.get("send") else (sock, file.fileno())
        while left > 0:
            inside = count = os.splice(ends[0], pipe_in, left)
            while inside > 0:
                inside -= os.splice(pipe_out, ends[1], inside)
            left -= count
    os.close(pipe_out)
    os.close(pipe_in)
    return stamps()


def exchange(command):
    """Sends and receives at the same time."""
    name = command["name"]
    received = {}
    reader = threading.Thread(
        target=lambda: received.update(receive({"name": name, "bytes": command["receive"]}))
    )
    with Stamps() as stamps:
        reader.start()
        send({"name": name, "bytes": command["send"]})
        reader.join()
    return {**stamps(), "bytes": received["bytes"]}


def send_until_full(command):
    """Writes until the buffers of both ends are full."""
    sock = sockets[command["name"]]
    written = 0
    sock.setblocking(False)
    with Stamps() as stamps:
        quiet = 0
        while quiet < 20:
            try:
                written += sock.send(CHUNK)
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.01)
    sock.setblocking(True)
    return {**stamps(), "bytes": written}


def receive(command):
    """
    Exactly "bytes" bytes, or until the peer's FIN if no number is given. With "flags" of
    recv(2), such as MSG_PEEK.
    """
    sock = sockets[command["name"]]
    wanted = command.get("bytes")
    flags = command.get("flags", 0)
    count = 0
    with Stamps() as stamps:
        while wanted is None or count < wanted:
            data = sock.recv(1 << 20 if wanted is None else min(1 << 20, wanted - count), flags)
            if not data:
                break
            count += len(data)
    return {**stamps(), "bytes": count}


def shutdown(command):
    with Stamps() as stamps:
        sockets[command["name"]].shutdown(command.get("how", socket.SHUT_WR))
    return stamps()


def close(command):
    """With SO_LINGER and a time of 0, or of the given seconds."""
    sock = sockets.pop(command["name"])
    linger = 0 if command.get("linger_zero") else command.get("linger")
    if linger is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, linger))
    with Stamps() as stamps:
        sock.close()
    return stamps()


def info(command):
    """TCP_INFO (include/uapi/linux/tcp.h), and what waits in either direction."""
    sock = sockets[command["name"]]
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)

    def u32(offset):
        return struct.unpack_from("I", raw, offset)[0]

    def queued(request):
        return struct.unpack("i", fcntl.ioctl(sock, request, b"\0" * 4))[0]

    return {
        "options": raw[5],
        "rtt_us": u32(68),
        "min_rtt_us": u32(148),
        "total_retrans": u32(100),
        "data_segs_in": u32(152),
        "data_segs_out": u32(156),
        "unsent_or_unacked": queued(SIOCOUTQ),
        "unread": queued(SIOCINQ),
    }


def wait_closed(command):
    """Until the socket is in CLOSE: a receiver gets no error from a reset after a FIN."""
    sock = sockets[command["name"]]
    with Stamps() as stamps:
        while sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_CLOSE:
            time.sleep(0.0002)
    return stamps()


def step_clock(command):
    """
    Sets the wall clock forward or back, and undoes it exactly after a while: the machine is not
    left with a wrong one, whatever happens to the test.
    """

    import ctypes

    def step(seconds):
        with Stamps() as stamps:
            if libc.clock_adjtime(time.CLOCK_REALTIME, timex(seconds)) < 0:
                raise OSError(ctypes.get_errno(), "it failed")
        return stamps()

    libc = ctypes.CDLL(None, use_errno=True)
    forth = step(command["seconds"])
    undo = threading.Timer(command["for_ms"] / 1000, step, [-command["seconds"]])
    undo.start()
    steps.append(undo)
    return forth


def timex(seconds):
    """struct timex (include/uapi/linux/timex.h) that adds to the clock."""
    adj_setoffset = 0x0100
    return struct.pack("=I68xqq120x", adj_setoffset, seconds, 0)


def wait_for_clock(_):
    """Until the steps of the wall clock are undone."""
    with Stamps() as stamps:
        while steps:
            steps.pop().join()
    return stamps()


def sniff(command):
    """Notes the sequence numbers of the SYNs that one IPv4 port of an interface sends and gets."""
    everything = socket.htons(3)  # ETH_P_ALL
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, everything)
    raw.bind((command["interface"], 0))
    found = {}

    def run():
        while True:
            packet, (_, protocol, *_) = raw.recvfrom(2048)
            header = packet[14:]
            if protocol != 0x0800 or header[9] != socket.IPPROTO_TCP:
                continue
            tcp = header[(header[0] & 15) * 4:]
            source, target, number = struct.unpack_from("!HHI", tcp)
            if tcp[13] & 2 and command["port"] in (source, target):
                found[source] = number

    threading.Thread(target=run, daemon=True).start()
    sniffers[command["port"]] = found
    return {}


def sniffed(command):
    return {"numbers": sniffers[command["port"]]}


def fork(_):
    """A child with copies of all sockets takes over stdin and stdout, until it must leave."""
    child = os.fork()
    if child == 0:
        return {"process": describe()}
    os.waitpid(child, 0)
    return None  # the child has answered


def split(command):
    """A child with copies of all sockets, which takes its commands from a Unix socket."""
    if os.fork() == 0:
        control = socket.socket(socket.AF_UNIX)
        control.connect(command["control"])
        os.dup2(control.fileno(), 0)
        os.dup2(control.fileno(), 1)
        control.close()
        name_thread(command.get("comm", describe()["comm"]))
        return describe()
    return {}


def execute(command):
    """execve(2) of this program by another executable, which gets the sockets."""
    held = {name: os.dup(sock.fileno()) for name, sock in sockets.items()}
    for descriptor in held.values():
        os.set_inheritable(descriptor, True)
    argument = json.dumps({"comm": command["comm"], "sockets": held})
    home = {"PYTHONHOME": sys.prefix}  # a copy does not find it
    program = command["program"]
    os.execve(program, [program, os.path.abspath(__file__), argument], {**os.environ, **home})


def set_user(command):
    os.setgroups([])
    os.setgid(command["uid"])
    os.setuid(command["uid"])
    return {"process": describe()}


def pass_on(command):
    """SCM_RIGHTS: a copy of the socket to the process that waits in take()."""
    deadline = time.monotonic() + COMMAND_LIMIT_S
    with socket.socket(socket.AF_UNIX) as channel:
        while channel.connect_ex(command["path"]) != 0 and time.monotonic() < deadline:
            time.sleep(0.001)
        socket.send_fds(channel, [b"s"], [sockets[command["name"]].fileno()])
        channel.recv(1)  # until it has arrived
    return {}


def take(command):
    with socket.socket(socket.AF_UNIX) as meeting:
        meeting.bind(command["path"])
        meeting.listen()
        channel, _ = meeting.accept()
        with channel:
            descriptor = socket.recv_fds(channel, 1, 1)[1][0]
    sockets[command["name"]] = socket.socket(fileno=descriptor)
    return {}


def make_sockmap(command):
    """
    A sockmap with a program of a "kind", "msg" or "skb", if one is given, and with the sockets of
    "names". The program redirects to the socket of index "to", if there is one.
    """
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # python -I leaves it out
    from sockmap import Sockmap

    made = Sockmap(command.get("kind"), command.get("to"), command.get("ingress", True))
    for index, name in enumerate(command["names"].split()):
        made.put(index, sockets[name].fileno())
    sockmaps.append(made)
    return {}


def leave_sockmap(command):
    """Removes the socket of an index."""
    sockmaps[-1].remove(command["index"])
    return {}


COMMANDS = {
    "listen": listen,
    "prepare": prepare,
    "set_option": set_option,
    "connect": connect,
    "start_connect": start_connect,
    "finish_connect": finish_connect,
    "connect_and_abort": connect_and_abort,
    "disconnect": disconnect,
    "accept": accept,
    "send": send,
    "send_fast_open": send_fast_open,
    "send_file": send_file,
    "splice": splice,
    "exchange": exchange,
    "send_until_full": send_until_full,
    "receive": receive,
    "shutdown": shutdown,
    "close": close,
    "info": info,
    "wait_closed": wait_closed,
    "step_clock": step_clock,
    "wait_for_clock": wait_for_clock,
    "sniff": sniff,
    "sniffed": sniffed,
    "fork": fork,
    "is_ready": is_ready,
    "split": split,
    "execute": execute,
    "set_user": set_user,
    "pass_on": pass_on,
    "make_sockmap": make_sockmap,
    "leave_sockmap": leave_sockmap,
    "take": take,
}


def name_thread(name):
    with open("/proc/thread-self/comm", "w") as comm:
        comm.write(name)


def act(command):
    """In a second thread, if a name for it is given."""
    action = COMMANDS[command["do"]]
    if command.get("thread") is None:
        return action(command)
    outcome = {}

    def run():
        name_thread(command["thread"])
        try:
            outcome["result"] = action(command)
        except OSError as error:
            outcome["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def reply(message):
    os.write(1, (json.dumps(message) + "\n").encode())


def main():
    arguments = json.loads(sys.argv[1])
    for cgroup in arguments.get("cgroups", []):
        with open(f"{cgroup}/cgroup.procs", "w") as members:
            members.write(str(os.getpid()))
    name_thread(arguments["comm"])
    for name, descriptor in arguments.get("sockets", {}).items():
        sockets[name] = socket.socket(fileno=descriptor)
    if "uid" in arguments:
        set_user(arguments)
    reply(describe())
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "leave":
            reply({"errno": 0})
            os._exit(0)
        signal.alarm(COMMAND_LIMIT_S)
        try:
            with Stamps() as stamps:
                result = act(command)
        except OSError as error:
            result = {**stamps(), "errno": error.errno}
        signal.alarm(0)
        if result is not None:
            reply({"errno": 0, **result})


main()
