"""The last layer of a classifier with two labels: found, reordered, and made to answer calibrated."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from paraphrase_lab.metrics.calibration import Calibration


def linear_head(encoder: nn.Module) -> nn.Linear | None:
    """Return the only linear layer with two outputs; None where there is none, or more than one."""
    found = [module for module in encoder.modules() if isinstance(module, nn.Linear) and module.out_features == 2]
    return found[0] if len(found) == 1 else None


def takes_bias(encoder: nn.Module) -> bool:
    """Tell whether a bias that is fitted can be exported: GPT-2 and its kind have a linear head without one."""
    head = linear_head(encoder)
    return head is None or head.bias is not None


@torch.no_grad()
def swap_classes(head: nn.Linear) -> None:
    for parameter in head.parameters():
        parameter.copy_(parameter.flip(0))


@torch.no_grad()
def calibrate_head(encoder: nn.Module, calibration: Calibration, inputs: Mapping[str, Tensor]) -> bool:
    """Change the head so that softmax of the logits gives the calibrated probabilities.

    Its logits become -z / 2 and z / 2, where z is margin / temperature + bias: exactly opposite, so that no precision is lost.

    Args:
        inputs: of one pair or more, to see whether the model answers so.

    Returns:
        False, and nothing is changed, where the model does more than a linear layer at its end.
    """
    head = linear_head(encoder)
    if head is None or (head.bias is None and calibration.bias != 0):
        return False
    before, saved = _margins(encoder, inputs), [parameter.clone() for parameter in head.parameters()]
    for parameter in head.parameters():
        half = (parameter[1] - parameter[0]).double() / (2 * calibration.temperature)
        if parameter is head.bias:
            half = half + calibration.bias / 2
        parameter.copy_(torch.stack([-half, half]))
    wanted = before / calibration.temperature + calibration.bias
    if torch.allclose(_margins(encoder, inputs), wanted, rtol=1e-3, atol=1e-3):
        return True
    for parameter, value in zip(head.parameters(), saved, strict=True):
        parameter.copy_(value)
    return False


def _margins(encoder: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    device, was_training = next(encoder.parameters()).device, encoder.training
    logits = encoder.eval()(**{name: tensor.to(device) for name, tensor in inputs.items()}).logits.float()
    encoder.train(was_training)
    return logits[:, 1] - logits[:, 0]
