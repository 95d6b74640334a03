"""The command `hydra-sagemaker` under the name that it had before: `python -m hydra_plugins.hydra_sagemaker_launcher`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("hydra_sagemaker", run_name="__main__", alter_sys=True)
