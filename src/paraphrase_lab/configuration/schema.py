"""The dataclass behind every configuration file: keys, types, ranges and units, readable without torch.

A range or a set of choices stands in a field's metadata; `check` enforces it. `Open` marks mappings whose keys are free.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional  # Optional: OmegaConf 2.3 does not read "X | None" from string annotations

from paraphrase_lab.configuration.schema_data import (
    ChecklistConfig,
    DataConfig,
    MixtureConfig,
    PairsConfig,
    PawsConfig,
    WordOrderConfig,
)
from paraphrase_lab.configuration.schema_fields import MISSING, chosen, limited, open_mapping


@dataclass
class ModelConfig:
    """Keys every model has; what `_target_` itself takes stands in its subclasses."""

    _target_: str = MISSING
    learning_rate: float = limited(2e-5, above=0.0, maximum=1.0)
    """Default of optimizer.lr for this model."""
    batch_size: int = limited(32, minimum=1)
    """Default of data.batch_size for this model."""
    label_smoothing: float = limited(0.0, minimum=0.0, maximum=0.5)
    class_weights: Optional[list[float]] = None
    """Weights of the loss of label 0 and label 1."""
    layer_decay: float = limited(1.0, above=0.0, maximum=1.0)
    """Each layer below the head learns at this factor of the rate of the one above."""
    swap_augmentation: bool = False
    """Train on both orders of every pair, as two pairs."""
    consistency_weight: float = limited(0.0, minimum=0.0, maximum=100.0)
    """Weight of the symmetric KL divergence between the answers to the two orders of a pair."""
    gradient_checkpointing: bool = False
    instance_type: str = "ml.g5.2xlarge"
    """Instance type of a training job with compute=sagemaker."""


@dataclass
class TinyConfig(ModelConfig):
    _target_: str = "paraphrase_lab.model.encoder.Tiny"
    num_layers: int = limited(2, minimum=1, maximum=48)
    hidden_size: int = limited(128, minimum=8, maximum=4096)
    num_heads: int = limited(4, minimum=1, maximum=64)
    vocab_size: int = limited(8_192, minimum=300, maximum=250_000)
    """Pieces of the byte-level tokenizer, 256 bytes and 5 special tokens included."""
    dropout: float = limited(0.0, minimum=0.0, maximum=0.9)
    local_attention: int = limited(2, minimum=2, maximum=8192)
    """Tokens that the other layers see around each token."""
    initializer_range: float = limited(0.12, above=0.0, maximum=1.0)
    """Standard deviation of the initial weights."""
    comparing_layer: Optional[int] = limited(None, minimum=1, maximum=48)
    """The layer that sees all tokens and compares the same words of the two sentences, 1 is the first; null: the second, or
    the only one."""
    compare_from_start: bool = True
    """Its initial weights compare the same words; false: they are random."""


@dataclass
class LoraConfig:
    """Low-rank adapters in place of training all weights; the names are those of peft."""

    rank: Optional[int] = limited(None, minimum=1, maximum=4096)
    """Width of the adapters; null: no adapters, all weights are trained."""
    alpha: Optional[float] = limited(None, above=0.0)
    """An adapter's output is multiplied by alpha / rank; null: twice the rank."""
    dropout: float = limited(0.0, minimum=0.0, maximum=0.9)
    """Share of the adapters' inputs that is dropped."""
    target_modules: Optional[list[str]] = None
    """Ends of the names of linear layers, as in [query,value]; null: all linear layers of the encoder."""
    use_rslora: bool = False
    """Multiply by alpha / sqrt(rank), for high ranks."""
    use_dora: bool = False
    """Learn the length of each weight vector apart from its direction: slower."""


@dataclass
class PretrainedConfig(ModelConfig):
    _target_: str = "paraphrase_lab.model.encoder.Pretrained"
    name: str = MISSING
    """A Hub name, a local directory that AutoModelForSequenceClassification loads, or a run, whose exported model is meant."""
    revision: Optional[str] = None
    dropout: Optional[float] = limited(None, minimum=0.0, maximum=0.9)
    """null: what the checkpoint's own configuration says."""
    random_weights: bool = False
    """The checkpoint's architecture and tokenizer without its weights: what does pre-training bring?"""
    trust_remote_code: bool = False
    """Run the code that comes with a checkpoint whose architecture transformers does not know."""
    lora: LoraConfig = field(default_factory=LoraConfig)


@dataclass
class LossConfig:
    _target_: str = "paraphrase_lab.model.losses.CrossEntropy"
    label_smoothing: float = limited("${model.label_smoothing}", minimum=0.0, maximum=0.5)
    class_weights: Optional[list[float]] = field(default="${model.class_weights}")  # type: ignore[assignment]


@dataclass
class OptimizerConfig:
    _target_: str = "torch.optim.AdamW"
    _partial_: bool = True
    lr: float = limited("${model.learning_rate}", above=0.0, maximum=1.0)
    weight_decay: float = limited(0.01, minimum=0.0, maximum=10.0)
    """Not applied to biases and norms."""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    eps: float = limited(1e-8, above=0.0)


@dataclass
class SchedulerConfig:
    _target_: str = MISSING
    _partial_: bool = True
    warmup_steps: Optional[int] = limited(None, minimum=0)
    warmup_fraction: Optional[float] = limited(None, minimum=0.0, maximum=1.0)
    """Instead of warmup_steps: share of all optimiser steps."""


