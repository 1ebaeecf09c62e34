"""A peer whose machine vanishes without a word, for one connection on the loopback device. Linux only."""

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
KEEP_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A program of one instruction (linux/filter.h), which returns how many bytes of a packet are kept."""


def vanish(peer: socket.socket) -> None:
    """Let the peer's machine drop whatever arrives on its connection (socket(7)), without an answer."""
    program = ctypes.create_string_buffer(KEEP_NOTHING)
    peer.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
