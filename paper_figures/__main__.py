"""``python -m paper_figures``: the same as ``mdptheory figures``."""

import sys

from mdptheory.cli import main

if __name__ == "__main__":
    sys.exit(main(["figures", *sys.argv[1:]]))
