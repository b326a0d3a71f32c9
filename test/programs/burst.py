#!/usr/bin/env python3
"""Makes many short TCP sessions at once, and reports each end of each session.

Several server processes accept on one listener. Several client processes, each with several
threads, connect, send a different number of bytes in each session, get as many back, and close.
The output is one JSON object: the port, and for each end its process, cookie, ports and bytes.
The listener's port is printed first, on its own line, and nothing happens before stdin closes.
"""

import argparse
import json
import os
import signal
import socket
import struct
import sys
import threading

SO_COOKIE = 57
LIMIT_S = 60  # of a process's life


def cookie(sock):
    return str(struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0])


def end_of(sock, role):
    return {
        "role": role,
        "pid": os.getpid(),
        "cookie": cookie(sock),
        "local_port": sock.getsockname()[1],
        "peer_port": sock.getpeername()[1],
    }


def read_all(sock):
    count = 0
    while data := sock.recv(65536):
        count += len(data)
    return count


def serve(listener, ends):
    """Accepts until the listener is shut down."""
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        end = end_of(sock, "passive")
        count = read_all(sock)
        sock.sendall(b"y" * count)
        sock.close()
        ends.append({**end, "bytes": count})


def connect_many(address, sessions, ends):
    for i in range(sessions):
        sock = socket.socket()
        sock.connect(address)
        end = end_of(sock, "active")
        sock.sendall(b"x" * (i % 100))
        sock.shutdown(socket.SHUT_WR)
        count = read_all(sock)
        sock.close()
        ends.append({**end, "bytes": count})


def give_up(failure):
    """A thread that failed ends its process: the test sees that output is missing."""
    sys.__excepthook__(*failure[:3])
    os._exit(1)


def in_threads(count, function, *arguments):
    threads = [threading.Thread(target=function, args=arguments) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def spawn(count, work):
    """Runs `work` in `count` processes, with a list, which the returned function collects."""
    children = []
    for _ in range(count):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(LIMIT_S)
            os.close(reader)
            ends = []
            work(ends)
            with os.fdopen(writer, "w") as output:
                json.dump(ends, output)
            os._exit(0)
        os.close(writer)
        children.append((child, reader))

    def collect():
        ends = []
        for child, reader in children:
            with os.fdopen(reader) as stream:
                ends += json.load(stream)
            os.waitpid(child, 0)
        return ends

    return collect


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sessions", type=int, default=250, help="of each thread")
    options = parser.parse_args()
    threading.excepthook = give_up
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.alarm(LIMIT_S)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    address = listener.getsockname()
    print(address[1], flush=True)
    sys.stdin.read()
    servers = spawn(options.servers, lambda ends: in_threads(4, serve, listener, ends))
    clients = spawn(
        options.clients,
        lambda ends: in_threads(options.threads, connect_many, address, options.sessions, ends),
    )
    ends = clients()
    listener.shutdown(socket.SHUT_RDWR)  # wakes all that wait in accept()
    print(json.dumps(ends + servers()))


main()
