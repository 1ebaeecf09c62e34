"""Sends audio to listeners: sessions, which bytes they are due, and the pump that sends them."""
