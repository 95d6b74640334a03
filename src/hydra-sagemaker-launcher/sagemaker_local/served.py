"""Refuses the operations that neither this server nor moto serves, so that none seems to succeed that runs nothing."""

from __future__ import annotations

import json
from typing import Any, cast

from hydra_sagemaker.aws.request_limits import service_model
from sagemaker_local.errors import ApiError, not_served, unknown_operation
from sagemaker_local.recording import Call, read_body
from sagemaker_local.validation import validate

BY_MOTO = ("s3", "iam", "sts", "logs", "secretsmanager", "kms", "ecr", "ssm", "monitoring", "servicequotas", "pricing")
"""Services that store things, and run nothing, by the names that requests are signed for."""
HERE = """
    CreateTrainingJob DescribeTrainingJob UpdateTrainingJob StopTrainingJob DeleteTrainingJob ListTrainingJobs
    CreateEndpoint DescribeEndpoint UpdateEndpoint DeleteEndpoint ListEndpoints InvokeEndpoint AddTags ListTags DeleteTags
""".split()
OF_SAGEMAKER_BY_MOTO = """
    CreateModel DescribeModel ListModels DeleteModel
    CreateEndpointConfig DescribeEndpointConfig ListEndpointConfigs DeleteEndpointConfig
""".split()


def check_served(call: Call, environ: dict[str, Any]) -> None:
    """Refuse what nobody here does.

    Raises ApiError: UnknownOperationException for what AWS does not know either, ValidationException for the rest of SageMaker,
    SerializationException for a body that is not JSON, or JSON in too many levels.
    """
    if call.service != "sagemaker":
        if call.service not in BY_MOTO:
            raise unknown_operation(call.service, call.operation)
        if environ.get("HTTP_X_AMZ_TARGET"):
            read_json_body(environ)
        return
    if call.operation not in (*HERE, *OF_SAGEMAKER_BY_MOTO):
        if call.operation in _operations():
            raise not_served(f"{call.operation}: nothing would run. Served are {', '.join((*HERE, *OF_SAGEMAKER_BY_MOTO))}")
        raise unknown_operation(call.service, call.operation)
    if call.operation in OF_SAGEMAKER_BY_MOTO:  # moto makes a model without a name
        validate(call.operation, read_json_body(environ))


def _operations() -> list[str]:
    return list(cast(Any, service_model()).operation_names)


def read_json_body(environ: dict[str, Any]) -> Any:
    """Return the request in the body, which stays readable. Raises ApiError: SerializationException."""
    try:
        return json.loads(read_body(environ) or b"{}")
    except (ValueError, RecursionError) as error:
        reason = "too many levels" if isinstance(error, RecursionError) else error
        raise ApiError("SerializationException", f"The body is not JSON: {reason}") from None
