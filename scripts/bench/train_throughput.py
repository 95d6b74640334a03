"""How many pairs a second does training see, in bf16 and fp16, on the shape of a real model with random weights?

Question: what does the training loop cost beside a bare loop over the same batches (forward, backward, clipping, fused AdamW,
          nothing logged), and do both half precisions train without a non-finite loss?
Cost:     200 optimiser steps per precision, twice; a minute each on a data-centre GPU. No network: random weights,
          and a tokenizer trained on the pairs.
Command:  python scripts/bench/train_throughput.py --paws DIRECTORY
          (on a CPU, to try it: --shape tiny --steps 20 --precisions 32)
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from transformers import RobertaConfig

from paraphrase_lab import build
from paraphrase_lab.check import check_request
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.data.files import RowReader
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.rows import Row
from paraphrase_lab.model.inference import autocast, best_device
from paraphrase_lab.model.tokenizer import train_tokenizer

WINDOW = 10
"""Steps between two looks at the clock."""
SHAPES = {
    "roberta_large": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
    "roberta_base": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
    "tiny": dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paws", type=Path, required=True, help="a directory with train.tsv, validation.tsv and test.tsv")
    parser.add_argument("--shape", choices=SHAPES, default="roberta_large")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--precisions", nargs="+", default=["bf16-mixed", "16-mixed"])
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.shape}, batches of {arguments.batch_size} pairs, {arguments.steps} steps")
    for column in ("precision", "pairs/s (median)", "bare loop", "first loss", "last loss", "device"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_shape(arguments.shape, arguments.paws, Path(folder))
        for precision in arguments.precisions:
            table.add_row(precision, *measure(checkpoint, precision, arguments, Path(folder) / precision))
    Console().print(table)


def write_shape(shape: str, paws: Path, folder: Path) -> Path:
    """A directory with configuration and tokenizer, but without weights."""
    rows = [row.values for row in RowReader(paws / "train.tsv") if isinstance(row, Row)]
    tokenizer = train_tokenizer((row[column] for row in rows for column in ("sentence1", "sentence2")), 16_384)
    config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=514)
    config.update({**SHAPES[shape], "pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.cls_token_id})
    config.architectures = ["RobertaForSequenceClassification"]
    config.save_pretrained(folder / shape)
    tokenizer.save_pretrained(folder / shape)
    return folder / shape


def measure(checkpoint: Path, precision: str, arguments: argparse.Namespace, run: Path) -> list[str]:
    overrides = [
        "model=pretrained", f"model.name={checkpoint}", "model.random_weights=true", f"model.batch_size={arguments.batch_size}",
        "data=paws", f"data.path={arguments.paws}", f"trainer.max_steps={arguments.steps}", "trainer.max_epochs=100",
        f"trainer.precision={precision}", f"trainer.log_every_steps={WINDOW}", "trainer.checkpoint_every_steps=1000000",
        "callbacks=none", "logger=csv", "keep_model=never", "evaluate_test=never",
    ]  # fmt: skip
    words = [*overrides, f"hydra.run.dir={run}"]
    subprocess.run([sys.executable, "-m", "paraphrase_lab", "train", *words], check=True)
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    speeds = [float(row["train/pairs_per_second"]) for row in rows[1:]]  # the first window warms up
    bare = bare_loop(overrides, precision, arguments.steps)
    device = json.loads((run / "run.json").read_text(encoding="utf-8"))["device"]["name"]
    return [
        f"{statistics.median(speeds):,.0f}",
        f"{statistics.median(bare[1:]):,.0f}",
        f"{float(rows[0]['train/loss']):.3f}",
        f"{float(rows[-1]['train/loss']):.3f}",
        device,
    ]


def bare_loop(overrides: list[str], precision: str, steps: int) -> list[float]:
    """Pairs a second of every window."""
    config = check_request(Request(tuple(overrides))).jobs[0].config
    tables, recipe, device = build.build_tables(config), build.build_recipe(config), best_device()
    datamodule = build.build_datamodule(config, tables, build.build_tokenizer(recipe, tables))
    encoder = recipe.encoder(datamodule.tokenizer, config.data.max_length).to(device).train()  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-5, fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "16-mixed")
    speeds, pairs, start = [], 0, time.monotonic()
    for step, batch in enumerate(endlessly(datamodule), start=1):
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        labels, _ = batch.pop("labels"), batch.pop("index")
        with autocast({"32": "32-true"}.get(precision, precision), device):
            loss = torch.nn.functional.cross_entropy(encoder(**batch).logits.float(), labels)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), config.trainer.gradient_clip_val)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        pairs += len(labels)
        if step % WINDOW == 0:
            loss.item()  # waits for the device
            speeds.append(pairs / (time.monotonic() - start))
            pairs, start = 0, time.monotonic()
        if step == steps:
            return speeds
    return speeds


def endlessly(datamodule: PairDataModule) -> Iterator[dict[str, torch.Tensor]]:
    while True:
        yield from datamodule.train_dataloader()


if __name__ == "__main__":
    main()
