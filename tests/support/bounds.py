"""All bounds in wall-clock seconds that the tests hold, each with its reason.

No test measures the machine. What a test shows is shown by order (this came while that was held back), by counts, by
virtual time, or by CPU time; how fast something is, the benchmark says. What is left here is generous: it tells
"late" from "never", costs nothing where all is well, and holds on a machine that has no core to spare.
"""

START_SECONDS = 90.0
"""A server, a proxy or a browser that was started is there: it must import its libraries first."""

STOP_SECONDS = 60.0
"""A process that was asked to end has ended."""

PATIENCE_SECONDS = 60.0
"""What must happen has happened; also the time-out of every request."""
