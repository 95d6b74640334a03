from __future__ import annotations

import math
import os
from itertools import pairwise

import numpy as np
import pytest

from paraphrase_lab.data.batching import BatchPlan, EpochBatches, ordered_batches
from paraphrase_lab.errors import UserError


def paws_like_lengths(pairs: int = 20_000, seed: int = 0) -> np.ndarray:
    """Tokens of pairs with the percentiles of PAWS-Wiki in BERT's WordPiece: mean 52.5, p50 52, p95 77, p99 84, max 106."""
    quantile = np.random.default_rng(seed).permutation((np.arange(pairs) + 0.5) / pairs)
    lengths = np.interp(quantile, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1], [13, 30, 42, 52, 63, 77, 84, 106])
    return np.rint(lengths).astype(np.int64)


def some_lengths(pairs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(8, 120, pairs)


def computed_tokens(batches: list[np.ndarray], lengths: np.ndarray) -> int:
    return sum(int(lengths[batch].max()) * len(batch) for batch in batches)


def assert_every_pair_once(batches: list[np.ndarray], pairs: int) -> None:
    assert all(len(batch) for batch in batches)
    assert sorted(np.concatenate(batches).tolist()) == list(range(pairs))


SETTINGS = [
    {"batch_size": 32},
    {"batch_size": 7, "multiple_of": 8},
    {"batch_tokens": 2_000},
    {"batch_tokens": 900, "multiple_of": 6},
    {"batch_size": 1},
    {"batch_size": 1, "multiple_of": 4},
    {"batch_tokens": 120, "multiple_of": 4},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("pairs", [997, 1_000])
def test_every_epoch_has_the_same_number_of_batches_and_every_pair_once(settings: dict, pairs: int) -> None:
    plan = BatchPlan(some_lengths(pairs), **settings)
    epochs = [plan.epoch(3, epoch) for epoch in range(4)]
    assert {len(batches) for batches in epochs} == {len(plan)}
    assert len(plan) % settings.get("multiple_of", 1) == 0
    for batches in [*epochs, plan.in_order()]:
        assert_every_pair_once(batches, pairs)


@pytest.mark.parametrize("settings", [{"batch_size": 32}, {"batch_size": 32, "multiple_of": 8}, {"batch_size": 7}], ids=str)
def test_batch_size_is_the_average_of_the_smallest_number_of_full_steps(settings: dict) -> None:
    pairs, multiple = 5_003, settings.get("multiple_of", 1)
    plan = BatchPlan(some_lengths(pairs), **settings)
    assert len(plan) == math.ceil(math.ceil(pairs / settings["batch_size"]) / multiple) * multiple
    assert plan.mean_pairs == pairs / len(plan) <= settings["batch_size"]


@pytest.mark.parametrize("multiple_of", [1, 8])
@pytest.mark.parametrize("budget", [300, 1_024, 8_192])
def test_no_batch_exceeds_the_token_budget_and_few_are_needed(budget: int, multiple_of: int) -> None:
    lengths = some_lengths(3_000)
    plan = BatchPlan(lengths, batch_tokens=budget, multiple_of=multiple_of)
    for batch in [*plan.epoch(0, 0), *plan.epoch(0, 1), *plan.in_order()]:
        assert lengths[batch].max() * len(batch) <= budget
    # A batch is left because the next, wider pair did not fit: it is nearly full.
    assert len(plan) <= 1.5 * lengths.sum() / budget + multiple_of


def test_batches_have_about_the_same_number_of_tokens() -> None:
    lengths = paws_like_lengths()
    tokens = [int(lengths[batch].sum()) for batch in BatchPlan(lengths, batch_size=32).epoch(0, 0)]
    assert np.percentile(tokens, 99) < 1.1 * np.median(tokens)


def test_epochs_mix_batches_anew_and_repeat_for_the_same_seed_and_epoch() -> None:
    lengths = paws_like_lengths(2_000)
    first, again = (BatchPlan(lengths, batch_size=16).epoch(5, 2) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    plan = BatchPlan(lengths, batch_size=16)
    members = {frozenset(batch.tolist()) for batch in first}
    for seed, epoch in ((5, 3), (6, 2)):
        other = plan.epoch(seed, epoch)
        # A few may repeat: batches that hold all the pairs of a width.
        assert len(members & {frozenset(batch.tolist()) for batch in other}) < 0.05 * len(plan)
        assert [len(batch) for batch in other] != [len(batch) for batch in first], "the order of the batches is shuffled too"


def test_pairs_meet_different_pairs_even_where_their_length_is_rare() -> None:
    plan = BatchPlan(paws_like_lengths(5_000), batch_size=16)
    longest = int(np.argmax(plan.lengths))
    partners = [frozenset(next(batch for batch in plan.epoch(0, epoch) if longest in batch).tolist()) for epoch in range(4)]
    assert len(set(partners)) > 1


@pytest.mark.parametrize(
    "settings", [{"batch_size": 16}, {"batch_size": 32}, {"batch_size": 64}, {"batch_tokens": 4_096}], ids=str
)
def test_at_least_96_percent_of_the_computed_tokens_are_real(settings: dict) -> None:
    lengths = paws_like_lengths()
    quantiles = np.percentile(lengths, [50, 95, 99, 100])
    assert quantiles.tolist() == pytest.approx([52, 77, 84, 106], abs=1.5) and lengths.mean() == pytest.approx(52.5, abs=1)
    plan = BatchPlan(lengths, multiple_of=8, **settings)
    for batches in (plan.epoch(0, 0), plan.epoch(0, 1), plan.in_order()):
        share = lengths.sum() / computed_tokens(batches, lengths)
        assert share >= 0.96
        assert 1 - share <= plan.padding_fraction(), "documented as an upper bound"


@pytest.mark.skipif("PARAPHRASE_PAWS_DIR" not in os.environ, reason="PARAPHRASE_PAWS_DIR names no directory")
def test_at_least_96_percent_are_real_on_paws_itself() -> None:
    from paraphrase_lab.data.encoding import encode
    from paraphrase_lab.data.sources import Paws
    from paraphrase_lab.data.tables import load_tables
    from paraphrase_lab.model.tokenizer import train_tokenizer

    source = Paws(os.environ["PARAPHRASE_PAWS_DIR"])
    tables = load_tables(source)
    assert all(len(table) == source.count(split) for split, table in tables.splits.items())
    train = tables.splits["train"]
    lengths = encode(train, train_tokenizer([*train.sentence1, *train.sentence2], 8_192), 128, quiet=True).lengths
    choices: list[dict] = [{"batch_size": 32}, {"batch_size": 16}, {"batch_tokens": 8_192}]
    for settings in choices:
        plan = BatchPlan(lengths, **settings)
        batches = plan.epoch(0, 0)
        assert_every_pair_once(batches, len(train))
        share = lengths.sum() / computed_tokens(batches, lengths)
        print(f"{settings}: {len(plan)} batches, {share:.2%} of the computed tokens are real")
        assert share >= 0.96


@pytest.mark.parametrize(("world_size", "accumulate"), [(2, 1), (4, 2), (3, 5)])
@pytest.mark.parametrize("settings", [{"batch_size": 8}, {"batch_size": 1}, {"batch_tokens": 600}], ids=str)
def test_ranks_share_every_epoch_without_overlap_or_remainder(settings: dict, world_size: int, accumulate: int) -> None:
    pairs = 301
    plan = BatchPlan(some_lengths(pairs), multiple_of=world_size * accumulate, **settings)
    ranks = [EpochBatches(plan, 0, rank=rank, world_size=world_size) for rank in range(world_size)]
    for epoch in range(3):
        for batches in ranks:
            batches.set_epoch(epoch)
        shares = [list(batches) for batches in ranks]
        assert {len(share) for share in shares} == {len(batches) for batches in ranks} == {len(plan) // world_size}
        assert len(shares[0]) % accumulate == 0
        assert_every_pair_once([np.asarray(batch) for share in shares for batch in share], pairs)


@pytest.mark.parametrize(("pairs", "world_size", "accumulate"), [(3, 4, 1), (5, 2, 4)])
def test_too_few_pairs_for_the_devices_are_refused_instead_of_dropped(pairs: int, world_size: int, accumulate: int) -> None:
    plan = BatchPlan(some_lengths(pairs), batch_size=1, multiple_of=world_size * accumulate)
    with pytest.raises(UserError, match=rf"{pairs} batches cannot be shared evenly by {world_size} devices"):
        EpochBatches(plan, 0, world_size=world_size)


@pytest.mark.parametrize("world_size", [1, 3])
def test_evaluation_batches_of_the_ranks_cover_every_pair_once(world_size: int) -> None:
    plan = BatchPlan(some_lengths(500), batch_tokens=1_000, multiple_of=world_size)
    ranks = [ordered_batches(plan, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert {len(batches) for batches in ranks} == {len(plan) // world_size}
    assert_every_pair_once([np.asarray(batch) for batches in ranks for batch in batches], 500)


@pytest.mark.parametrize("start", [0, 1, 7, 15])
def test_a_resume_leaves_out_exactly_the_batches_that_were_done(start: int) -> None:
    plan = BatchPlan(some_lengths(256), batch_size=8, multiple_of=2)
    whole = EpochBatches(plan, 9, rank=1, world_size=2)
    whole.set_epoch(4)
    resumed = EpochBatches(plan, 9, rank=1, world_size=2)
    resumed.set_epoch(4)
    resumed.start = start
    assert len(resumed) == len(whole) == 16
    assert list(resumed) == list(whole)[start:]
    assert list(resumed) == list(whole), "only the first epoch after a resume is shorter"
    assert resumed.sampler is resumed, "where Lightning looks for set_epoch"


@pytest.mark.parametrize(
    "settings", [{"batch_size": 4}, {"batch_size": 1_000}, {"batch_tokens": 64}, {"batch_tokens": 2}], ids=str
)
@pytest.mark.parametrize(
    "lengths",
    [[5], [5, 5, 5], [9, 3, 4], [20] * 33, [10] * 20 + [5_000], [1] * 50, [512] * 9, list(range(1, 70))],
    ids=lambda lengths: f"{len(lengths)} pairs up to {max(lengths)}",
)
@pytest.mark.parametrize("multiple_of", [1, 4])
def test_degenerate_data(lengths: list[int], settings: dict, multiple_of: int) -> None:
    plan = BatchPlan(np.array(lengths), multiple_of=multiple_of, **settings)
    batches = plan.epoch(0, 0)
    assert len(batches) == len(plan) and 0 <= plan.padding_fraction() < 1
    assert_every_pair_once(batches, len(lengths))
    assert len(plan) % multiple_of == 0 or len(plan) == len(lengths) < multiple_of


def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    lengths = np.array([10] * 40 + [5_000])
    plan = BatchPlan(lengths, batch_tokens=100)
    assert [40] in [batch.tolist() for batch in plan.epoch(0, 0)]
    assert sorted(len(batch) for batch in plan.epoch(0, 0)) == [1, 10, 10, 10, 10]


@pytest.mark.parametrize(("settings", "most"), [({"batch_size": 8}, 10), ({"batch_tokens": 160}, 8)], ids=str)
def test_groups_stay_together_and_those_larger_than_a_batch_are_cut(settings: dict, most: int) -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(31), [90, *[3] * 30]))
    lengths = np.full(len(groups), 20)
    batches = BatchPlan(lengths, groups=groups, **settings).epoch(0, 0)
    assert_every_pair_once(batches, len(groups))
    assert all(sum(group in groups[batch] for batch in batches) == 1 for group in range(1, 31))
    assert max(map(len, batches)) <= most, "8 pairs are those of an average batch, and the tokens the most"
    assert sum(0 in groups[batch] for batch in batches) >= 90 // 8


def test_parts_of_a_large_group_are_of_about_the_same_length() -> None:
    lengths = np.random.default_rng(0).integers(10, 120, 2_000)
    plan = BatchPlan(lengths, groups=np.zeros(2_000, dtype=np.int64), batch_tokens=1_000)
    assert plan.padding_fraction() < 0.1 and len(plan) > 100


def test_bucket_lengths_bound_the_lengths_and_keep_their_order() -> None:
    plan = BatchPlan(paws_like_lengths(3_000), batch_size=32)
    assert (plan.bucket_lengths >= plan.lengths).all()
    ordered = plan.bucket_lengths[np.argsort(plan.lengths, kind="stable")]
    assert all(a <= b for a, b in pairwise(ordered.tolist()))
    assert set(plan.bucket_lengths) <= set(plan.lengths), "no bucket is longer than its longest pair"


@pytest.mark.parametrize("settings", [{}, {"batch_size": 8, "batch_tokens": 100}], ids=str)
def test_one_of_batch_size_and_batch_tokens(settings: dict) -> None:
    with pytest.raises(ValueError, match="one of batch_size and batch_tokens"):
        BatchPlan(some_lengths(10), **settings)
