"""Finds every mistake of a configuration before anything is loaded, downloaded, paid for or trained.

The first stage (`check_request`, `value_problems`) needs neither torch nor the network and takes a fraction of a second; the
second (`built.check_built`) imports what the configuration names and looks at this machine.
"""

from paraphrase_lab.check.findings import CheckedRequest, Findings
from paraphrase_lab.check.request import check_request

__all__ = ["CheckedRequest", "Findings", "check_request"]
