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

COMMAND_SECONDS = START_SECONDS + PATIENCE_SECONDS
"""A command that was typed has ended: it starts like a server, and then does something that does not take long."""

STREAM_SECONDS = 600.0
"""An audio of up to a minute was heard to its end by many at once, who share what there is of the machine."""

BUILD_SECONDS = 900.0
"""A step of building an image or a package has ended: it compresses, copies and compiles."""

PONG_SECONDS = 5.0
"""A client that reads has answered a ping. Tests wait so long for one that does not, which is why it is not more."""

HUNG_SECONDS = 3.0
"""A command to a Redis that a test hangs is given up. The test waits so long for each, which is why this is not more;
the commands before and after have no more than that either, which is why it is not the product's own fraction.
It is also how long a client tries to send to a server that takes no more: where it is only slow, less is tried."""

LATE_SECONDS = 20.0
"""How much later than promised something may be cut or freed: it tells a time of some seconds, which a test
has set, from the default, which is half a minute or more."""

SCENARIO_SECONDS = 600.0
"""All that is done on one page of a browser, each step of which has `PATIENCE_SECONDS` of its own."""
