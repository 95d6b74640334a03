"""The command `hydra-sagemaker` under the name that it had before: `python -m hydra_plugins.hydra_sagemaker_launcher`."""

import sys

from hydra_sagemaker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
