"""The messages of the libraries below, kept off the screen where the project's own lines say it better."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def quiet_libraries() -> None:
    import transformers

    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@contextmanager
def without_known_warnings() -> Iterator[None]:
    """Leave out what Lightning warns of although it is looked after here."""
    with warnings.catch_warnings():
        for known in (
            ".*does not have many workers.*",  # encoded pairs are in memory: workers would only copy them
            ".*ended before the epoch ended and your dataloader is not resumable.*",  # the datamodule's state makes it so
            ".*AccumulateGrad node's stream does not match.*",  # Lightning wraps the model for DDP on a stream of its own
            ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
        ):
            warnings.filterwarnings("ignore", known)
        yield
