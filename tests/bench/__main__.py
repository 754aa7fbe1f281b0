"""`make bench`: not built yet, and it says so."""

import sys

if __name__ == "__main__":
    print("motcua: `make bench` is not built yet; nothing was measured and nothing was shown.", file=sys.stderr)
    sys.exit(2)
