"""`asf serve` with several workers, whose supervisor takes one for hung after two seconds of silence.

The arguments are those of the command that it runs in the place of.
"""

import sys

from asf.entrypoints.supervisor import silence
from asf.entrypoints.supervisor.main import main

silence.SILENT_LOOKS = 2

sys.exit(main())
