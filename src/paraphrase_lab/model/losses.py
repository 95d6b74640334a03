"""Losses of a batch of pairs. A loss takes logits [pairs, 2] and labels [pairs] and gives the mean over the pairs."""

from collections.abc import Sequence
from typing import NamedTuple

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


class Distillation(NamedTuple):
    """The loss of labels, and of answers that differ from a teacher's, at a temperature (Hinton et al. 2015).

    The square of the temperature keeps the size of the gradients about the same at every temperature.
    """

    weight: float
    temperature: float

    def __call__(self, of_labels: Tensor, logits: Tensor, teacher: Tensor) -> Tensor:
        """Return (1 - weight) x `of_labels` + weight x temperature^2 x KL(teacher || student), the mean over the rows.

        Args:
            of_labels: the mean loss of the labels.
            logits: of the student [rows, 2].
            teacher: the teacher's logit(paraphrase) - logit(different) [rows].
        """
        student = functional.log_softmax(logits / self.temperature, -1)
        copied = functional.logsigmoid(torch.stack([-teacher, teacher], -1) / self.temperature)
        divergence = functional.kl_div(student, copied, reduction="batchmean", log_target=True)
        return (1 - self.weight) * of_labels + self.weight * self.temperature**2 * divergence


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean of KL(p || q) and KL(q || p) of the answers to the two orders of each pair, averaged over the pairs.

    Kumar & Joshi, Findings of ACL 2022, use such a term against answers that depend on the order.
    """
    first, second = functional.log_softmax(first, -1), functional.log_softmax(second, -1)
    forward = functional.kl_div(second, first, reduction="batchmean", log_target=True)
    backward = functional.kl_div(first, second, reduction="batchmean", log_target=True)
    return (forward + backward) / 2
