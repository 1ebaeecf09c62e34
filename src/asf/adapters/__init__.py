"""One package or module per external system. They implement the domain's ports, and are independent of each other."""
