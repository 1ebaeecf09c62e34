"""Where programs begin: settings, the container, the server and the command line."""
