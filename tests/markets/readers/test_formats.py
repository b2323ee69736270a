"""NinjaTrader, Databento, processed files and Parquet."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.errors import InputError
from markets import Bars, get_contract
from markets.bars import FEATURES
from markets.readers import detect_format, read_bars, read_frame
from markets.writers import write_bars
from tests.sentences import refuses

NINJA = "20250902 133100;6470.25;6472;6470;6471.5;120\n20250902 133200;6471.5;6471.75;6469.25;6470;88\n"
FIRST = pd.Timestamp("2025-09-02 13:30", tz="UTC")


class TestNinjaTrader:
    def test_stamps_are_utc_closes_and_become_opens(self, save):
        path = save(NINJA, "ES 09-25.Last.txt")
        assert detect_format(path) == "ninjatrader"
        frame = read_frame(path)
        assert list(frame.index) == [FIRST, FIRST + pd.Timedelta(minutes=1)]
        assert frame.index.name == "timestamp"
        assert frame.iloc[0].tolist() == [6470.25, 6472.0, 6470.0, 6471.5, 120.0]

    def test_another_zone_can_be_given(self, save):
        frame = read_frame(save(NINJA.replace(" 13", " 09")), timezone="America/New_York")
        assert frame.index[0] == FIRST

    @pytest.mark.parametrize(("stamped", "minutes"), [(None, 0), ("close", 0), ("open", 1)])
    def test_the_end_of_a_minute_can_be_given(self, save, stamped, minutes):
        frame = read_frame(save(NINJA), stamped=stamped)
        assert frame.index[0] == FIRST + pd.Timedelta(minutes=minutes)

    def test_it_holds_one_instrument_and_may_lie_in_a_zip(self, tmp_path, save):
        with pytest.raises(
            InputError, match="instrument 'ESU5' cannot be picked, since a file of this"
        ):
            read_frame(save(NINJA), instrument="ESU5")
        path = tmp_path / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/ES 09-25.Last.txt", NINJA)
        frame = read_frame(path, timezone="UTC")
        assert frame.equals(read_frame(save(NINJA)))
        file = frame.attrs["file"]
        assert (file.name, file.member) == ("export.zip", "ES 09-25.Last.txt")
        assert (file.stamps, file.timezone, file.contracts) == ("wall", "UTC", ())

    def test_the_last_minute_before_midnight_stays_on_its_day(self, save):
        frame = read_frame(save("20250903 000000;1;1;1;1;1\n"))
        assert frame.index[0] == pd.Timestamp("2025-09-02 23:59", tz="UTC")

    @pytest.mark.parametrize(
        "text",
        [
            "20250902 133100 0000000;6470.25;6470;6470.5;1\n",
            "20250902 133100;6470.25;1\n",
            "20250902 133100;6470.25;6471;1.5\n",
            NINJA + "20250902 133x00;1;1;1;1;1\n",
            NINJA + "20250902 133300;1;1;1\n",
            NINJA + "20250902 133300;6470,25;1;1;1;1\n",
            NINJA + "20250902 133330;1;1;1;1;1\n",
            "20250902;6470.25;6472;6470;6471.5;120\n",
        ],
        ids=["fraction", "tick", "ticks", "time", "fields", "comma", "half a minute", "day"],
    )
    def test_other_forms_are_refused(self, save, text):
        with refuses():
            read_bars(save(text), "ES")


DATABENTO_HEADER = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume"
NS = 1_756_819_800_000_000_000  # 2025-09-02 13:30 in UTC


def databento(*rows: str, symbol: bool = False) -> str:
    return "\n".join([DATABENTO_HEADER + (",symbol" if symbol else ""), *rows]) + "\n"


FIXED = f"{NS},33,1,5602,6470250000000,6472000000000,6470000000000,6471500000000,120"
DECIMAL = "2025-09-02T13:30:00.000000000Z,33,1,5602,6470.250000000,6472.000000000,6470,6471.5,120"


class TestDatabento:
    @pytest.mark.parametrize("row", [FIXED, DECIMAL, DECIMAL.replace("T", " ").replace("Z", "+00:00")])
    def test_fixed_point_and_decimal_are_the_same_bar(self, save, row):
        path = save(databento(row))
        assert detect_format(path) == "databento"
        frame = read_frame(path)
        assert frame.index[0] == FIRST
        assert frame.iloc[0].tolist() == [6470.25, 6472.0, 6470.0, 6471.5, 120.0]
        assert len(read_bars(path, "ES")) == 1

    def test_one_absurd_price_is_no_fixed_point(self, save):
        """The middle price tells, so that one bad print is found as such and scales nothing."""
        row = "2025-09-02T13:31:00.000000000Z,33,1,5602,44100,44102,44099,44101,7"
        bad = row.replace("13:31", "13:32").replace("44102", "99999999999")
        later = row.replace("13:31", "13:33")
        frame = read_frame(save(databento(row, bad, later)))
        assert frame["close"].tolist() == [44101.0] * 3
        assert frame["high"].tolist() == [44102.0, 99999999999.0, 44102.0]

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_one_price_that_is_not_there_scales_nothing_either(self, save, place):
        """Wherever it stands; nor does one that is absurd, the first of all among them."""
        rows = [FIXED.replace(str(NS), str(NS + 60 * 10**9 * at)) for at in range(3)]
        rows[place] = rows[place].replace("6472000000000", str(2**63 - 1))
        high = read_frame(save(databento(*rows)))["high"]
        assert high.dropna().tolist() == [6472.0] * 2
        shown = [f"{NS + 60 * 10**9 * at},33,1,5602,44100,44120,44090,44101,120" for at in range(3)]
        shown[place] = shown[place].replace("44120", "99999999999")
        high = read_frame(save(databento(*shown)))["high"].tolist()
        assert high == [99999999999.0 if at == place else 44120.0 for at in range(3)]

    def test_whole_prices_on_display_are_no_fixed_point(self, save):
        row = f"{NS},33,1,5602,44100,44120,44090,44101,120"
        assert read_frame(save(databento(row)))["close"].tolist() == [44101.0]

    def test_an_undefined_price_is_missing(self, save):
        frame = read_frame(save(databento(FIXED, FIXED.replace("6472000000000", str(2**63 - 1)))))
        assert frame["high"].iloc[0] == 6472.0
        assert np.isnan(frame["high"].iloc[1])

    def test_several_symbols_must_be_told_apart(self, save):
        later = FIXED.replace(str(NS), str(NS + 60_000_000_000)).replace("5602", "4916")
        path = save(databento(FIXED + ",ESU5", FIXED + ",ESZ5", later + ",ESZ5", symbol=True))
        with refuses():
            read_bars(path, "ES")
        assert len(read_bars(path, "ES", instrument="ESZ5")) == 2
        assert len(read_bars(path, "ES", instrument="ESU5")) == 1
        assert len(read_bars(path, "ES", instrument="4916")) == 1
        with refuses():
            read_bars(path, "ES", instrument="ESH6")

    def test_several_ids_without_symbols_too(self, save):
        path = save(databento(FIXED, FIXED.replace("5602", "4916")))
        with refuses():
            read_frame(path)

    def test_a_stray_quote_does_not_spill_over_the_message(self, save):
        path = save(databento(FIXED + ",ESU5", FIXED + ',"ESZ5', FIXED + ',ES"', symbol=True))
        with refuses():
            read_frame(path)

    def test_a_continuous_symbol_changes_its_id_at_the_roll(self, save):
        later = FIXED.replace(str(NS), str(NS + 60_000_000_000)).replace("5602", "4916")
        assert (
            len(read_bars(save(databento(FIXED + ",ES.c.0", later + ",ES.c.0", symbol=True)), "ES"))
            == 2
        )

    def test_the_line_is_that_of_the_file_after_a_choice(self, save):
        rows = (FIXED + ",ESU5", FIXED + ",ESZ5", DECIMAL.replace("6472.000000000", "x") + ",ESZ5")
        with refuses():
            read_frame(
                save(
                    databento(
                        *(row.replace(str(NS), "2025-09-02T13:30:00Z") for row in rows), symbol=True
                    )
                ),
                instrument="ESZ5",
            )

    @pytest.mark.parametrize(
        ("ids", "runs"),
        [([1, 1, 2, 2, 3], True), ([1, 2, 3], True), ([1, 2, 1], False), ([1, 1, 2, 1, 2], False)],
        ids=str,
    )
    def test_ids_that_follow_one_another_may_be_one_series(self, save, ids, runs):
        rows = [
            FIXED.replace(str(NS), str(NS + 60 * 10**9 * at)).replace("5602", str(one))
            for at, one in enumerate(ids)
        ]
        path = save(databento(*rows))
        with pytest.raises(InputError, match="follow one another" if runs else "pick one, for example"):
            read_frame(path)
        if not runs:
            with pytest.raises(InputError, match="no instrument 'all'"):
                read_frame(path, instrument="all")
        else:
            frame = read_frame(path, instrument="all")
            assert len(frame) == len(ids)
            turned = [at for at in range(1, len(ids)) if ids[at] != ids[at - 1]]
            file = frame.attrs["file"]
            assert (file.turns, file.turn_ns) == (
                len(turned),
                tuple(NS + 60 * 10**9 * at for at in turned),
            )
        assert read_frame(path, instrument="1").index.asi8.tolist() == [
            NS + 60 * 10**9 * at for at, one in enumerate(ids) if one == 1
        ]
        with pytest.raises(InputError, match="pick one"):  # the same ids, of which two overlap
            read_frame(save(databento(*rows, rows[-1].replace(f",{ids[-1]},", ",9,"))))

    @pytest.mark.parametrize(
        "text",
        [
            databento(FIXED.replace(",33,", ",34,")),
            databento(FIXED, FIXED.replace(",33,", ",32,")),
            databento(FIXED.replace(",33,", ",0,")),
            "ts_event,rtype,price\n1,0,5\n",
            databento(),
        ],
        ids=["hours", "two kinds", "no kind", "no prices", "no bars"],
    )
    def test_other_records_are_refused(self, save, text):
        with refuses():
            read_frame(save(text))


def processed_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return bars with nine feature columns that no computation would give."""
    table = frame.copy()
    for place, name in enumerate(FEATURES):
        if name not in table:
            table[name] = place + np.arange(len(table)) / 1000
    return table


