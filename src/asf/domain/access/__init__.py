"""Access: which listeners and subscribers are authorized, and until when."""
