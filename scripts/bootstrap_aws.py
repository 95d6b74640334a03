"""Prepares an AWS account for sweeps: a bucket, and an execution role that lets the jobs do what they need and no more.

Prints every policy as JSON to read first; `--apply` creates or updates bucket and role, and may be repeated. The same as
`paraphrase jobs bootstrap`.
"""

from __future__ import annotations

import argparse
import sys

from hydra_sagemaker.aws.bootstrap import add_arguments, execute
from paraphrase_lab.cli.jobs import account_names

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, account_names())
    sys.exit(execute(parser.parse_args(), "bootstrap_aws.py"))
