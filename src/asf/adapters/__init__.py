"""One package or module per external system. They implement the domain's ports, and do not import each other."""
