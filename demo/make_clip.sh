#!/usr/bin/env bash
# Generates demo/welcome.mp3, the spoken demo clip. Needs the Debian packages espeak-ng and ffmpeg.
set -euo pipefail
cd "$(dirname "$0")"
pieces=$(mktemp -d)
trap 'rm -r "$pieces"' EXIT

number=10
say() { # VOICE PITCH TEXT
    espeak-ng -v "$1" -p "$2" -s 158 -w "$pieces/$number.wav" "$3"
    ffmpeg -loglevel error -f lavfi -i anullsrc=r=22050:cl=mono -t 0.35 "$pieces/$number-pause.wav"
    number=$((number + 1))
}

say en-gb 45 "Welcome to the shortest podcast about podcasts. I am your host."
say en-us+f3 60 "And I am your guest. What are we talking about today?"
say en-gb 45 "About the moment between pressing play and hearing something. Usually, you wait until the whole episode has been made."
say en-us+f3 60 "But this episode is still being made! The next sentence does not exist yet, and you can already hear this one."
say en-gb 45 "That is what an audio stream feeder does. It sends each second of sound as soon as that second exists."
say en-us+f3 60 "And when the train goes into a tunnel?"
say en-gb 45 "Then it remembers the very byte at which you stopped listening, and goes on from there."
say en-us+f3 60 "Nothing lost, and nothing twice. Thank you for listening."

for wave in "$pieces"/*.wav; do echo "file '$wave'"; done | sort > "$pieces/list.txt"
ffmpeg -loglevel error -y -f concat -safe 0 -i "$pieces/list.txt" \
    -af loudnorm=I=-18:TP=-2 -ar 22050 -ac 1 -c:a libmp3lame -b:a 48k -map_metadata -1 \
    -metadata title="Welcome" -metadata artist="Audio Stream Feeder" welcome.mp3
