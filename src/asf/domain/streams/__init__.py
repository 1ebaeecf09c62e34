"""Which streams exist: the values that describe a stream, and the catalog."""
