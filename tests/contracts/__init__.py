"""One class of tests for each port, inherited by the tests of all its adapters."""
