"""``python -m parity``: the command ``envparity``."""

from parity.command.main import main

if __name__ == "__main__":
    main()
