"""`python -m mtarray`: the same as the command `mtarray`."""

from ._cli import main

if __name__ == "__main__":
    main()
