"""What the documents of both APIs say about their fields: one description and example for each name.

A schema gives them to a field as its metadata. A name that means something else in one schema is described there.
"""

from typing import Any

from asf.domain.identifiers import MAX_IDENTIFIER_CHARACTERS, MAX_OFFSET


def described(text: str, *examples: Any, **keywords: Any) -> dict[str, Any]:
    """Return the metadata of a field: its description, values that it may have, and further keywords of JSON Schema.

    One that only consists of other schemas, which have examples, needs none.
    """
    return {"description": text, **({"examples": list(examples)} if examples else {}), **keywords}


def flag(text: str, *, example: bool = True) -> dict[str, Any]:
    """Return the metadata of a truth value."""
    return described(text, example)


def count(text: str, example: float) -> dict[str, Any]:
    """Return the metadata of a number that is not negative."""
    return described(text, example, minimum=0)


def name(text: str, example: str) -> dict[str, Any]:
    """Return the metadata of an identifier, whose length is limited."""
    return described(text, example, minLength=1, maxLength=MAX_IDENTIFIER_CHARACTERS)


EXAMPLE_STREAM = "strm_abcdef12345"
EXAMPLE_CLIENT = "alice"
EXAMPLE_EPOCH = "1WCTRjY5rd0R"
EXAMPLE_NODE = "web1-9c43a8"
EXAMPLE_SESSION = "http-9c43a8-1.1"
EXAMPLE_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"  # noqa: S105 - signs nothing
EXAMPLE_UPDATE = {"client_id": EXAMPLE_CLIENT, "event_name": "generation_progress", "data": {"percentage": 40}}
EXAMPLE_CUE = {"id": "7", "start": 1.5, "end": 1.9, "text": "Hello", "kind": "word"}

STREAM_ID = name("The id of the stream.", EXAMPLE_STREAM)
CLIENT_ID = name("The id of the client, whose subscribers receive its updates.", EXAMPLE_CLIENT)
EVENT_NAME = name("The name of the event with which subscribers receive the update.", "generation_progress")
EPOCH = described("The epoch: identifies the audio of the stream, and changes when it is regenerated.", EXAMPLE_EPOCH)
EXPECTED_EPOCH = described(
    "The epoch that is expected. If it is not the current one, the error is ASF_EPOCH_CHANGED.", EXAMPLE_EPOCH
)
CURRENT_EPOCH = described("The current epoch, if another one was requested.", EXAMPLE_EPOCH)
STATE = described(
    "The state of the audio: `generating` while it grows, `complete`, or `failed` (its generation was given up).",
    "complete",
)
FILEPATH = described("The file, object or queue with the audio.", "/srv/podcasts/episode-7.mp3")
CONTENT_TYPE = described("The media type of the audio.", "audio/mpeg")
METADATA = described("Data for listeners, a JSON object; null if there are none.", {"title": "Episode 7"})
REASON = described("Why the generation failed, for humans; null unless it did.", "The voice is not available.")
TOTAL_BYTES = count("The size of the audio, in bytes; null while it is unknown.", 265942)
ANNOUNCED_AT = described("When the stream was last announced, in seconds since the Unix epoch.", 1700000000.0)

ERROR_CODE = described("The stable code of the error.", "ASF_STREAM_NOT_FOUND")
ERROR_MESSAGE = described("What failed, for humans.", "Audio stream ID not found or not yet processed.")
DETAILS = described("What exactly was wrong, for humans.", f"No stream is announced as {EXAMPLE_STREAM}.")
RETRYABLE = flag("Whether the same request may succeed later.")

NEXT_CURSOR = described("The `cursor` of the next page; null on the last page.", f"{EXAMPLE_NODE}:0:1")
CURSOR = described("The `next_cursor` of the previous page; empty for the first page.", f"{EXAMPLE_NODE}:0:1")
STREAM_CURSOR = described("The `next_cursor` of the previous page; empty for the first page.", EXAMPLE_STREAM)
LIMIT = described("The maximum number of entries on the page.", 100)

CUES = described("The cues, in the order in which they were stored.", [EXAMPLE_CUE])
CUE_ID = described("The id of the cue, which replaces an earlier cue of the same id.", "7")
CUE_START = count("Where the cue starts, in seconds from the beginning of the audio.", 1.5)
CUE_END = count("Where the cue ends, in seconds from the beginning of the audio.", 1.9)
CUE_TEXT = described("The text of the cue, in which markup has no meaning.", "Hello")
CUE_KIND = described("What the cue is: `word`, `sentence`, `chapter` or any other name.", "word")
CUE_DATA = described("Any JSON value.", {"speaker": "Ada"})

UPDATE_DATA = described("The data of the update: any JSON value.", {"percentage": 40})
UPDATE_SEQ = count("The number of the update among those of its client, within the epoch.", 41)
UPDATE_EPOCH = described("Identifies the numbering of the client's updates.", EXAMPLE_EPOCH)
SUBSCRIBERS = count("The number of connections that the update was delivered to; 0: it is kept for later.", 1)
DUPLICATE = flag("Whether an update with the same idempotency key was published before.", example=False)

OFFSET = described("The first byte that is wanted.", 131072, minimum=0, maximum=MAX_OFFSET)
NEXT_OFFSET = count("The first byte that was not sent.", 131072)
WINDOW = described(
    "The maximum number of bytes sent and not yet acknowledged; null or absent: no limit.",
    262144,
    minimum=1,
    maximum=MAX_OFFSET,
)
WAIT = flag("Whether to wait for a stream that is not announced yet, for ASF_JOIN_WAIT_SECONDS at most.")
WITH_CUES = flag("Whether cues are wanted, too.")
CUES_SINCE = count("The `seq` of the last cue that was received; 0: none.", 41)
TOKEN = described(
    "A JSON Web Token, required if ASF_REQUIRE_TOKENS is True; otherwise ignored.", EXAMPLE_TOKEN, type="string"
)
TIMESTAMP = described("When the message was sent, in seconds since the Unix epoch.", 1700000000.0)

KIND = described("What the session is.", "listener")
SESSION_ID = described("The id of the session: the `session` of the log lines.", EXAMPLE_SESSION)
NODE = described("The name of the node: of its host, and of this start.", EXAMPLE_NODE)
TRANSPORT = described("How the client is connected; null: unknown.", "http")
PROBLEM = described("Why other nodes could not be asked, for humans; null: they could.", "Redis cannot be reached.")
