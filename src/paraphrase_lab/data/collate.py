"""Makes the tensors of a batch from encoded pairs. A packing collator would stand here beside the padding one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from paraphrase_lab.data.encoding import EncodedPairs
from paraphrase_lab.errors import UserError


class Example(NamedTuple):
    """One pair of a split; more than one encoding when both orders are trained in the same step."""

    encodings: tuple[tuple[np.ndarray, np.ndarray | None], ...]
    label: int
    index: int
    teacher: tuple[float, ...] = ()
    """A teacher's margin for each of the encodings, where there is a teacher."""


class PairDataset(Dataset[Example]):
    """The pairs of a split.

    Args:
        orders: the split encoded as it is and, optionally, with the sentences swapped.
        together: the orders of a pair form one example; otherwise each order is an example of its own, [pairs x orders].
        teacher: a teacher's margins [pairs] for each of the orders.
    """

    def __init__(
        self,
        orders: Sequence[EncodedPairs],
        labels: np.ndarray,
        *,
        together: bool = False,
        teacher: Sequence[np.ndarray] = (),
    ) -> None:
        self.orders, self.labels, self.together, self.teacher = list(orders), labels, together, list(teacher)

    def __len__(self) -> int:
        return len(self.labels) * (1 if self.together else len(self.orders))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest encoding of each example."""
        lengths = [order.lengths for order in self.orders]
        return np.maximum.reduce(lengths) if self.together else np.concatenate(lengths)

    def __getitem__(self, position: int) -> Example:
        order, index = divmod(position, len(self.labels))
        chosen = slice(None) if self.together else slice(order, order + 1)
        encodings = tuple(pairs.row(index) for pairs in self.orders[chosen])
        teacher = tuple(float(margins[index]) for margins in self.teacher[chosen])
        return Example(encodings, int(self.labels[index]), index, teacher)


class PaddingCollator:
    """Pads to the longest row of the batch.

    Gives input_ids, attention_mask and, for models with segment ids, token_type_ids [rows, tokens]; labels and index [pairs];
    the margins of a teacher [rows].
    With both orders together the rows are all first orders, then all second orders. Raises UserError for a tokenizer without a
    padding token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not isinstance(tokenizer.pad_token_id, int):
            raise UserError(f"the tokenizer {type(tokenizer).__name__} has no padding token: batches cannot be filled up")
        self.pad_token_id = tokenizer.pad_token_id

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        rows = [encoding for order in zip(*(example.encodings for example in examples), strict=True) for encoding in order]
        width = max(len(tokens) for tokens, _ in rows)
        input_ids = np.full((len(rows), width), self.pad_token_id, dtype=np.int64)
        attention_mask = np.zeros((len(rows), width), dtype=np.int64)
        segments = np.zeros((len(rows), width), dtype=np.int64)
        for number, (tokens, row_segments) in enumerate(rows):
            input_ids[number, : len(tokens)] = tokens
            attention_mask[number, : len(tokens)] = 1
            if row_segments is not None:
                segments[number, : len(tokens)] = row_segments
        batch: dict[str, np.ndarray] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if rows[0][1] is not None:
            batch["token_type_ids"] = segments
        batch["labels"] = np.asarray([example.label for example in examples], dtype=np.int64)
        batch["index"] = np.asarray([example.index for example in examples], dtype=np.int64)
        if examples[0].teacher:
            of_orders = zip(*(example.teacher for example in examples), strict=True)
            batch["teacher"] = np.asarray([margin for order in of_orders for margin in order], dtype=np.float32)
        return {name: torch.from_numpy(array) for name, array in batch.items()}
