"""Losses of a batch of pairs. A loss takes logits [pairs, 2] and labels [pairs] and gives the mean over the pairs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class CrossEntropy(nn.Module):
    """Cross-entropy; with class weights the mean is the weighted one, as in torch."""

    weight: Tensor | None

    def __init__(self, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        weight = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float32)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, self.weight, label_smoothing=self.label_smoothing)


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean of KL(p || q) and KL(q || p) of the answers to the two orders of each pair, averaged over the pairs.

    Kumar & Joshi, Findings of ACL 2022, use such a term against answers that depend on the order.
    """
    first, second = functional.log_softmax(first, -1), functional.log_softmax(second, -1)
    forward = functional.kl_div(second, first, reduction="batchmean", log_target=True)
    backward = functional.kl_div(first, second, reduction="batchmean", log_target=True)
    return (forward + backward) / 2
