from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging

from encoders import FAMILIES, SENTENCES, save_checkpoint, tokenizer_of
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import encode
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.model.encoder import Pretrained, Tiny
from paraphrase_lab.model.inference import score
from paraphrase_lab.model.losses import CrossEntropy, symmetric_divergence
from paraphrase_lab.model.module import NonFiniteLoss, PairClassifier
from paraphrase_lab.training.optimisation import build_optimizer, constant

logging.disable_progress_bar()
logging.set_verbosity_error()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: save_checkpoint(tmp_path_factory.mktemp(family), family) for family in FAMILIES}


def batch_of(tokenizer: Any, pairs: range, *, together: bool = False) -> dict[str, torch.Tensor]:
    first = [" ".join(SENTENCES[2 * i : 2 * i + 1 + i % 3]) for i in range(16)]
    table = PairTable([str(i) for i in range(16)], first, SENTENCES[100:116], np.arange(16) % 2)
    orders = [encode(table, tokenizer, 64)] + ([encode(table, tokenizer, 64, swapped=True)] if together else [])
    dataset = PairDataset(orders, table.labels, together=together)
    return PaddingCollator(tokenizer)([dataset[i] for i in pairs])


def inputs_of(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in batch.items() if name not in ("labels", "index")}


def classifier(encoder: PreTrainedModel, **settings: Any) -> PairClassifier:
    settings = {"mean_pairs": 8, "loss": CrossEntropy(), "optimizer": partial(torch.optim.AdamW, lr=1e-3), **settings}
    return PairClassifier(encoder, scheduler=constant, **settings)


def tiny(dropout: float = 0.0) -> tuple[Any, Any]:
    torch.manual_seed(0)
    recipe = Tiny(num_layers=2, hidden_size=32, num_heads=2, vocab_size=400, dropout=dropout)
    tokenizer = recipe.tokenizer(SENTENCES)
    return recipe.encoder(tokenizer, 64), tokenizer


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_logits_are_those_of_transformers(checkpoints: dict[str, Path], family: str) -> None:
    recipe = Pretrained(str(checkpoints[family]))
    tokenizer = recipe.tokenizer([])
    batch = batch_of(tokenizer, range(8))
    module = classifier(recipe.encoder(tokenizer, 64))
    reference = AutoModelForSequenceClassification.from_pretrained(checkpoints[family]).train()
    answer = reference(**inputs_of(batch), labels=batch["labels"])
    assert module.encoder.training and (batch["attention_mask"] == 0).any()
    assert module.logits(batch).equal(answer.logits)
    assert module.batch_loss(batch).equal(answer.loss) and module.training_step(batch, 0).equal(answer.loss)
    for row in range(8):  # padding changes nothing
        alone = module.logits(batch_of(tokenizer, range(row, row + 1)))
        torch.testing.assert_close(alone[0], answer.logits[row], atol=1e-5, rtol=0)
    assert answer.logits.std(0).min() > 1e-3, "the answers of this checkpoint differ, so that the test can fail"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_input_fits_and_a_longer_one_is_refused(checkpoints: dict[str, Path], family: str) -> None:
    recipe, tokenizer = Pretrained(str(checkpoints[family])), tokenizer_of(family)
    tokens = torch.full((1, 64), 10)
    assert recipe.encoder(tokenizer, 64)(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits.isfinite().all()
    with pytest.raises(UserError, match=r"takes 64 tokens at most, data\.max_length is 65"):
        recipe.encoder(tokenizer, 65)


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_reaches_every_layer_of_that_kind(checkpoints: dict[str, Path], family: str) -> None:
    encoder = Pretrained(str(checkpoints[family]), dropout=0.3).encoder(tokenizer_of(family), 64).train()
    assert {module.p for module in encoder.modules() if isinstance(module, nn.Dropout)} == {0.3}
    batch = batch_of(tokenizer_of(family), range(4))
    with torch.no_grad():
        assert not encoder(**inputs_of(batch)).logits.equal(encoder(**inputs_of(batch)).logits)


def test_a_head_of_other_labels_is_new_and_half_precision_is_widened(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "bert", num_labels=3)
    reference = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    reference.half().save_pretrained(tmp_path)
    encoder: Any = Pretrained(str(tmp_path)).encoder(tokenizer_of("bert"), 64)
    assert encoder.classifier.weight.shape == (2, 32) and encoder.dtype == torch.float32
    assert encoder.config.id2label == {0: "different", 1: "paraphrase"}
    torch.testing.assert_close(encoder.bert.pooler.dense.weight, reference.bert.pooler.dense.weight.float())


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("tokenizer", r"^model\.name=.* comes without a tokenizer\nAutoTokenizer"),
        ("config.json", r"^model\.name=.* could not be loaded: Unrecognized model .*\na name on the Hub, or a directory"),
        ("weights", r"^model\.name=.* could not be loaded: .*no file named model\.safetensors"),
        ("half of the weights", r"^model\.name=.* could not be loaded: Error while deserializing"),
        ("all", r"^model\.name=.* could not be loaded: .*\n.*\nwithout a network: model\.name=DIRECTORY"),
    ],
)
def test_a_checkpoint_that_is_not_whole(checkpoints: dict[str, Path], tmp_path: Path, missing: str, problem: str) -> None:
    directory = tmp_path / "copy"
    if missing != "all":
        shutil.copytree(checkpoints["bert"], directory)
    weights = directory / "model.safetensors"
    if missing == "half of the weights":
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    else:
        for file in directory.glob({"weights": "*.safetensors"}.get(missing, f"{missing}*")):
            file.unlink()
    with pytest.raises(UserError, match=problem):
        Pretrained(str(directory)).encoder(Pretrained(str(directory)).tokenizer([]), 64)


