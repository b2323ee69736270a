"""Markets in a stack, and a cache that can't be told from a fresh computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from foundation.import_closure import PACKAGES_ROOT, closure
from jax_port.data import data_loader
from jax_port.data.data_loader import (
    ATR,
    CLOSE,
    HIGH,
    LOW,
    MINUTE,
    STOP,
    TARGET,
    TRAIL,
    PreparedMarket,
    load,
    prepare,
    stack,
)
from jax_port.data.features import compute_features
from markets import Bars, EnvConfig, InputError, get_contract
from markets.bars import FEATURES
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=60)
REAL = Path(__file__).parents[4] / "shared" / "data" / "ES_1min_utc.csv"


def write_csv(bars: Bars, path: Path) -> Path:
    frame = bars.frame.copy()
    frame.index = frame.index.strftime("%Y-%m-%d %H:%M:%S")
    frame.to_csv(path)
    return path


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=2, seed=0)


@pytest.fixture
def csv(bars: Bars, tmp_path: Path) -> Path:
    return write_csv(bars, tmp_path / "bars.csv")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def assert_same(one: PreparedMarket, two: PreparedMarket) -> None:
    for name in ("features", "bars", "starts", "timestamps_ns"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert (one.contract, one.source, one.digest) == (two.contract, two.source, two.digest)


# prepare


def test_a_hand_made_bar_as_integers(make_bars: Callable[..., Bars]) -> None:
    config = EnvConfig.phase1(
        warmup_bars=20, window_size=2, max_episode_bars=5, session="all", trail_atr_mult=0.5
    )
    market = prepare(make_bars([(4004, 3996, 4000)] * 40), config)
    row = market.bars[30]
    assert market.bars.dtype == np.int32
    assert market.bars.shape == (40, 8)
    assert [row[c] for c in (HIGH, LOW, CLOSE)] == [4004, 3996, 4000]
    assert [row[c] for c in (STOP, TARGET, TRAIL)] == [12, 36, 4]
    assert row[MINUTE] == 578
    assert row[ATR : ATR + 1].view(np.float32)[0] == 8.0
    assert market.starts.tolist() == list(range(22, 35))
    assert len(market) == 40


def test_the_session_is_applied_before_anything_is_computed(bars: Bars) -> None:
    whole = synthetic_bars("ES", days=2, seed=0, session="all")
    assert len(whole) > len(bars)
    assert_same(replace(prepare(whole, CONFIG), source="x"), replace(prepare(bars, CONFIG), source="x"))


def test_features_are_cast_once(bars: Bars) -> None:
    market = prepare(bars, CONFIG)
    assert market.features.dtype == np.float32
    np.testing.assert_array_equal(market.features, compute_features(bars).astype(np.float32))


def test_no_start_names_the_file_its_bars_and_the_need(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars([(4004, 3996, 4000)] * 100)
    with refuses():
        prepare(bars, EnvConfig.phase1())


def test_a_configuration_that_could_overflow_is_refused(bars: Bars) -> None:
    with refuses():
        prepare(bars, CONFIG.override(contracts=10_000))


def test_a_feature_too_large_for_float32_is_named(bars: Bars) -> None:
    features = bars.frame.assign(
        **dict(zip(FEATURES, compute_features(bars).T, strict=True))
    )[list(FEATURES)]  # fmt: skip
    features.iloc[150, FEATURES.index("momentum")] = 1e300
    processed = Bars.from_frame(bars.frame, bars.contract, source="mine.csv", precomputed=features)
    with np.errstate(over="ignore"), refuses():
        prepare(processed, CONFIG)


def test_precomputed_features_drive_features_and_distances(bars: Bars) -> None:
    features = bars.frame.assign(**dict.fromkeys(FEATURES, 5.0))[list(FEATURES)]
    processed = Bars.from_frame(bars.frame, bars.contract, source="mine.csv", precomputed=features)
    market = prepare(processed, CONFIG)
    assert (market.features == 5.0).all()
    # An atr of 5 points is 20 ticks.
    assert (market.bars[:, STOP] == 30).all()
    assert (market.bars[:, TARGET] == 90).all()


# stack


def test_markets_lie_one_after_another() -> None:
    names = ("ES", "NQ", "RTY")
    days = (2, 3, 2)
    prepared = [
        prepare(synthetic_bars(name, days=count, seed=0), CONFIG)
        for name, count in zip(names, days, strict=True)
    ]
    market = stack(prepared)
    sizes = [len(one) for one in prepared]
    assert market.num_markets == 3
    assert market.first_bar.tolist() == [0, sizes[0], sizes[0] + sizes[1]]
    assert market.last_bar.tolist() == [sizes[0] - 1, sizes[0] + sizes[1] - 1, sum(sizes) - 1]
    assert market.tick_value.tolist() == [1250, 500, 500]
    assert market.slippage.tolist() == [1, 1, 2]
    assert market.commission.tolist() == [250, 250, 250]
    assert market.tick_size.tolist() == [[1, 4], [1, 4], [1, 10]]
    starts = np.asarray(market.starts)
    assert len(starts) == sum(len(one.starts) for one in prepared)
    for number, one in enumerate(prepared):
        first = int(market.first_bar[number])
        rows = slice(first, first + len(one))
        np.testing.assert_array_equal(market.features[rows], one.features)
        np.testing.assert_array_equal(market.bars[rows], one.bars)
        np.testing.assert_array_equal(starts[starts[:, 1] == number, 0], one.starts + first)
    assert market.nbytes == sum(leaf.nbytes for leaf in jax.tree.leaves(market))
    assert market.nbytes >= sum(sizes) * 11 * 4 + sum(sizes) * 8 * 4


def test_an_empty_stack_is_refused() -> None:
    with refuses():
        stack([])


def test_more_rows_than_can_be_counted_are_refused(bars: Bars) -> None:
    market = prepare(bars, CONFIG)
    # Broadcast views stand for long markets without their memory.
    long = replace(
        market,
        features=np.broadcast_to(market.features[:1], (2**23, 11)),
        bars=np.broadcast_to(market.bars[:1], (2**23, 8)),
    )
    with refuses():
        stack([long, long])


# cache


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count real computations, which a cache hit must not make."""
    calls: list[str] = []
    original = data_loader.prepare

    def counting(bars: Bars, config: EnvConfig) -> PreparedMarket:
        calls.append(bars.source)
        return original(bars, config)

    monkeypatch.setattr(data_loader, "prepare", counting)
    return calls


