"""``python -m tsgen.cli`` is the same as ``tsgen``."""

from tsgen.cli import main

if __name__ == "__main__":
    main()