class TestProcessed:
    @pytest.fixture
    def path(self, make_frame, save):
        return save(processed_frame(make_frame(days=1)).to_csv())

    def test_features_are_recomputed_unless_asked_for(self, path):
        assert detect_format(path) == "processed"
        assert read_bars(path, "ES").precomputed is None

    def test_features_are_taken_as_they_are_when_asked_for(self, path, make_frame):
        bars = read_bars(path, "ES", use_features=True)
        expected = processed_frame(make_frame(days=1))[list(FEATURES)]
        assert bars.precomputed is not None
        assert list(bars.precomputed.columns) == list(FEATURES)
        assert np.array_equal(bars.precomputed.to_numpy(), expected.to_numpy())
        assert bars.precomputed.index.equals(bars.frame.index)

    def test_close_and_volume_are_bar_and_feature_at_once(self, path):
        bars = read_bars(path, "ES", use_features=True)
        assert bars.precomputed is not None
        assert np.array_equal(bars.precomputed["close"], bars.frame["close"])
        assert np.array_equal(bars.precomputed["volume"], bars.frame["volume"])

    def test_a_hole_at_the_start_is_a_warm_up_and_a_later_one_is_refused(self, make_frame, save):
        table = processed_frame(make_frame(days=1))
        table.loc[table.index[:13], "rsi"] = np.nan
        assert read_bars(save(table.to_csv()), "ES", use_features=True).precomputed is not None
        table.loc[table.index[300], "rsi"] = np.nan
        with refuses():
            read_bars(save(table.to_csv()), "ES", use_features=True)

    def test_ten_features_are_no_processed_file(self, make_frame, save):
        path = save(processed_frame(make_frame(days=1)).drop(columns="atr").to_csv())
        assert detect_format(path) == "csv"
        with refuses():
            read_frame(path, format="processed")


