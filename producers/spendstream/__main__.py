"""`python -m spendstream` is the `spendstream` command."""

import sys

from spendstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
