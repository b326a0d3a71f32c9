#!/usr/bin/env python3
"""Makes TCP sessions and attempts on loopback, a number of each kind, on command.

Some are open first: then "ready" is printed, and the port of a listener that has not accepted its
one session. At the first line on stdin the others are made and ended, and "made" is printed; at the
second line everything is closed, and "closed" is printed.
"""

import argparse
import errno
import signal
import socket
import struct
import sys

LIMIT_S = 60  # of the process's life
TCP_REPAIR = 19
REPAIR_OFF_NO_PROBE = -1
LOOPBACK = "127.77.0.1"  # no other session has it as its peer, nor have those of servers
sockets = []


def listen(backlog=1024):
    listener = socket.socket()
    listener.bind((LOOPBACK, 0))
    listener.listen(backlog)
    return listener


def pair(listener):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    return client, server


def ordinary(listener):
    client, server = pair(listener)
    client.sendall(b"x" * 100)
    server.recv(100)
    client.close()
    server.recv(1)
    server.close()


def reset(listener):
    """The server's process has not used it before it is reset."""
    client, server = pair(listener)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server.close()


def refused(port):
    client = socket.socket()
    assert client.connect_ex((LOOPBACK, port)) == errno.ECONNREFUSED
    client.close()


def abandoned(full):
    """Nobody answers its SYN."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(full.getsockname())
    client.close()


def with_itself():
    sock = socket.socket()
    sock.bind((LOOPBACK, 0))
    sock.connect(sock.getsockname())
    sock.sendall(b"x")
    sock.recv(1)
    sock.close()


def restored(listener, to_the_end):
    """Connected by TCP_REPAIR, without a SYN."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.bind((LOOPBACK, 0))
    sock.connect(listener.getsockname())
    if not to_the_end:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_NO_PROBE)
    sock.close()


def taken_away(listener):
    """Closed by TCP_REPAIR, without a FIN."""
    client, server = pair(listener)
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    client.close()
    server.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    count = parser.parse_args().count
    signal.alarm(LIMIT_S)
    listener = listen()
    reserved = socket.socket()
    reserved.bind((LOOPBACK, 0))
    full = listen(0)
    sockets.append(socket.create_connection(full.getsockname()))
    for _ in range(count):
        sockets.extend(pair(listener))
    print("ready", full.getsockname()[1], flush=True)
    if not sys.stdin.readline():
        return
    for _ in range(count):
        ordinary(listener)
        reset(listener)
        refused(reserved.getsockname()[1])
        abandoned(full)
        with_itself()
        restored(listener, True)
        restored(listener, False)
        taken_away(listener)
    print("made", flush=True)
    if not sys.stdin.readline():
        return
    sockets.append(full.accept()[0])
    for sock in sockets:
        sock.close()
    print("closed", flush=True)
    sys.stdin.readline()


main()
