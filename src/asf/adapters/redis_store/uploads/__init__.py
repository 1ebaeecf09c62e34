"""Uploaded audio in queues of Redis, for several servers without a shared directory."""

from asf.adapters.redis_store.uploads.spool import QueueUploadSpool

__all__ = ["QueueUploadSpool"]
