"""`python -m paraphrase_lab`: the command where no console script is installed."""

from paraphrase_lab.cli import main

if __name__ == "__main__":
    main()