def test_a_cache_hit_is_the_fresh_market(
    csv: Path, cache: Path, bars: Bars, computed: list[str]
) -> None:
    es = get_contract("ES")
    fresh = load(csv, es, CONFIG, cache_dir=cache)
    hit = load(csv, es, CONFIG, cache_dir=cache)
    assert computed == ["bars.csv"]
    assert_same(hit, fresh)
    assert_same(replace(hit, source=bars.source), prepare(bars, CONFIG))
    assert [path.suffix for path in cache.iterdir()] == [".safetensors"]


def test_a_copy_of_the_file_hits_and_keeps_its_own_name(
    csv: Path, cache: Path, computed: list[str]
) -> None:
    load(csv, get_contract("ES"), CONFIG, cache_dir=cache)
    copy = csv.with_name("copy.csv")
    copy.write_bytes(csv.read_bytes())
    assert load(copy, get_contract("ES"), CONFIG, cache_dir=cache).source == "copy.csv"
    assert computed == ["bars.csv"]


def test_problems_that_were_accepted_are_named_by_what_the_cache_holds_too(
    bars: Bars, cache: Path, tmp_path: Path, computed: list[str]
) -> None:
    path = write_bars(bars, tmp_path / "NQ.csv")
    for _ in range(2):
        found = load(path, get_contract("ES"), CONFIG, cache_dir=cache, accept_problems=True)
        assert found.accepted == ("other_contract",)
        assert found.source == "NQ.csv, taken in spite of other_contract"
    assert computed == [found.source]


def truncate(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:1000])


def empty(entry: Path) -> None:
    entry.write_bytes(b"")