def test_a_name_of_the_hub_without_a_network() -> None:
    with pytest.raises(UserError, match=r"^model\.name=someone/model could not be loaded: .*\n.*\n.*HF_HUB_OFFLINE=1"):
        Pretrained("someone/model").tokenizer([])


@pytest.mark.parametrize("width", [10, 12, 2])
def test_tiny_heads_get_an_even_share(width: int) -> None:
    with pytest.raises(
        UserError, match=rf"model\.hidden_size={width} .* model\.num_heads=4 .*\na multiple of 8, as in model\.hidden_size=8$"
    ):
        Tiny(num_layers=1, hidden_size=width, num_heads=4, vocab_size=300)


@pytest.mark.parametrize("layers", [1, 3])
def test_tiny_ignores_padding_and_reads_the_order_of_words(layers: int) -> None:
    torch.manual_seed(0)
    recipe = Tiny(num_layers=layers, hidden_size=32, num_heads=2, vocab_size=400)
    tokenizer = recipe.tokenizer(SENTENCES)
    encoder = recipe.encoder(tokenizer, 1_000).eval()
    batch = batch_of(tokenizer, range(4))
    with torch.no_grad():
        together = encoder(**inputs_of(batch)).logits
        alone = torch.cat([encoder(**inputs_of(batch_of(tokenizer, range(i, i + 1)))).logits for i in range(4)])
        ids = [tokenizer(text, "x")["input_ids"] for text in ("Ann saw Bob", "Bob saw Ann")]
        one, other = (encoder(input_ids=torch.tensor([tokens])).logits for tokens in ids)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert sorted(ids[0]) == sorted(ids[1]) and (one - other).abs().max() > 1e-4
    assert encoder.config.max_position_embeddings == 1_000


@pytest.mark.parametrize("comparing_layer", [1, 2])
def test_tiny_compares_the_same_words_before_any_training(comparing_layer: int) -> None:
    """A word attends to the same word in the other sentence, not to itself, and little is left of a pair of equal words."""

    def looked(compare_from_start: bool, sentence2: str) -> tuple[torch.Tensor, float]:
        """Return the attention of "paris" in the first sentence, [tokens], and the mean size of what the layer leaves."""
        torch.manual_seed(0)
        recipe = Tiny(3, 128, 2, 1_000, comparing_layer=comparing_layer, compare_from_start=compare_from_start)
        tokenizer = recipe.tokenizer([*SENTENCES, *["we flew from rome to paris"] * 9, *["she likes tea"] * 9])
        encoder = recipe.encoder(tokenizer, 64).eval()
        inputs = tokenizer("We flew from Rome to Paris", sentence2, return_tensors="pt")
        answer = encoder(**inputs, output_attentions=True, output_hidden_states=True)
        number = comparing_layer - 1
        words = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
        left = answer.hidden_states[number + 1][0].norm(dim=-1).mean() / answer.hidden_states[number][0].norm(dim=-1).mean()
        return answer.attentions[number][0].mean(0)[words.index("Ġparis")], left.item()

    paris, (attention, left) = slice(6, 14, 7), looked(True, "We flew from Rome to Paris")
    itself, like = attention[paris]
    assert like > 0.5 > 5 * itself and left < looked(True, "She likes tea")[1]
    itself, like = looked(False, "We flew from Rome to Paris")[0][paris]
    assert like < 0.5


def test_tiny_compares_in_one_of_its_layers() -> None:
    with pytest.raises(UserError, match=r"comparing_layer=3, but model\.num_layers=2\n1 to 2\nmodel\.num_layers=3 has"):
        Tiny(num_layers=2, hidden_size=32, num_heads=2, vocab_size=400, comparing_layer=3)
    recipe = Tiny(num_layers=1, hidden_size=32, num_heads=2, vocab_size=400)
    tokenizer, local, all_tokens = recipe.tokenizer(SENTENCES), "sliding_attention", "full_attention"
    cases: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({"num_layers": 1}, [all_tokens]),
        ({"num_layers": 2}, [local, all_tokens]),
        ({"num_layers": 3}, [local, all_tokens, local]),
        ({"num_layers": 3, "comparing_layer": 3}, [local, local, all_tokens]),
    )
    for arguments, layers in cases:
        recipe = Tiny(**arguments, hidden_size=32, num_heads=2, vocab_size=400)
        assert recipe.encoder(tokenizer, 64).config.layer_types == layers


