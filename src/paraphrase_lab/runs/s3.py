"""Small objects below an s3:// prefix, read without copying what lies beside them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from paraphrase_lab.errors import RunError

CONNECTIONS = 16


def read_objects(prefix: str, file_name: str) -> dict[str, str]:
    """Return the text of every object below the prefix that is called `file_name`, by its address.

    It asks with boto3's own credentials, region and endpoint (AWS_ENDPOINT_URL).

    Raises:
        RunError: boto3 is not installed, the address is none, or S3 refuses or cannot be reached.
    """
    parts = urlsplit(prefix)
    if parts.scheme != "s3" or not parts.netloc:
        raise RunError(f"{prefix} is no address in S3", valid="s3://BUCKET or s3://BUCKET/PREFIX")
    bucket, key = parts.netloc, parts.path.lstrip("/")
    below = key if not key or key.endswith("/") else f"{key}/"  # a directory, as runs/ is: runs does not mean runs-old/
    client = _client()
    from botocore.exceptions import BotoCoreError, ClientError

    def text(found: str) -> tuple[str, str]:
        body = client.get_object(Bucket=bucket, Key=found)["Body"].read()
        return f"s3://{bucket}/{found}", body.decode("utf-8")

    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below)
        found = [one["Key"] for page in pages for one in page.get("Contents", ())]
        names = [name for name in found if name.rpartition("/")[2] == file_name]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return dict(pool.map(text, names))
    except (BotoCoreError, ClientError) as error:
        raise RunError(f"{prefix} cannot be read: {error}", hint="`aws s3 ls " + prefix + "` asks with the same keys") from None


def _client() -> Any:
    try:
        import boto3
    except ImportError:
        raise RunError("s3:// needs boto3", hint="pip install boto3") from None
    from botocore.config import Config

    return boto3.client("s3", config=Config(max_pool_connections=CONNECTIONS))
