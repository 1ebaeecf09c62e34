"""Tests of ASF."""
