"""Webhooks over HTTP, in the manner of Standard Webhooks (https://www.standardwebhooks.com, 1.0.0)."""

from asf.adapters.webhooks.post import Receiver
from asf.adapters.webhooks.sender import WebhookSender

__all__ = ["Receiver", "WebhookSender"]
