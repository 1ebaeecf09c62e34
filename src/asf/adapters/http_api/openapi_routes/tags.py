"""The groups of operations in the OpenAPI document."""

STREAMS = "streams"
UPLOADS = "uploads"
CUES = "cues"
UPDATES = "ui-updates"
LISTENERS = "listeners"
OPERATORS = "operators"
MONITORING = "monitoring"
WEBHOOKS = "webhooks"

TAGS = {
    STREAMS: "For backends: announce streams, list and delete them, and see what their listeners need.",
    UPLOADS: "For backends without a shared directory: send the audio in the body of a request, and resume.",
    CUES: "Words, sentences and chapters with times: backends add them, listeners get them.",
    UPDATES: "For backends: send UI updates to the subscribers of a client.",
    LISTENERS: "The audio by its URL, and the client for browsers.",
    OPERATORS: "For operators: what the nodes do now, who is connected, and how to end a session.",
    MONITORING: "Liveness, readiness, metrics, and the documents of the APIs.",
    WEBHOOKS: "What ASF sends to ASF_WEBHOOK_URL.",
}
"""Descriptions of the tags, in the order in which they are shown."""
