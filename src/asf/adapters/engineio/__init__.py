"""Everything that depends on python-engineio: its patches, its packets, and one transport per connection.

Independent of the runtime: tasks and timers come from the `Runtime` port, the queue and everything else that waits
from python-engineio's own driver for that runtime.
"""
