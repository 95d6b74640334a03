"""`python -m hydra_sagemaker`: the command `hydra-sagemaker`, where no console script is on the path."""

import sys

from hydra_sagemaker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
