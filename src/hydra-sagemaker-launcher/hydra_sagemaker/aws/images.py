"""Looks up AWS's own image for a framework, a version and a region. Nothing else imports sagemaker-core."""

from __future__ import annotations

import logging
from functools import cache

from hydra_sagemaker.aws.clients import api_call
from hydra_sagemaker.aws.request import STAND_IN_IMAGE
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.settings import Mode, SageMakerLauncherConf

log = logging.getLogger(__name__)


class Images:
    """Images of a sweep's jobs, each looked up once. A dry run needs no account: a stand-in takes an unknown one's place."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], str] = {}

    def of(self, settings: SageMakerLauncherConf) -> str:
        """Return the URI. Raises what `image_of` raises, except in a dry run."""
        wanted = (str(settings.image_uri), str(settings.image), str(settings.instance_type))
        if wanted not in self._found:
            self._found[wanted] = self._look_up(settings)
        return self._found[wanted]

    def _look_up(self, settings: SageMakerLauncherConf) -> str:
        try:
            return image_of(settings)
        except LauncherError as error:
            if settings.mode != Mode.dry_run:
                raise
            if STAND_IN_IMAGE not in self._found.values():
                log.warning("%s stands for the image: %s", STAND_IN_IMAGE, str(error).splitlines()[0])
            return STAND_IN_IMAGE


def image_of(settings: SageMakerLauncherConf) -> str:
    """Return `image_uri`, or the URI that sagemaker-core knows for `image`.

    Raises:
        LauncherError: sagemaker-core is missing, or knows no such image.
    """
    if settings.image_uri:
        return settings.image_uri
    image, region = settings.image, settings.region
    if not region:
        import boto3

        with api_call("the AWS configuration"):
            region = boto3.Session(profile_name=settings.profile).region_name
    if not region:
        raise LauncherError("no AWS region: set hydra.launcher.region, AWS_DEFAULT_REGION, or one in ~/.aws/config")
    return _looked_up(image.framework, image.version, image.python, region, str(settings.instance_type))


@cache
def _looked_up(framework: str, version: str | None, python: str | None, region: str, instance_type: str) -> str:
    try:
        from sagemaker.core import image_uris  # pyright: ignore[reportMissingImports] (an extra of 400 MB)
    except ImportError:
        raise LauncherError(
            "hydra.launcher.image_uri is not set, and sagemaker-core, which knows AWS's images, is not installed: "
            "set image_uri, or install the extra 'images' (pip install 'sagemaker-core>=2')"
        ) from None
    try:
        return image_uris.retrieve(
            framework, region, version=version, py_version=python, instance_type=instance_type, image_scope="training"
        )
    except FileNotFoundError:
        raise LauncherError(
            f"hydra.launcher.image.framework={framework}: sagemaker-core knows no such framework; valid: pytorch, tensorflow "
            "and the other names in its image_uri_config"
        ) from None
    except ValueError as error:
        raise LauncherError(f"hydra.launcher.image: {error}") from None
