"""`python -m carrel`."""

import sys

from carrel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
