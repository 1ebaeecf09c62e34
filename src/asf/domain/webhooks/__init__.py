"""Webhooks: what the server reports to one URL by itself."""
