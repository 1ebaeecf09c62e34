"""Redis: what several servers share. Needs the extra `redis`."""
