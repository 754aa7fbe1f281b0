"""``python -m services.cli``: the same as ``motcua``."""

from services.cli.main import main

main()
