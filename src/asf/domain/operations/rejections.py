"""Why joins are rejected, and what to do about it: for operators, by error code."""

from collections.abc import Iterable

EXPLANATIONS = {
    "ASF_STREAM_NOT_FOUND": (
        "Nobody has announced the stream, or it was deleted. Does the backend announce it, and to this cluster? "
        "Clients that may be early join with wait."
    ),
    "ASF_AUDIO_UNAVAILABLE": (
        "The audio is missing, unreadable or outside ASF_AUDIO_ROOTS, or its store does not answer. "
        "The log line of the join has the reason; /asf/ready names roots that cannot be read."
    ),
    "ASF_GENERATION_FAILED": "Generating the audio has failed, as its backend reported. The stream has the reason.",
    "ASF_STREAM_STALLED": "The audio has not grown for ASF_STALL_GIVE_UP_SECONDS. Does its backend still run?",
    "ASF_EPOCH_CHANGED": "The audio was regenerated. The client must start over; the clients of ASF do so.",
    "ASF_TOO_MANY_LISTENERS": "The node has ASF_MAX_LISTENERS listeners. Add nodes, or raise the setting.",
    "ASF_TOO_MANY_CONNECTIONS": "The node has too many connections. Raise ASF_MAX_LISTENERS, which also bounds them.",
    "ASF_UNAUTHORIZED": (
        "The token is missing, expired or signed with another key, or does not grant the stream. "
        "Do the issuer of tokens and all nodes have the same ASF_SECRET_KEY, and the right time?"
    ),
    "ASF_RATE_LIMITED": "One connection joins too often, or one address has too many connections.",
    "ASF_DRAINING": "The node is shutting down. Clients reconnect to another one, if the proxy has noticed it.",
    "ASF_CATALOG_UNAVAILABLE": "The database or Redis cannot be reached. /asf/ready and the log say why.",
    "ASF_INTERNAL_ERROR": "A fault of ASF. The log has the traceback.",
}
"""What each code means when a join is rejected with it. Others are errors in what the client has sent."""

OF_CLIENTS = "The client has sent an invalid request: its developers find the reason in the details of the error."


def explain(codes: Iterable[str]) -> dict[str, str]:
    """Return an explanation for each of the codes."""
    return {code: EXPLANATIONS.get(code, OF_CLIENTS) for code in sorted(codes)}
