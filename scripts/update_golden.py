"""Rewrites tests/golden/experiment, the composed experiments. Run it after an intended change; review the diff."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf

from paraphrase_lab.check import check_request
from paraphrase_lab.configuration.composition import Composer, Request

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "experiment"


def composed_experiments() -> dict[str, str]:
    """Map the name of each experiment to its resolved YAML."""
    with Composer() as composer:
        names = composer.group_options("experiment")
    configs = {name: check_request(Request((f"experiment={name}",))).jobs[0].config for name in names}
    return {name: OmegaConf.to_yaml(config, resolve=True) for name, config in configs.items()}


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    experiments = composed_experiments()
    for file in GOLDEN.glob("*.yaml"):
        if file.stem not in experiments:
            file.unlink()
    for name, text in experiments.items():
        (GOLDEN / f"{name}.yaml").write_text(text, encoding="utf-8")
    print(f"{len(experiments)} experiments written to {GOLDEN}")


if __name__ == "__main__":
    main()
