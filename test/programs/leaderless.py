#!/usr/bin/env python3
"""Has a session in a second thread, whose process's main thread ends, before it or during it.

Arguments: the port to connect to, and when the main thread ends: `before`, `during`, or `exec` for
a second thread that executes this program anew. Writes a line once it is connected and the main
thread has ended, closes the session at a line on stdin, and goes on until stdin ends.
"""

import ctypes
import os
import platform
import socket
import sys
import threading
import time

SYS_EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]

port, when = int(sys.argv[1]), sys.argv[2]
pid = os.getpid()
connected = threading.Event()


def wait_for_main_thread():
    while True:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                return
        time.sleep(0.001)


def act():
    if when == "exec":
        os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[0], str(port), "never"])
    if when == "before":
        wait_for_main_thread()
    with socket.create_connection(("127.0.0.1", port)) as session:
        connected.set()
        if when == "during":
            wait_for_main_thread()
        print(pid, flush=True)
        sys.stdin.readline()
    sys.stdin.read()


thread = threading.Thread(target=act)
thread.start()
if when in ("before", "during"):
    if when == "during":
        connected.wait()
    ctypes.CDLL(None).syscall(SYS_EXIT, 0)  # of this thread alone
thread.join()
