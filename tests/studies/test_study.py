"""The request, plan and record of a study; and studies that are really run, as typed."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checking import check, composed, problems, write
from commands import FEW_PAIRS, ROOT, TINY, paraphrase
from paraphrase_lab.check import check_request
from paraphrase_lab.cli.study import StudyRequest, study_request
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import UserError
from paraphrase_lab.runs.arms import arm_with, arms_of, numbers_of
from paraphrase_lab.runs.differences import recipe_names
from paraphrase_lab.runs.fingerprint import config_fingerprint
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.record import NO_SOURCE, RunRecord, git_state
from paraphrase_lab.studies.lab_notes import lab_note
from paraphrase_lab.studies.plan import Study, plan_study

LAYERS = (
    "# @package _global_\n# Question:  How deep?\n# Command:   paraphrase study ablation=mine\n"
    "study:\n  hypothesis: deeper\n  budget_minutes: 5\n{more}"
    "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n{params}"
)


def ablation(directory: Path, *, more: str = "", params: tuple[str, ...] = ("model.num_layers: 1,2", "seed: 0,1,2")) -> Path:
    """A configuration directory with the ablation `mine`."""
    lines = "".join(f"      {line}\n" for line in params)
    keys = "".join(f"  {line}\n" for line in more.splitlines())
    return write(directory, "ablation/mine.yaml", LAYERS.format(more=keys, params=lines))


def planned(directory: Path, *words: str, sweep: Path = Path("sweep")) -> Study:
    checked = check_request(Request(("ablation=mine", *words), str(directory), multirun=True))
    return plan_study(checked, "mine", "How deep?", sweep)


def test_arms() -> None:
    jobs = [
        ("model.num_layers=1", "seed=0", "debug=fast"),
        ("model.num_layers=1", "seed=1", "debug=fast"),
        ("model.num_layers=2", "seed=0", "debug=fast"),
    ]
    arms = arms_of(jobs)
    assert [arm.name for arm in arms] == ["num_layers=1", "num_layers=1", "num_layers=2"]
    assert numbers_of(arms) == ("model.num_layers", {"num_layers=1": 1.0, "num_layers=2": 2.0})
    assert arm_with(arms, ["model.num_layers=2"]) == arms[2] and arm_with(arms, ["model.num_layers=3"]) is None
    sets = arms_of([("model={swap_augmentation:False}", "seed=0"), ("model={consistency_weight:1.0}", "seed=0")])
    assert [arm.name for arm in sets] == ["swap_augmentation=false", "consistency_weight=1.0"]
    assert arm_with(sets, ["model={swap_augmentation:false}"]) == sets[0] and numbers_of(sets) is None
    grid = arms_of([("model.num_layers=1", "optimizer.lr=1e-3"), ("model.num_layers=2", "optimizer.lr=1e-4")])
    assert [arm.name for arm in grid] == ["num_layers=1 lr=0.001", "num_layers=2 lr=0.0001"] and numbers_of(grid) is None
    files = arms_of([("model=roberta_large",), ("model=tiny",)])
    assert [arm.name for arm in files] == ["model=roberta_large", "model=tiny"]
    assert [arm.name for arm in arms_of([("model.batch_size=1",), ("model.batch_size=2",)], ["data.batch_size"])] == [
        "model.batch_size=1", "model.batch_size=2",
    ]  # fmt: skip


def test_lab_note(tmp_path: Path) -> None:
    text = (
        "# @package _global_\n# Question:  How\n#            deep?\n# Command:   a\n#            b\nmodel:\n# Result:  none\n"
    )
    write(tmp_path, "x.yaml", text)
    assert lab_note(tmp_path / "x.yaml") == {"Question": "How deep?", "Command": "a"}


def test_a_plan(tmp_path: Path) -> None:
    study = planned(ablation(tmp_path, more="baseline: [model.num_layers=2]\nreport: [flip_rate]"))
    assert [(run.number, run.arm.name, run.seed) for run in study.runs] == [
        (number, f"num_layers={layers}", seed)
        for number, (layers, seed) in enumerate((a, b) for a in (1, 2) for b in (0, 1, 2))
    ]
    assert (study.baseline, study.metric, study.report, study.seeds) == ("num_layers=2", "accuracy", ("flip_rate",), [0, 1, 2])
    assert not any(run.is_recorded() for run in study.runs)
    with pytest.raises(UserError, match="mine compares nothing: with these overrides every run has the same configuration"):
        planned(tmp_path, "model.num_layers=1", "study.baseline=[]")
    with pytest.raises(UserError, match="evaluate_test=never leaves a study nothing to report"):
        planned(tmp_path, "evaluate_test=never")
    write(tmp_path, "ablation/mine.yaml", "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 0,1\n")
    with pytest.raises(UserError, match="ablation=mine says nothing of how it is judged"):
        planned(tmp_path)


def test_what_is_recorded(tmp_path: Path) -> None:
    study = planned(ablation(tmp_path), sweep=tmp_path / "sweep")
    run, other = study.runs[:2]

    def record(configuration: str, code: str, status: str = "finished") -> None:
        parts = {"configuration": configuration, "code": code}
        RunRecord(run.directory).update(status=status, seed=0, config={}, choices={}, fingerprint_parts=parts)

    record(run.configuration, run.code)
    assert run.is_recorded() and not other.is_recorded()
    record(run.configuration, "other code")
    assert not run.is_recorded() and run.row() is not None
    record(run.configuration, run.code, "failed")
    assert not run.is_recorded()
    record(other.configuration, run.code)
    assert run.row() is None, "a run of another configuration is none of this study's"


def test_a_study_is_no_part_of_its_runs(tmp_path: Path) -> None:
    """Its runs equal the runs started by hand: the same fingerprint, job and recipe."""
    directory = ablation(tmp_path)
    with Composer(Request(config_dir=str(directory))) as composer:
        studied = composed(composer, ["ablation=mine", "model.num_layers=1"])
        typed = composed(composer, ["model.num_layers=1"])
    assert studied.study.hypothesis == "deeper" and typed.study is None
    assert config_fingerprint(plain_config(studied)) == config_fingerprint(plain_config(typed))
    for compute in ("local", "sagemaker"):
        assert "study" in check(f"compute={compute}").hydra.launcher.key_exclude
    for number, study in enumerate(({"study.hypothesis": "deeper", "study.metric": "f1"}, {"study": None})):
        record = RunRecord(tmp_path / "runs" / str(number))
        record.update(status="finished", seed=number, config={"seed": number, "model.num_layers": 1, **study}, choices={})
    assert len(set(recipe_names(read_runs([str(tmp_path / "runs")])))) == 1


@pytest.mark.slow
def test_mistakes_in_a_study(tmp_path: Path) -> None:
    def found(more: str = "", **options: tuple[str, ...]) -> list[str]:
        return problems("ablation=mine", config_dir=ablation(tmp_path, more=more, **options))

    (metric,) = found("metric: acuracy")
    assert metric.startswith("study.metric=acuracy: there is no such metric of test. Did you mean 'accuracy'?")
    (report,) = found("report: [test/fliprate]")
    assert report.startswith("study.report: test/fliprate is no metric of test. Did you mean 'flip_rate'?")
    (split,) = found("split: test_paws")
    assert split == "study.split=test_paws: no run scores such pairs. Did you mean 'test'?"
    (source,) = found("report: [test_paws/accuracy]")
    assert source == "study.report: test_paws/accuracy: no run scores such pairs. Did you mean 'test'?"
    check("ablation=mine", config_dir=ablation(tmp_path, more="split: checklist_test\nreport: [test/accuracy, test/flip_rate]"))
    (elsewhere,) = found("split: checklist_test\nreport: [flip_rate]")
    assert elsewhere == "study.report: flip_rate is no metric of checklist_test. Did you mean 'test/flip_rate'?"
    (baseline,) = found("baseline: [model.layer=2]")
    assert baseline == (
        "study.baseline=model.layer=2 is nothing that the study compares. Did you mean 'model.num_layers=2'? Valid: "
        "model.num_layers=1; model.num_layers=2; or 'study.baseline=[]', which compares each with each."
    )
    (axis,) = found(params=("model.layrs: 1,2", "seed: 0,1,2"))
    assert axis.startswith("there is no key 'model.layrs'. Did you mean 'model.num_layers'?")
    (none,) = found(params=("seed: 0,1,2",))
    assert none == "the study has no axis: name one under hydra.sweeper.params, as in 'model.num_layers: 1,2,3'."
    (key,) = found("baselin: []")
    assert "there is no key 'study.baselin'. Did you mean 'study.baseline'?" in key
    write(
        tmp_path,
        "ablation/mine.yaml",
        LAYERS.format(more="", params="      model.num_layers: 1,2\n").replace("  hypothesis: deeper\n", ""),
    )
    assert problems("ablation=mine", config_dir=tmp_path) == [
        "study.hypothesis has no value yet: give it with study.hypothesis=VALUE (text)."
    ]


def test_few_seeds_are_a_warning(tmp_path: Path) -> None:
    directory = ablation(tmp_path, params=("model.num_layers: 1,2", "seed: 0,1"))
    assert check("ablation=mine", config_dir=directory).warnings == [
        "2 seeds of each: with fewer than 3 nothing can be said about the recipes, only about these very models, "
        "as in seed=0,1,2."
    ]
    assert check("ablation=mine", "seed=0,1,2", config_dir=directory).warnings == []
    assert check("ablation=mine", "model.num_layers=1", config_dir=directory).warnings == []


def test_overrides_that_change_a_result_make_another_study() -> None:
    def typed(*words: str) -> StudyRequest:
        return study_request(["ablation=encoder_depth", *words])

    plain = typed("compute=sagemaker", "hydra.launcher.max_parallel=2", "logger=csv", "keep_model=always", "-m")
    assert not plain.changed and plain.directory == Path("runs/studies/encoder_depth")
    assert not typed("data.path=elsewhere", "data.sources.paws.path=elsewhere").changed
    changed = typed("data.train_pairs=100")
    assert changed.changed and changed.directory != typed("data.train_pairs=200").directory
    assert changed.directory.parent == plain.directory.parent and changed.directory.name.startswith("encoder_depth_")
    seeds = typed("seed=0,1")
    for words in (("logger=csv",), ("compute=sagemaker_local", "hydra.launcher.max_parallel=2"), ("trainer.progress=none",)):
        assert typed("seed=0,1", *words).directory == typed(*words, "seed=0,1").directory == seeds.directory
    assert typed("seed=0,1", "logger=csv").command.endswith("seed=0,1 logger=csv")
    assert typed("study.metric=f1").changed, "another metric after the fact is another study"
    assert typed("--results", "there").results == typed("--results=there").results == Path("there")
    assert changed.command == "paraphrase study ablation=encoder_depth data.train_pairs=100"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a study is one ablation: ablation=NAME\nablations: both_ends, both_ends_minilm, encoder_depth, "),
        (("ablation=a,b",), "a study is one ablation"),
        (("ablation=encoder_dept",), "there is no ablation 'encoder_dept'\ndid you mean ablation=encoder_depth?"),
        (("ablation=x",), "there is no ablation 'x'\nablations: both_ends, both_ends_minilm, encoder_depth, "),
        (("ablation=encoder_depth", "--results"), "argument --results: expected one argument"),
        (("ablation=encoder_depth", "hydra.sweep.subdir=x"), "the directories of a study's runs are named by their numbers"),
        (("ablation=encoder_depth", "resume=auto"), "resume=auto: a study continues by itself, in its own directory"),
        (("ablation=encoder_depth", "model.hiden=3"), "there is no key 'model.hiden'"),
        (("ablation=encoder_depth", "--fast"), "paraphrase study has no option --fast"),
    ],
)
def test_mistakes_at_the_command_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("study", *words) == 2
    assert said in capsys.readouterr().err


def test_what_a_study_writes_is_no_change_of_the_code(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        settings = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *settings, *words], cwd=tmp_path, check=True, capture_output=True)

    for file in ("code.py", "experiments/results/x.md", "experiments/README.md"):
        write(tmp_path, file, "one")
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    assert git_state(tmp_path)["dirty"] is False
    write(write(tmp_path, "experiments/results/x.md", "two"), "experiments/README.md", "two")
    assert git_state(tmp_path)["dirty"] is False
    write(tmp_path, "code.py", "two")
    assert git_state(tmp_path)["dirty"] is True
    for compute in ("local", "sagemaker"):
        excluded = check(f"compute={compute}").hydra.launcher.code.exclude
        assert [path.strip("/") for path in excluded] == list(NO_SOURCE)


class Lab:
    """A copy of the framework, whose code nobody changes meanwhile, with the ablation `mine`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("conf", "src"):
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)
        for name in ("encoder_depth", "mine"):
            self.write_ablation(name)
        write(
            root,
            "experiments/experiment/one.yaml",
            "# @package _global_\n# Question:  One?\n# Command:   paraphrase train\n{}\n",
        )

    def write_ablation(self, name: str) -> None:
        directory = ablation(self.root / "experiments", more="baseline: [model.num_layers=2]")
        (directory / "ablation" / "mine.yaml").replace(directory / "ablation" / f"{name}.yaml")

    def study(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        few = (*(word for word in TINY if not word.startswith("model.num_layers")), *FEW_PAIRS, "logger=none")
        command = [sys.executable, "-m", "paraphrase_lab", "study", "ablation=mine", *few, *words]
        environment = {
            "PYTHONPATH": f"{self.root / 'src'}:{self.root / 'src/hydra-sagemaker-launcher'}",
            "PARAPHRASE_CACHE_DIR": str(self.root.parent / "cache"),
        }
        return subprocess.run(
            command, cwd=self.root, env={**_environ(), **environment, **variables}, capture_output=True, text=True
        )


def _environ() -> dict[str, str]:
    import os

    return {**os.environ, "WANDB_MODE": "disabled"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("studies") / "lab")


@pytest.mark.slow
def test_a_study_runs_what_is_missing_and_writes_down_what_it_found(lab: Lab) -> None:
    results = lab.root / "experiments" / "results"
    first = lab.study("--results", str(results), "seed=0")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "2 runs: num_layers=1, num_layers=2; seeds 0; test/accuracy; compared with num_layers=2" in first.stdout
    assert "\n0 of them are recorded with this code" in first.stdout and "2 jobs: 2 new" in first.stdout
    assert "warning: 1 seed of each" in first.stderr
    page = (results / "mine.md").read_text()
    assert "**Question.** How deep?" in page and "**Hypothesis.** deeper" in page
    assert "**Verdict.** In accuracy, compared with num_layers=2: num_layers=1: undecided: " in page  # of four steps
    with (results / "mine.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model.num_layers"], row["seed"]) for row in rows] == [("1", "0"), ("2", "0")]
    assert all((lab.root / row["run"] / "run.json").is_file() and len(row["fingerprint"]) == 64 for row in rows)
    assert (results / "mine.png").read_bytes().startswith(b"\x89PNG")
    index = (lab.root / "experiments" / "README.md").read_text()
    assert "| [mine](ablation/mine.yaml) | How deep? | `paraphrase study ablation=mine` | 2 | In accuracy, " in index
    assert (
        "| [encoder_depth](ablation/encoder_depth.yaml) | How deep? | `paraphrase study ablation=mine` |  | not run yet |"
        in index
    )

    again = lab.study("--results", str(results), "seed=0")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (
        "\n2 of them are recorded with this code in runs/studies/mine" in again.stdout and "2 jobs: 2 reused" in again.stdout
    ), "its own results changed its code"

    write(lab.root, "src/own.py", "changed = True\n")
    changed = lab.study("--results", str(results), "seed=0", "hydra.launcher.max_parallel=2")
    assert "2 jobs: 2 new" in changed.stdout, changed.stdout + changed.stderr


