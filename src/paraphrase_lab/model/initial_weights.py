"""Initial weights of a ModernBERT-shaped encoder that compare the same words of two sentences before any training."""

import torch
from transformers import PreTrainedModel

ROTARY_BASE = 1_000.0
"""Base of the rotary positions: pair i of a head's n pairs turns by base^(-i / n) radians from one token to the next."""
TURNING_SHARE = 3 / 8
"""Share of the pairs, the fastest, that tell a token from its neighbours: they turn by more than about 0.1 radians."""


@torch.no_grad()
def compare_same_words(encoder: PreTrainedModel, layer: int) -> None:
    """Make a layer with full attention subtract from each token what it finds in its like elsewhere.

    - Keys equal queries, so that a token attends to tokens of the same content. In the rotary pairs that turn fast the sign
      of the keys is opposite: at distance 0 this takes away from the score, elsewhere it averages out. So a word attends to
      the same word in the other sentence more than to itself; one that is not there attends mostly to itself.
    - Values are the tokens themselves, and the output is their negative: of a word that has the same role in the other
      sentence little is left, of a word that has another role there more. Training tells the word that is not there apart.

    Args:
        layer: its number, from 0.
    """
    size, heads = encoder.config.hidden_size, encoder.config.num_attention_heads
    width = size // heads
    turning = round(TURNING_SHARE * width / 2)
    sign = torch.ones(2, width // 2)  # number i of a head's first half and number i of its second half turn together
    sign[:, :turning] = -1
    projections = encoder.get_parameter(f"model.layers.{layer}.attn.Wqkv.weight")  # [3 x size, size]: queries, keys, values
    projections[size : 2 * size] = projections[:size] * sign.flatten().repeat(heads)[:, None]
    projections[2 * size :] = torch.eye(size)
    encoder.get_parameter(f"model.layers.{layer}.attn.Wo.weight").copy_(-torch.eye(size))
