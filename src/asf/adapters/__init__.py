"""One package or module per thing outside. They implement the ports of the domain and do not know each other."""
