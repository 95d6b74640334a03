"""The check of a local model directory: each thing that may be missing, cut or of another model."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from encoders import save_checkpoint
from paraphrase_lab.check.findings import Findings
from paraphrase_lab.check.model_directory import local_model_findings

NO_TOKENS = {"pad_token": None, "eos_token": None, "unk_token": None, "tokenizer_class": "GPT2Tokenizer"}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90868376\n"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "bert", "bert")


@pytest.fixture
def model(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "model"))


def findings(name: Path | str, max_length: int = 64, **keys: Any) -> Findings:
    found = local_model_findings({"name": str(name), **keys}, max_length)
    assert found is not None
    return Findings.of(found)


def changed(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def pickled(model: Path) -> Path:
    (model / "model.safetensors").unlink()
    torch.save({"classifier.weight": torch.zeros(2, 32)}, model / "pytorch_model.bin")
    return model / "pytorch_model.bin"


def index(model: Path, shards: list[str]) -> None:
    weight_map = {f"tensor {number}": shard for number, shard in enumerate(shards)}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


@pytest.mark.parametrize("family", ["bert", "roberta", "modernbert", "deberta-v2"])
def test_a_whole_model_has_no_problem(family: str, tmp_path: Path) -> None:
    assert findings(save_checkpoint(tmp_path / family, family)) == Findings([], [])
    assert local_model_findings({"name": "owner/model"}, 64) is None


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "weights cut": (lambda m: cut(m / "model.safetensors"), r"has only [\d,]+ of the [\d,]+ bytes of model.safetensors"),
    "weights empty": (lambda m: (m / "model.safetensors").write_bytes(b""), "has a model.safetensors of 0 bytes that is no"),
    "weights a pointer": (lambda m: (m / "model.safetensors").write_text(POINTER), "Git LFS pointer in place of model"),
    "weights missing": (lambda m: (m / "model.safetensors").unlink(), r"has no weights \(model.safetensors\): copy them there"),
    "weights of TensorFlow": (
        lambda m: (m / "model.safetensors").rename(m / "tf_model.h5"),
        "has no weights .*, only weights for TensorFlow",
    ),
    "pickled cut": (lambda m: cut(pickled(m)), r"has only the beginning of pytorch_model.bin \([\d,]+ bytes\): copy it again"),
    "pickled a pointer": (lambda m: pickled(m).write_text(POINTER), "Git LFS pointer in place of pytorch_model.bin"),
    "a shard missing": (
        lambda m: [index(m, ["a.safetensors", "b.safetensors"]), (m / "model.safetensors").rename(m / "a.safetensors")],
        "lacks b.safetensors, which model.safetensors.index.json names: copy all 2 files",
    ),
    "a shard cut": (
        lambda m: [index(m, ["a.safetensors"]), cut((m / "model.safetensors").rename(m / "a.safetensors"))],
        "of a.safetensors",
    ),
    "index broken": (
        lambda m: [(m / "model.safetensors.index.json").write_text("{"), (m / "model.safetensors").unlink()],
        "a broken model",
    ),
    "tokenizer missing": (
        lambda m: (m / "tokenizer.json").unlink(),
        r"comes without a tokenizer \(tokenizer.json\): AutoTokenizer.from",
    ),
    "tokenizer cut": (lambda m: cut(m / "tokenizer.json"), "has a tokenizer.json that is no JSON, or only its beginning"),
    "tokenizer a pointer": (lambda m: (m / "tokenizer.json").write_text(POINTER), "Git LFS pointer in place of tokenizer.json"),
    "config a pointer": (lambda m: (m / "config.json").write_text(POINTER), "config.json that is a Git LFS pointer"),
    "config cut": (lambda m: cut(m / "config.json"), "config.json that is no JSON: copy it again"),
    "config of nothing": (lambda m: (m / "config.json").write_text("{}"), "config.json without model_type"),
    "other vocabulary": (lambda m: changed(m / "config.json", vocab_size=30522), "vocab_size=30,522 in config.json and 400"),
    "an adapter": (
        lambda m: (m / "config.json").rename(m / "adapter_config.json"),
        "is an adapter without its base: .*merge",
    ),
    "remote code": (
        lambda m: changed(m / "config.json", model_type="ours", auto_map={"AutoConfig": "c.C"}),
        r"needs code of its own \(c.py\), which would run .*: read it, then type model.trust_remote_code=true",
    ),
    "no padding token": (
        lambda m: changed(m / "tokenizer_config.json", **NO_TOKENS),
        "has a tokenizer without a padding token: tokenizer.add_special_tokens",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_is_said_in_one_sentence(kind: str, model: Path) -> None:
    breaks, expected = BROKEN[kind]
    breaks(model)
    (problem,) = findings(model).problems
    assert problem.startswith(f"model.name={model} ") and problem.endswith(".")
    assert re.search(expected, problem), problem


def test_weights_that_are_not_used_need_not_be_there(model: Path) -> None:
    (model / "model.safetensors").unlink()
    assert findings(model, random_weights=True) == Findings([], [])


def test_a_tokenizer_of_characters_needs_no_vocabulary(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    changed(model / "tokenizer_config.json", tokenizer_class="CanineTokenizer")
    assert findings(model) == Findings([], [])


def test_code_that_is_trusted_may_be_there(model: Path) -> None:
    changed(model / "config.json", model_type="ours", auto_map={"AutoConfig": "c.C"})
    assert findings(model, trust_remote_code=True) == Findings([], [])
    changed(model / "config.json", model_type="bert")
    assert findings(model) == Findings([], []), "transformers' own code is used"


@pytest.mark.parametrize(("family", "pad", "limit"), [("bert", 0, 64), ("roberta", 1, 64), ("roberta", 0, 65)])
def test_the_position_limit(family: str, pad: int, limit: int, tmp_path: Path) -> None:
    model = save_checkpoint(tmp_path / family, family)
    changed(model / "config.json", pad_token_id=pad)
    assert findings(model, max_length=limit).problems == []
    assert findings(model, max_length=limit + 1).problems == [
        f"model.name={model} takes {limit} tokens at most, data.max_length is {limit + 1}: data.max_length={limit}."
    ]


def test_what_is_mended_is_a_warning(model: Path) -> None:
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": 402, "content": "[NEW]"})
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    changed(model / "tokenizer_config.json", pad_token=None, tokenizer_class="GPT2Tokenizer", eos_token={"content": "<end>"})
    changed(model / "config.json", type_vocab_size=1)
    assert findings(model) == Findings(
        [],
        [
            f"model.name={model} has 403 tokens and 400 word embeddings: the others are added, and trained from scratch.",
            f"model.name={model} has a tokenizer without a padding token: '<end>' fills up batches.",
            f"model.name={model} has a tokenizer with segment ids, but no embeddings for them: they are left out.",
        ],
    )


def test_other_things_than_a_model(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").touch()
    assert findings(model / "config.json").problems == [
        f"model.name={model / 'config.json'} is a file: name its directory, model.name={model}."
    ]
    assert findings(tmp_path).problems == [
        f"model.name={tmp_path} is a folder of models: name one of them, as in model.name={model} (there are model)."
    ]
    assert "is an empty directory" in findings(tmp_path / "empty").problems[0]
    assert "is a directory without config.json" in findings(tmp_path / "other").problems[0]
    assert "does not exist; a relative path starts at the working directory" in findings("./nowhere").problems[0]


def test_a_run_means_its_model(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert findings("latest").problems == ["model.name=latest means the newest finished run, and there is none below runs."]
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"status": "finished"}')
    assert "is a run without a model" in findings(run).problems[0]
    shutil.move(model, run / "model")
    assert findings(run) == Findings([], [])
    assert findings("latest").problems == [
        "model.name=latest would be another model after the next run: type model.name=runs/a/model."
    ]
