"""Services of the server as a program: whether it is ready, what is wrong with its set-up, and demo podcasts."""
