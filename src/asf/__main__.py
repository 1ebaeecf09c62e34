"""`python -m asf` is `asf`."""

from asf.entrypoints.cli import main

main(prog_name="asf")
