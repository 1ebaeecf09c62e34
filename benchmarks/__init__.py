"""Measures ASF beside the ordinary way of doing the same. `make bench` runs it all."""