def flip_a_bit(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[-100] ^= 1
    entry.write_bytes(bytes(content))


def garbage(entry: Path) -> None:
    entry.write_bytes(b"\xff" * 5000)


def change_what_it_says(entry: Path) -> None:
    """A digit of the market's digest, which no number of its arrays has."""
    content = entry.read_bytes()
    at = content.index(b'"digest":"') + len(b'"digest":"')
    digit = b"1" if content[at : at + 1] != b"1" else b"2"
    entry.write_bytes(content[:at] + digit + content[at + 1 :])


@pytest.mark.parametrize("damage", [truncate, empty, flip_a_bit, change_what_it_says, garbage])
def test_a_damaged_entry_is_made_anew(
    csv: Path, cache: Path, computed: list[str], damage: Callable[[Path], None]
) -> None:
    es = get_contract("ES")
    fresh = load(csv, es, CONFIG, cache_dir=cache)
    (entry,) = cache.iterdir()
    damage(entry)
    assert_same(load(csv, es, CONFIG, cache_dir=cache), fresh)
    assert len(computed) == 2
    assert_same(load(csv, es, CONFIG, cache_dir=cache), fresh)
    assert len(computed) == 2


def test_another_configuration_is_another_entry(csv: Path, cache: Path, computed: list[str]) -> None:
    es = get_contract("ES")
    one = load(csv, es, CONFIG, cache_dir=cache)
    two = load(csv, es, CONFIG.override(sl_atr_mult=2.0), cache_dir=cache)
    assert (one.bars[100:, STOP] < two.bars[100:, STOP]).all()
    assert len(computed) == 2
    assert one.digest != two.digest


def test_another_contract_is_another_entry(csv: Path, cache: Path, computed: list[str]) -> None:
    es = get_contract("ES")
    load(csv, es, CONFIG, cache_dir=cache)
    costly = es.with_costs(slippage_ticks=4, commission_cents=999)
    two = load(csv, costly, CONFIG, cache_dir=cache)
    assert len(computed) == 2
    assert load(csv, costly, CONFIG, cache_dir=cache).contract == costly
    assert len(computed) == 2
    assert stack([two]).slippage.tolist() == [4]
    assert stack([two]).commission.tolist() == [999]


def test_a_changed_file_is_another_entry(csv: Path, cache: Path, computed: list[str]) -> None:
    es = get_contract("ES")
    one = load(csv, es, CONFIG, cache_dir=cache)
    lines = csv.read_text().splitlines()
    csv.write_text("\n".join(lines[:-1]) + "\n")
    two = load(csv, es, CONFIG, cache_dir=cache)
    assert len(two) == len(one) - 1
    assert len(computed) == 2


def test_another_reader_option_is_another_entry(csv: Path, cache: Path, computed: list[str]) -> None:
    es = get_contract("ES")
    load(csv, es, CONFIG, cache_dir=cache)
    load(csv, es, CONFIG, cache_dir=cache, snap=True)
    assert len(computed) == 2


def test_a_cache_that_cannot_be_written_only_costs_time(
    csv: Path, tmp_path: Path, bars: Bars, computed: list[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    es = get_contract("ES")
    for _ in range(2):
        assert_same(
            replace(load(csv, es, CONFIG, cache_dir=blocked), source=bars.source), prepare(bars, CONFIG)
        )
    assert len(computed) == 2


def test_the_cache_folder_can_be_set_by_the_environment(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "elsewhere"))
    load(csv, get_contract("ES"), CONFIG)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
    assert data_loader.default_cache_dir(tmp_path) == tmp_path
    monkeypatch.delenv("RLTRADER_CACHE")
    assert data_loader.default_cache_dir() == Path.home() / ".cache" / "rltrader"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with refuses():
        load(tmp_path / "nothing.csv", get_contract("ES"), CONFIG, cache_dir=tmp_path)


def copy_of_the_code(folder: Path) -> Path:
    for name in closure(PACKAGES_ROOT, ["jax_port.data.data_loader"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((PACKAGES_ROOT / name).read_bytes())
    return folder


@pytest.mark.costly
def test_a_change_in_any_file_it_imports_is_another_key(tmp_path: Path) -> None:
    root = copy_of_the_code(tmp_path)
    digest = data_loader._code_digest.__wrapped__
    before = digest(root)
    files = sorted(root.rglob("*.py"))
    assert {"data_loader.py", "features.py", "bars.py", "text.py"} <= {file.name for file in files}
    for file in files:
        source = file.read_bytes()
        file.write_bytes(source + b"\n# changed\n")
        assert digest(root) != before, file
        file.write_bytes(source)
    assert digest(root) == before


@pytest.mark.costly
def test_a_file_it_imports_that_is_renamed_is_an_error(tmp_path: Path) -> None:
    root = copy_of_the_code(tmp_path)
    for file in sorted(root.rglob("*.py")):
        moved = file.rename(file.with_name("renamed.py"))
        with pytest.raises(InputError, match="there is no such module"):
            data_loader._code_digest.__wrapped__(root)
        moved.rename(file)


@pytest.mark.skipif(not REAL.exists(), reason="no real bars at ../shared/data")
def test_real_bars(cache: Path) -> None:
    config = EnvConfig.phase1()
    fresh = load(REAL, get_contract("ES"), config, cache_dir=cache)
    assert_same(load(REAL, get_contract("ES"), config, cache_dir=cache), fresh)
    minute = fresh.bars[:, MINUTE]
    assert ((minute >= 570) & (minute <= 1019)).all()
    assert (fresh.bars[fresh.starts, MINUTE] < 960).all()
    assert (fresh.bars[100:, [STOP, TARGET]] >= 1).all()
    assert np.isfinite(fresh.features[100:]).all()
    points = fresh.bars[:, CLOSE].astype(np.float32) * np.float32(0.25)
    np.testing.assert_array_equal(points, fresh.features[:, 0])


def test_the_key_of_a_cached_market_has_all_that_it_is_read_with(csv: Path) -> None:
    es = get_contract("ES")
    same = data_loader._key(csv, es, CONFIG, {"timezone": "UTC", "snap": False})
    assert same == data_loader._key(csv, es, CONFIG, {"snap": False, "timezone": "UTC"})
    others = [
        data_loader._key(csv, es, CONFIG, {"timezone": "America/New_York", "snap": False}),
        data_loader._key(csv, es, CONFIG, {"timezone": "UTC", "snap": True}),
        data_loader._key(csv, es, CONFIG, {"timezone": "UTC"}),
        data_loader._key(
            csv, replace(es, tick_value_cents=1000), CONFIG, {"timezone": "UTC", "snap": False}
        ),
        data_loader._key(csv, es, CONFIG.override(window_size=7), {"timezone": "UTC", "snap": False}),
    ]
    assert len({same, *others}) == 1 + len(others)
