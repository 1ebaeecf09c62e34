"""Feeds Icecast with an endless stream at a given rate, as a live encoder would.

Usage: icecast_source.py PORT AUDIO_FILE BYTES_PER_SECOND
"""

import base64
import itertools
import socket
import sys
import time

PIECE = 2000
port, path, rate = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with open(path, "rb") as file:
    audio = file.read()
connection = socket.create_connection(("127.0.0.1", port))
credentials = base64.b64encode(b"source:benchmark").decode()
connection.sendall(
    f"PUT /live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {credentials}\r\n"
    "Content-Type: audio/mpeg\r\nExpect: 100-continue\r\n\r\n".encode()
)
connection.recv(4096)
start = time.monotonic()
for number in itertools.count():
    offset = number * PIECE % (len(audio) - PIECE)
    connection.sendall(audio[offset : offset + PIECE])
    time.sleep(max(0.0, start + number * PIECE / rate - time.monotonic()))
