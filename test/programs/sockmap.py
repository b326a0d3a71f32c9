"""A sockmap with a program, through bpf(2): what passes TCP by.

Instructions, commands and structures are those of include/uapi/linux/bpf.h.
"""

import ctypes
import os
import platform
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, MAP_UPDATE, MAP_DELETE, PROG_LOAD, PROG_ATTACH = 0, 2, 3, 5, 8
MAP_TYPE_SOCKMAP = 15
SK_SKB = (14, 5)  # program type, attach type: BPF_SK_SKB_STREAM_VERDICT
SK_MSG = (16, 7)  # BPF_SK_MSG_VERDICT
REDIRECT = {SK_SKB: 52, SK_MSG: 60}  # helpers: bpf_sk_redirect_map, bpf_msg_redirect_map
SK_PASS = 1
F_INGRESS = 1
ROOM = 16

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(SYS_BPF, command, room, len(room))
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf(2) failed")
    return result


def instruction(code, to=0, source=0, value=0):
    return struct.pack("<BBhi", code, source << 4 | to, 0, value)


def address(buffer):
    return ctypes.addressof(buffer)


def passes():
    return [instruction(0xB7, value=SK_PASS), instruction(0x95)]


def redirects(kind, fd, index, flags):
    """return redirect(context, map, index, flags)"""
    return [
        instruction(0x18, 2, 1, fd),  # the map, in two parts
        instruction(0),
        instruction(0xB7, 3, value=index),
        instruction(0xB7, 4, value=flags),
        instruction(0x85, value=REDIRECT[kind]),
        instruction(0x95),
    ]


class Sockmap:
    """What does not redirect passes."""

    def __init__(self, kind=None, to=None, ingress=True):
        self.fd = bpf(MAP_CREATE, struct.pack("<4I", MAP_TYPE_SOCKMAP, 4, 4, ROOM))
        if kind is None:
            return
        kind = {"skb": SK_SKB, "msg": SK_MSG}[kind]
        program = passes() if to is None else redirects(kind, self.fd, to, ingress * F_INGRESS)
        program = self.load(kind, program)
        bpf(PROG_ATTACH, struct.pack("<4I", self.fd, program, kind[1], 0))
        os.close(program)

    @staticmethod
    def load(kind, instructions):
        code = ctypes.create_string_buffer(b"".join(instructions))
        licence = ctypes.create_string_buffer(b"GPL")
        head = struct.pack("<IIQQ", kind[0], len(instructions), address(code), address(licence))
        return bpf(PROG_LOAD, head + bytes(44) + struct.pack("<I", kind[1]))

    def put(self, index, fd):
        key, value = (ctypes.create_string_buffer(struct.pack("<I", n)) for n in (index, fd))
        bpf(MAP_UPDATE, struct.pack("<IxxxxQQQ", self.fd, address(key), address(value), 0))

    def remove(self, index):
        key = ctypes.create_string_buffer(struct.pack("<I", index))
        bpf(MAP_DELETE, struct.pack("<IxxxxQ", self.fd, address(key)))

    def close(self):
        os.close(self.fd)
