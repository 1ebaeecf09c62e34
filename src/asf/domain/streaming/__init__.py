"""Streaming: the sessions of listeners, the decision which bytes are due, and the pump that sends them."""