@dataclass
class TrainerConfig:
    accelerator: str = chosen("auto", "auto", "cpu", "gpu", "mps")
    devices: Any = "auto"
    """auto, or a number of devices."""
    num_nodes: int = limited(1, minimum=1)
    strategy: str = chosen("auto", "auto", "ddp")
    precision: str = chosen("auto", "auto", "bf16-mixed", "16-mixed", "32")
    cpu_threads: Optional[int] = limited(None, minimum=1)
    """Threads that compute on a CPU; null: torch's choice, from the machine's cores and OMP_NUM_THREADS."""
    max_epochs: int = limited("${data.epochs}", minimum=1)
    max_steps: int = limited(-1, minimum=-1)
    """Optimiser steps; -1: max_epochs alone decides."""
    accumulate_grad_batches: int = limited(1, minimum=1)
    gradient_clip_val: Optional[float] = limited(1.0, above=0.0)
    val_check_interval: float = limited(1.0, above=0.0, maximum=1.0)
    """Share of an epoch between validations."""
    log_every_steps: int = limited(20, minimum=1)
    checkpoint_every_steps: int = limited(500, minimum=1)
    """Optimiser steps between writes of checkpoints/last.ckpt, which `resume` continues from."""
    deterministic: bool = False
    progress: bool = True
    profiler: Optional[str] = chosen(None, "simple", "advanced")


@dataclass
class DistilConfig:
    """Distillation (Hinton et al. 2015): training copies a teacher's answers beside the labels."""

    teacher: Optional[str] = None
    """A run whose answers are copied, or a directory with runs below it, as of a sweep: an ensemble; null: labels alone."""
    weight: float = limited(0.5, minimum=0.0, maximum=1.0)
    """The loss is (1 - weight) x that of the labels + weight x temperature^2 x KL(teacher || student) at the temperature."""
    temperature: float = limited(2.0, above=0.0, maximum=100.0)


@dataclass
class StudyConfig:
    """The way an ablation is judged; its axes and seeds are `hydra.sweeper.params`. Says nothing that changes a run."""

    hypothesis: str = MISSING
    split: str = "test"
    """The pairs that the verdict is about: test, a source of a mixture as in test_paws, or checklist_test."""
    metric: str = "accuracy"
    report: list[str] = field(default_factory=list)
    """The verdict is about one metric of these pairs; further ones are reported without a verdict, of other pairs by their full
    names, as in checklist_test/accuracy."""
    baseline: list[str] = field(default_factory=list)
    """A value of every axis, as in [model.num_layers=2], that the others are compared with; empty: each with each."""
    equal_within: float = limited(0.01, above=0.0, maximum=1.0)
    """Smaller differences count as equal, in the metric's own unit: 0.01 is a point of accuracy."""
    paired_seeds: bool = False
    """Compare seed by seed: more power where runs with the same seed go well or badly together; never chosen afterwards."""
    until_decided: bool = False
    max_seeds: int = limited(10, minimum=3)
    """until_decided adds seeds until every comparison is decided, or each recipe has max_seeds."""
    expected_spread: float = limited(0.01, above=0.0, maximum=1.0)
    """The standard deviation over the seeds that is assumed when the study's power is computed beforehand."""
    budget_minutes: float = limited(MISSING, above=0.0)
    budget_machine: str = "1 CPU core"
    """The budget is for all its runs, one after the other, on this machine."""


@dataclass
class TrainConfig:
    seed: int = limited(0, minimum=0, maximum=2**32 - 1)
    monitor: str = "val/accuracy"
    monitor_mode: str = chosen("auto", "auto", "max", "min")
    evaluate_test: str = chosen("auto", "auto", "always", "never")
    keep_model: str = chosen("auto", "auto", "always", "never")
    threshold: str = chosen("0.5", "0.5", "fitted")
    """The probability from which a pair is a paraphrase; fitted: the best one on validation, not used by an exported model."""
    checklist: bool = True
    """Score the checklist of short English pairs after training: its dev half, and its test half where test is evaluated."""
    resume: Optional[str] = None
    study: Optional[StudyConfig] = None
    data: Any = MISSING
    model: Any = MISSING
    loss: Any = MISSING
    metrics: dict[str, Any] = open_mapping()
    optimizer: Any = MISSING
    scheduler: Any = MISSING
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)
    callbacks: dict[str, Any] = open_mapping()
    logger: dict[str, Any] = open_mapping()


GROUP_BASES: dict[str, type] = {"data": DataConfig, "model": ModelConfig}
"""The keys a group's own files share, whatever their `_target_`."""

SCHEMAS: dict[str, dict[str, type]] = {
    "data": {
        "word_order": WordOrderConfig,
        "paws": PawsConfig,
        "pairs": PairsConfig,
        "mixture": MixtureConfig,
        "checklist": ChecklistConfig,
    },
    "model": {"tiny": TinyConfig, "pretrained": PretrainedConfig},
    "loss": {"cross_entropy": LossConfig},
    "optimizer": {"adamw": OptimizerConfig},
    "scheduler": {"warmup": SchedulerConfig},
    "trainer": {"trainer": TrainerConfig},
    "distil": {"distil": DistilConfig},
    "study": {"study": StudyConfig},
}