@pytest.mark.parametrize("class_weights", [None, [1, 3], (0.5, 2.0)])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_cross_entropy_is_that_of_torch(label_smoothing: float, class_weights: Any) -> None:
    logits, labels = torch.randn(9, 2), torch.arange(9) % 2
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
    expected = nn.CrossEntropyLoss(weight, label_smoothing=label_smoothing)(logits, labels)
    loss = CrossEntropy(label_smoothing, class_weights)
    assert loss(logits, labels).equal(expected) and not loss.state_dict()


def test_divergence_between_the_orders() -> None:
    even, sure = torch.tensor([[0.0, 0.0]]), torch.tensor([[np.log(3.0), 0.0]], dtype=torch.float32)
    # KL((1/2, 1/2) || (3/4, 1/4)) = 0.143841, the other way round 0.130812
    assert symmetric_divergence(even, sure).item() == pytest.approx(0.1373265, abs=1e-6)
    assert symmetric_divergence(sure, even).item() == pytest.approx(0.1373265, abs=1e-6)
    mean = symmetric_divergence(torch.cat([even, sure]), torch.cat([sure, sure]))
    assert mean.item() == pytest.approx(0.1373265 / 2, abs=1e-6)
    assert symmetric_divergence(sure, sure + 5).item() == pytest.approx(0, abs=1e-7), "the same probabilities"
    logits = [torch.randn(3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(symmetric_divergence, logits), "both orders are pulled towards the other"


@pytest.mark.parametrize("weight", [0.0, 2.5])
def test_both_orders_of_a_batch(weight: float) -> None:
    encoder, tokenizer = tiny()
    module = classifier(encoder, consistency_weight=weight)
    batch = batch_of(tokenizer, range(6), together=True)
    loss = module.batch_loss(batch)
    loss.backward()
    gradient = encoder.classifier.weight.grad.clone()
    encoder.zero_grad()
    first, second = module.logits(batch)[:6], module.logits(batch)[6:]
    assert first.equal(module.logits(batch)[:6]) and not first.equal(second)
    p, q = first.softmax(-1), second.softmax(-1)
    divergence = ((p - q) * (p.log() - q.log())).sum(-1).mean() / 2
    cross_entropy = nn.CrossEntropyLoss()
    expected = (cross_entropy(first, batch["labels"]) + cross_entropy(second, batch["labels"])) / 2 + weight * divergence
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, encoder.classifier.weight.grad, atol=1e-6, rtol=1e-4)


def test_every_pair_weighs_the_same_whatever_the_size_of_its_batch() -> None:
    encoder, tokenizer = tiny()
    module = classifier(encoder, mean_pairs=5)
    for pairs in (range(8), range(8, 10)):
        (module.training_step(batch_of(tokenizer, pairs), 0) / 2).backward()  # what accumulating two batches does
    accumulated = {name: parameter.grad.clone() for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    encoder.zero_grad()
    module.batch_loss(batch_of(tokenizer, range(10))).backward()
    for name, parameter in encoder.named_parameters():
        if name in accumulated:
            torch.testing.assert_close(accumulated[name], parameter.grad, atol=1e-6, rtol=1e-4)


def test_one_batch_is_learnt_by_heart() -> None:
    encoder, tokenizer = tiny()
    module = classifier(encoder)
    optimizer = build_optimizer(partial(torch.optim.AdamW, lr=3e-3), encoder, 1.0, fused=True)
    batch = batch_of(tokenizer, range(8), together=True)
    for _ in range(150):
        loss = module.batch_loss(batch)
        if loss < 0.05:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_a_loss_that_is_not_finite_names_the_pairs_since_the_last_check() -> None:
    encoder, tokenizer = tiny()
    module = classifier(encoder)
    module.trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    module.training_step(batch_of(tokenizer, range(3, 5)), 0)
    encoder.classifier.weight.data.fill_(torch.nan)
    module.training_step(batch_of(tokenizer, range(9, 11)), 1)
    with pytest.raises(NonFiniteLoss, match="became infinite or not a number by optimiser step 7") as caught:
        module.flush_train_metrics(7)
    assert (caught.value.step, caught.value.indices) == (7, [3, 4, 9, 10])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_scores_keep_the_order_of_the_pairs(precision: str) -> None:
    encoder, tokenizer = tiny(dropout=0.3)
    encoder.train()
    batches = [batch_of(tokenizer, pairs) for pairs in (range(12, 16), range(0, 1), range(5, 12), range(1, 5))]
    done: list[int] = []
    margins = score(encoder, batches, 16, precision=precision, advance=done.append)
    assert encoder.training and done == [4, 1, 7, 4] and margins.dtype == np.float64
    with torch.no_grad():
        logits = encoder.eval()(**inputs_of(batch_of(tokenizer, range(16)))).logits
    expected = (logits[:, 1] - logits[:, 0]).numpy()
    np.testing.assert_allclose(margins, expected, atol=1e-5 if precision == "32-true" else 0.05)
    assert np.abs(margins - expected).max() > 0 if precision == "bf16-mixed" else np.ptp(margins) > 0.01
