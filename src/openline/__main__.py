"""`python -m openline`: the command line."""

from openline.cli import main

main()