class TestParquet:
    @pytest.mark.parametrize(
        "arrange",
        [
            pytest.param(lambda frame: frame, id="index"),
            pytest.param(lambda frame: frame.reset_index(), id="column"),
            pytest.param(lambda frame: frame.rename_axis(None), id="nameless index"),
            pytest.param(lambda frame: frame.rename(columns=str.title), id="capitals"),
            pytest.param(lambda frame: frame.tz_convert("America/Chicago"), id="another zone"),
            pytest.param(lambda frame: frame.tz_localize(None), id="no zone, so UTC"),
            pytest.param(lambda frame: frame.astype("float32"), id="float32"),
            pytest.param(
                lambda frame: frame.set_axis(frame.index.asi8 // 10**6).rename_axis("time"),
                id="milliseconds",
            ),
            pytest.param(
                lambda frame: frame.set_axis(frame.index.astype(str)).rename_axis("time"), id="text"
            ),
        ],
    )
    def test_every_accepted_form_gives_the_same_bars(self, make_frame, tmp_path, arrange):
        frame = make_frame(days=1)
        path = tmp_path / "bars.parquet"
        arrange(frame).to_parquet(path)
        assert detect_format(path) == "parquet"
        pd.testing.assert_frame_equal(read_frame(path), frame, check_freq=False)
        assert len(read_bars(path, "ES")) == 450

    def test_a_zone_for_wall_time(self, make_frame, tmp_path):
        frame = make_frame(days=1)
        path = tmp_path / "bars.parquet"
        frame.tz_convert("America/New_York").tz_localize(None).to_parquet(path)
        assert read_frame(path, timezone="America/New_York").index.equals(frame.index)

    @pytest.mark.parametrize("name", [None, "timestamp", "Bar_Time", "when", "date"])
    def test_a_zone_for_an_index_of_wall_times(self, make_frame, tmp_path, name):
        """Whatever it is called; one of dates beside it does not count."""
        frame = make_frame(days=1)
        path = tmp_path / "bars.parquet"
        local = frame.tz_convert("America/New_York").tz_localize(None).rename_axis(name)
        if name != "date":
            local = local.assign(date="2025-01-06")
        local.to_parquet(path)
        found = read_frame(path, timezone="America/New_York")
        assert found.index.equals(frame.index)
        assert found.attrs["file"].stamps == "wall"
        assert found.attrs["file"].timezone == "America/New_York"

    def test_features_come_along(self, make_frame, tmp_path):
        path = tmp_path / "bars.parquet"
        processed_frame(make_frame(days=1)).to_parquet(path)
        assert read_bars(path, "ES").precomputed is None
        assert read_bars(path, "ES", use_features=True).precomputed is not None

    def test_what_is_wrong_is_said(self, make_frame, tmp_path):
        frame = make_frame(days=1)
        path = tmp_path / "bars.parquet"

        def refused(*varies: str) -> None:
            with refuses(*varies):
                read_bars(path, "ES")

        frame.drop(columns="low").to_parquet(path)
        refused()
        frame.reset_index(drop=True).to_parquet(path)
        refused()
        frame.iloc[:0].to_parquet(path)
        refused()
        frame.assign(close=[*["6000"] * 9, "x", *["6000"] * 440]).to_parquet(path)
        refused()
        whole = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pandas(frame), whole)
        path.write_bytes(whole.getvalue().to_pybytes()[:-100])
        refused(r"(?<=Parquet \().*(?=\);)")

    @pytest.mark.parametrize("compression", ["none", "zstd"])
    def test_a_damaged_page_of_prices_is_refused(self, make_frame, tmp_path, compression):
        """Where the file has sums of its pages, as those that are written here have."""
        frame = make_frame(days=1).iloc[:40]
        frame["volume"] = np.random.default_rng(0).random(40)
        path = tmp_path / "bars.parquet"
        if compression == "zstd":
            write_bars(Bars.from_frame(frame, get_contract("ES"), source="made"), path)
        else:
            table = pa.Table.from_pandas(frame)
            pq.write_table(
                table, path, use_dictionary=False, compression="none", write_page_checksum=True
            )
        whole = path.read_bytes()
        places = []
        group = pq.read_metadata(path).row_group(0)
        for number in range(group.num_columns):
            column = group.column(number)
            # A chunk ends with the values of its last page.
            end = column.data_page_offset + column.total_compressed_size
            if column.has_dictionary_page:
                end = column.dictionary_page_offset + column.total_compressed_size
            places += [end - back for back in (1, 4, 9)]
        for at in places:
            damaged = bytearray(whole)
            damaged[at] ^= 0x10
            path.write_bytes(bytes(damaged))
            with pytest.raises(InputError, match="cannot be read as Parquet"):
                read_frame(path)
        assert len(places) == 18


