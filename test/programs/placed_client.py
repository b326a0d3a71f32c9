"""
Connects from an unusual place, says so, and closes when its input ends:

    placed_client.py HOW ADDRESS PORT [SOURCE] [NETNS]

HOW is who is in the network namespace: the "process", a "thread", only the "socket"; or the process
is, and it is "transparent", with nobody's address as SOURCE, or uses TCP Fast Open: "fast_open".
"""

import ctypes
import os
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000
IP_FREEBIND = 15  # bind(2) to what only a route makes local, in IPv6
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75

how, address, port, source, netns = (sys.argv[1:] + ["", ""])[:5]
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")


def make_socket():
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if how == "transparent" and ":" in address:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    elif how == "transparent":
        made.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    if source:
        made.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        made.bind((source, 0))
    return made


def talk(client):
    if how == "fast_open":
        client.sendto(b"in the SYN", socket.MSG_FASTOPEN, (address, int(port)))
    else:
        client.connect((address, int(port)))
    print("connected", flush=True)
    sys.stdin.read()
    client.close()


def run():
    if netns:
        enter(netns)
    client = make_socket()
    if how == "socket":
        enter(f"/proc/{os.getppid()}/ns/net")
    talk(client)


if how == "thread":
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
else:
    run()
