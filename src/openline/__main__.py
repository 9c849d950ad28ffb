"""`python -m openline`: the command line."""

import sys

from openline.cli import main

sys.exit(main())
