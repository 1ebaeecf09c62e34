"""`python -m asf.entrypoints.supervisor`: the process that `asf serve` becomes with more than one worker."""

import sys

from asf.entrypoints.supervisor.main import main

sys.exit(main())
