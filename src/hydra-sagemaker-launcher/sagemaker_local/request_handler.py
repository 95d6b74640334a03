"""The HTTP side of a request: moto's handling of headers, without a line on the terminal for each."""

from __future__ import annotations

import logging
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

log = logging.getLogger("sagemaker_local")


class QuietHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error":
            log.error(message, *args)
