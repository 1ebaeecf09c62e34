"""Audio on its way to listeners: sessions, which bytes are due, and the pump that sends them."""
