"""A pre-trained checkpoint as the beginning of a training: what is kept of it, and what is changed so that it fits."""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from paraphrase_lab.data.labels import guessed_meaning
from paraphrase_lab.errors import UserError
from paraphrase_lab.model.head import linear_head, swap_classes

log = logging.getLogger(__name__)


def fit_tokenizer(tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, name: str) -> None:
    """Give a tokenizer what training needs, and take from it what the model cannot read.

    Raises:
        UserError: it has no token that could fill up batches.
    """
    if not isinstance(tokenizer.pad_token_id, int):
        filler = tokenizer.eos_token or tokenizer.unk_token
        if filler is None:
            hint = "tokenizer.add_special_tokens({'pad_token': '[PAD]'}), then save_pretrained into its directory"
            raise UserError(
                f"the tokenizer of model.name={name} has no padding token, and no end token in its place", hint=hint
            )
        tokenizer.pad_token = filler
        log.warning("the tokenizer of %s has no padding token: %r fills up batches", name, filler)
    if "token_type_ids" in tokenizer.model_input_names and not _takes_segments(config):
        tokenizer.model_input_names = [one for one in tokenizer.model_input_names if one != "token_type_ids"]
        log.info("%s has no segment ids: those of its tokenizer are left out", name)


def _takes_segments(config: PreTrainedConfig) -> bool:
    if getattr(config, "type_vocab_size", None) == 1:
        return False
    model: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING.get(type(config), None)  # none for remote code
    return model is None or "token_type_ids" in inspect.signature(model.forward).parameters


def fit_vocabulary(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> bool:
    """Add rows to the embeddings where the tokenizer has got tokens since they were trained; return whether it has."""
    embeddings: Any = encoder.get_input_embeddings()
    if encoder.config.pad_token_id is None:
        encoder.config.pad_token_id = tokenizer.pad_token_id
    wanted = max([len(tokenizer), *(number + 1 for number in tokenizer.get_vocab().values())])
    has_new_tokens = wanted > embeddings.num_embeddings
    if has_new_tokens:
        log.warning(
            "the tokenizer of %s has %s tokens and its embeddings %s rows: the others are added, and trained from scratch",
            name, f"{wanted:,}", f"{embeddings.num_embeddings:,}",
        )  # fmt: skip
        encoder.resize_token_embeddings(wanted, mean_resizing=False)
    return has_new_tokens


def refuse_other_weights(encoder: PreTrainedModel, loading: Mapping[str, Any], name: str) -> None:
    """Refuse weights that are not those of the encoder: transformers would leave it random.

    Raises:
        UserError: weights of another shape, of another architecture, or without word embeddings: conversions of models that
            were trained on masked words may keep these in the layer alone that gave the words.
    """
    inside = f"{encoder.base_model_prefix}."
    other = sorted(key for key in _keys(loading["mismatched_keys"]) if key.startswith(inside))
    if other:
        raise UserError(
            f"model.name={name}: the weights do not have the shapes that its config.json says, first {other[0]}",
            hint="copy config.json and weights of the same model there",
        )
    names = [key for key, _ in encoder.named_parameters() if key.startswith(inside)]
    missing = set(_keys(loading["missing_keys"])) & set(names)
    words = [key for key, one in encoder.named_parameters() if one is encoder.get_input_embeddings().weight and key in missing]
    if len(missing) > len(names) / 2:
        raise UserError(
            f"model.name={name}: its weights lack {len(missing):,} of the {len(names):,} tensors of {type(encoder).__name__}",
            hint="copy config.json and weights of the same model there; model.random_weights=true trains from scratch",
        )
    if words:
        raise UserError(
            f"model.name={name}: its weights lack the word embeddings, {words[0]}",
            hint=f"AutoModelForMaskedLM.from_pretrained('{name}').save_pretrained(DIRECTORY) writes them where they are those "
            "of its last layer: then model.name=DIRECTORY",
        )


def note_head(encoder: PreTrainedModel, labels: Mapping[int, str], loading: Mapping[str, Any], name: str) -> None:
    """Log whether the classifier of a checkpoint is kept, replaced, or new; classes in the reverse order are swapped."""
    inside = f"{encoder.base_model_prefix}."
    names = ", ".join(str(label) for label in labels.values())
    if [key for key in _keys(loading["mismatched_keys"]) if not key.startswith(inside)]:
        count = "1 label" if len(labels) == 1 else f"{len(labels)} labels"
        log.info("the head of %s has %s (%s): a new one with two labels replaces it", name, count, names)
    elif [key for key in _keys(loading["missing_keys"]) if not key.startswith(inside)]:
        log.info("%s has no head for two labels: a new one is trained", name)
    elif is_reversed(labels):
        head = linear_head(encoder)
        if head is None:
            log.warning("the head of %s is kept, but its labels are reversed (%s), which training has to undo", name, names)
        else:
            swap_classes(head)
            log.info("the head of %s is kept, with its labels (%s) swapped: here label 1 is a paraphrase", name, names)
    else:
        log.info("the head of %s is kept: its label 0 is %s, its label 1 %s", name, *labels.values())


def is_reversed(labels: Mapping[int, str]) -> bool:
    """Tell whether label 0 of two means "paraphrase" by its name, and label 1 does not."""
    means = [guessed_meaning(str(labels[number])) for number in (0, 1)] if len(labels) == 2 else []
    return means[:1] == [1] and means[1] != 1


def untrained(encoder: PreTrainedModel, loading: Mapping[str, Any] | None, *, with_embeddings: bool) -> set[str]:
    """Return the names of the parameters that were not in the weights; `with_embeddings`: those of words, too."""
    absent = {key for kind in ("missing_keys", "mismatched_keys") for key in _keys((loading or {}).get(kind, ()))}
    embeddings = encoder.get_input_embeddings().weight if with_embeddings else None
    return {name for name, parameter in encoder.named_parameters() if name in absent or parameter is embeddings}


def _keys(found: Any) -> list[str]:
    """Return the names of parameters, which stand alone or before their shapes."""
    return [key if isinstance(key, str) else key[0] for key in found]


def longest_input(encoder: PreTrainedModel) -> int | None:
    """Count what fits the position embeddings, None: any number; those of RoBERTa and its kind begin at padding_idx + 1."""
    for name, module in encoder.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.num_embeddings - module.padding_idx - 1
    positions = getattr(encoder.config, "max_position_embeddings", None)
    return positions if positions is not None and positions > 0 else None
