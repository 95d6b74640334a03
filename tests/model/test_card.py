from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.model.card import Base, CardFacts, base_of, model_card

FACTS = CardFacts(
    name="seed 7",
    base=Base("owner/encoder", "apache-2.0", ["en", "de"]),
    data_name="pairs questions.csv",
    language=None,
    data={"train": {"pairs": 49_401, "fingerprint": "0123456789abcdef"}, "test": {"pairs": 8_000, "fingerprint": "f" * 64}},
    settings={"optimizer.lr": 3e-5, "data.max_length": 40},
    command="paraphrase train data=pairs data.path=questions.csv",
    metrics={"val_fitted/f1": 0.5, "test/accuracy": 0.91256, "test/mine": 1.0},
    calibration=Calibration(1.7342, 0.5, 8_000, -0.3123),
    max_length=40,
)


def test_the_card_names_origin_data_training_and_the_meaning_of_each_number() -> None:
    card = model_card(FACTS, is_calibrated=True)
    for line in (
        "# seed 7",
        "| base model | `owner/encoder` |",
        "| licence | apache-2.0 |",
        "| language | en, de |",
        "| data | pairs questions.csv |",
        "| test/accuracy | 0.9126 | share of pairs that are answered right |",
        "| test/mine | 1.0000 | a metric of the run's own code |",
        "| train | 49,401 | `0123456789ab` |",
        "| `optimizer.lr` | `3e-05` |",
        "paraphrase train data=pairs data.path=questions.csv",
    ):
        assert line in card.splitlines(), line
    assert "temperature 1.7342 and bias -0.3123, fitted on the validation split (8,000 pairs)" in card
    data = ModelCard(card).data.to_dict()
    assert (data["license"], data["base_model"], data["language"]) == ("apache-2.0", "owner/encoder", ["en", "de"])


def test_absurd_probes_are_among_the_limits() -> None:
    rates = {"test/identical_positive_rate": 0.85, "test/random_positive_rate": 0.725}
    limits = model_card(FACTS._replace(metrics=rates), is_calibrated=True).partition("## Limits\n\n")[2].partition("\n\n")[0]
    identical, unrelated, beyond = limits.splitlines()
    assert identical.startswith("- test: only 85.0% of sentences paired with themselves are called paraphrases (identical_")
    assert unrelated.startswith(
        "- test: 72.5% of unrelated pairs are called paraphrases (random_positive_rate); training pairs"
    )
    assert "`paraphrase predict` marks them, by `training_input.json`" in beyond
    assert model_card(FACTS, is_calibrated=True).count("- Pairs beyond the training") == 1


def test_a_fitted_threshold_is_said_to_be_that_of_predict_alone() -> None:
    fitted = FACTS._replace(calibration=Calibration(1.7, 0.43, 8_000, -0.3))
    said = (
        "For `paraphrase predict` a pair is a paraphrase from a probability of 0.4300 on, fitted on validation; argmax of this"
    )
    assert said in model_card(fitted, is_calibrated=True) and said in model_card(fitted, is_calibrated=False)
    assert "From a probability of 0.5 on a pair is a paraphrase." in model_card(FACTS, is_calibrated=True)


def test_what_is_not_known_is_said_to_be_unknown(tmp_path: Path) -> None:
    directory = FACTS._replace(base=base_of(str(tmp_path)), language="en")
    card = model_card(directory, is_calibrated=True)
    assert "| licence | unknown: look at that of the base model and of the data |" in card and "| language | en |" in card
    data = ModelCard(card).data.to_dict()
    assert data["license"] == "unknown" and "base_model" not in data, "a directory here is no name of the Hub"
    assert "| base model | none: trained from scratch |" in model_card(FACTS._replace(base=None), is_calibrated=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: mit\nlanguage: fr\n---\n# x\n", ("mit", "fr")),
        ("# no metadata\n", (None, None)),
        ("---\n[broken\n---\n", (None, None)),
        ("---\n- a list\n---\n", (None, None)),
    ],
)
def test_licence_and_language_come_from_the_base_models_card(
    text: str, expected: tuple[str | None, str | None], tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text(text)
    found = base_of(str(tmp_path))
    assert (found.license, found.language) == expected
    assert base_of("owner/nowhere") == Base("owner/nowhere") and base_of("no name at all") == Base("no name at all")


def test_a_model_with_logits_that_are_not_calibrated_says_so() -> None:
    card = model_card(FACTS, is_calibrated=False)
    assert "The logits are not calibrated" in card and "/ 1.7342 + -0.3123).sigmoid()" in card
    assert "trust_remote_code=True" in model_card(FACTS, is_calibrated=True, kind="remote")


@pytest.mark.parametrize(("kind", "end"), [("", ", or its name on the Hub:"), ("own", " in its place:")])
def test_where_the_lines_of_code_run(kind: str, end: str) -> None:
    card = model_card(FACTS, is_calibrated=True, kind=kind)
    (said,) = (line for line in card.splitlines() if line.startswith("These lines run in the directory that holds `model`;"))
    assert said.endswith(end) and card.split(said)[1].startswith("\n\n```python")
