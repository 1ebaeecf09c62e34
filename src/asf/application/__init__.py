"""Services of the server as a program: readiness, the diagnosis of its setup, and demo podcasts."""
