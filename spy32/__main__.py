"""`python -m spy32` is the console script."""

from spy32.cli import main

if __name__ == "__main__":
    main()
