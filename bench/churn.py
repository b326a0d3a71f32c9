"""Makes TCP sessions on loopback: churn.py COUNT. Each exchanges 64 bytes and closes."""

import socket
import sys
import threading

THREADS = 4


def serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(connection.recv(64))


def connect(port: int, count: int, thread: int) -> None:
    for i in range(count):
        # many addresses, so that no port is waited for
        address = f"127.{thread}.{i >> 8 & 255}.{i & 255 or 1}"
        with socket.create_connection((address, port)) as connection:
            connection.sendall(b"x" * 64)
            connection.recv(64)


def main() -> None:
    count = int(sys.argv[1])
    listener = socket.create_server(("0.0.0.0", 0), backlog=1024)
    for _ in range(THREADS):
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    clients = [
        threading.Thread(target=connect, args=(port, count // THREADS, thread + 1))
        for thread in range(THREADS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


main()
