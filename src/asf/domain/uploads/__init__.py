"""Audio that backends upload over HTTP: who writes which stream, and what is kept for how long."""