def test_cells_of_databento_that_are_empty(save, tmp_path):
    """Symbols of no row leave it to the ids; a price is missing, and a kind says nothing."""
    later = FIXED.replace(str(NS), str(NS + 60 * 10**9)).replace("6472000000000", "")
    no_kind = FIXED.replace(str(NS), str(NS + 120 * 10**9)).replace(",33,", ",,")
    text = databento(*(row + "," for row in (FIXED, later, no_kind)), symbol=True)
    frame = read_frame(save(text))
    assert frame["high"].iloc[[0, 2]].tolist() == [6472.0, 6472.0]
    assert np.isnan(frame["high"].iloc[1])
    assert frame["low"].tolist() == [6470.0] * 3
    other = databento(FIXED + ",", later.replace("5602", "4916") + ",", symbol=True)
    with pytest.raises(InputError, match="2 instrument ids that follow one another"):
        read_frame(save(other))
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/ESU5.csv", databento(FIXED + ",ESU5", later + ",ESU5", symbol=True))
    file = read_frame(path, timezone="Asia/Tokyo").attrs["file"]
    assert (file.member, file.contracts, file.turns) == ("ESU5.csv", ("ESU5",), 0)
    assert (file.stamps, file.timezone, file.name) == ("epoch", None, "two.zip")
    wall = databento(FIXED.replace(str(NS), "2025-09-02 09:30:00"))
    frame = read_frame(save(wall), timezone="America/New_York")
    assert frame.index.tolist() == [FIRST]
    assert frame.attrs["file"].timezone == "America/New_York"
