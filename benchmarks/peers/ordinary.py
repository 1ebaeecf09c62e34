"""The same service, the ordinary way: a loop in a Flask-SocketIO handler, an emit for each chunk.

Usage: ordinary.py PORT AUDIO_FILE. Settings as in ASF: ASF_CHUNK_SIZE, ASF_STREAM_SLEEP_INTERVAL.
"""

import os
import sys
import time

import eventlet

eventlet.monkey_patch()

from flask import Flask, jsonify, request  # noqa: E402
from flask_socketio import SocketIO, emit, join_room  # noqa: E402

AUDIO = "/api/v1/podcasts/stream"
UPDATES = "/ui_updates"
CHUNK_SIZE = int(os.environ.get("ASF_CHUNK_SIZE", "4096"))
SLEEP_INTERVAL = float(os.environ.get("ASF_STREAM_SLEEP_INTERVAL", "0.01"))

app = Flask(__name__)
socketio = SocketIO(app, cors_allowed_origins="*", async_mode="eventlet")
path = sys.argv[2]


@socketio.on("connect", namespace=AUDIO)
def greet():
    emit("connection_ack", {"message": "Connected to ASF. Please send join_stream with your stream_id."})


@socketio.on("join_stream", namespace=AUDIO)
def stream(message):
    stream_id = message["stream_id"]
    listener = request.sid
    emit("stream_status", {"status": "joined", "stream_id": stream_id, "message": f"Joined stream {stream_id}."})
    emit("audio_control", {"event": "start_of_stream", "stream_id": stream_id, "timestamp": time.time()})
    with open(path, "rb") as audio:
        while chunk := audio.read(CHUNK_SIZE):
            socketio.emit("audio_chunk", chunk, namespace=AUDIO, to=listener)
            socketio.sleep(SLEEP_INTERVAL)
    emit("audio_control", {"event": "end_of_stream", "stream_id": stream_id, "timestamp": time.time()})


@socketio.on("connect", namespace=UPDATES)
def greet_subscriber():
    emit("ui_connection_ack", {"message": f"Connected to ASF UI updates on namespace {UPDATES}."})


@socketio.on("subscribe_to_ui_updates", namespace=UPDATES)
def subscribe(message):
    join_room(message["client_id"])
    emit("subscribed_ui_updates", {"status": "success", "client_id": message["client_id"]})


@app.post("/asf/internal/send_ui_update")
def send_ui_update():
    update = request.get_json()
    socketio.emit(update["event_name"], update["data"], to=update["client_id"], namespace=UPDATES)
    return jsonify(status="success", message="UI update sent to client.")


socketio.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_output=False, max_size=50_000)
