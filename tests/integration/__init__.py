"""Tests of the real server process, over real sockets."""