@pytest.mark.slow
def test_seeds_are_added_until_a_study_is_decided(lab: Lab) -> None:
    words = (
        "study.until_decided=true",
        "study.max_seeds=4",
        "study.metric=nll",
        "study.equal_within=1e-9",
        "hydra.sweep.dir=runs/looks",
    )
    found = lab.study(*words)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "undecided with 3 seeds of each: 4 follow" in found.stdout and "8 jobs: 2 new, 6 reused" in found.stdout
    page = (lab.root / "runs" / "looks" / "results" / "mine.md").read_text()
    assert "**Looks.** 2 of 2: at 3 seeds (p below 0.0281), 4 seeds (p below 0.0219). It ended when " in page
    assert all("Better: p below 0.0219. Equal: " in text for text in (page, " ".join(found.stdout.split())))
    again = lab.study(*words)
    assert again.returncode == 0 and "new" not in again.stdout.replace("8 jobs", ""), "a study that has ended trains nothing"
    later = lab.study(*(word.replace("max_seeds=4", "max_seeds=6") for word in words))
    assert later.returncode == 2 and "was begun with looks at 3 4 seeds, and these overrides plan others" in later.stderr


@pytest.mark.slow
def test_a_study_whose_job_failed_compares_the_others_and_names_it(lab: Lab) -> None:
    few = ("data.on_truncation=error", "model.num_layers=1", "seed=0", "data.max_length=8,64,128", "study.baseline=[]")
    done = lab.study("hydra.sweep.dir=runs/failing", *few)
    assert done.returncode == 2, done.stdout + done.stderr  # the job's fault is a mistake of the configuration
    assert "note: max_length=8 with seed 0 (job 0) is failed: " in done.stdout and "Traceback" not in done.stderr
    assert "Question: are these models different" in done.stdout
    page = (lab.root / "runs/failing/results/mine.md").read_text()
    assert "max_length=8 with seed 0 (job 0) is failed" in page and "| max_length=64 | 1 |" in page
    only = lab.study("hydra.sweep.dir=runs/failing", *few[:-2], "data.max_length=8,128", "study.baseline=[]")
    assert only.returncode == 2 and "1 of 2 runs of mine have finished: nothing to compare yet" in only.stderr


@pytest.mark.slow
def test_a_study_on_the_local_sagemaker(lab: Lab, tmp_path: Path) -> None:
    pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
    from sagemaker_local import LocalSageMaker

    with LocalSageMaker(tmp_path / "sagemaker", stop_grace_seconds=3) as server:
        remote = ("compute=sagemaker_local", f"hydra.launcher.endpoint_url={server.url}", "hydra.sweep.dir=runs/remote")
        words = (*remote, "seed=0", "--results", str(tmp_path))
        left = lab.study(*words, "hydra.launcher.wait=false", **server.client_environment)
        assert left.returncode == 0 and "no run is downloaded yet: run the same command again" in left.stdout, (
            left.stdout + left.stderr
        )
        done = lab.study(*words, **server.client_environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(server.jobs.jobs) == 2, "the same command attaches to the jobs that are still running"
    assert "| cost | $0.0" in (tmp_path / "mine.md").read_text()
