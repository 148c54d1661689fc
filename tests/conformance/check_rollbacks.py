#!/usr/bin/env python3
"""Rolls tables back by the program `roll_back`, and asks the Python package deltalake what it finds.

    cargo build --release --workspace --bins
    .ci/python lake tests/lake/requirements.txt
    .tools/lake/bin/python tests/conformance/check_rollbacks.py target/release/roll_back [DELTA]

deltalake writes tables of several histories, which are rolled back to each of their versions. Each time the new version must have
the files, statistics, schema, properties and rows of the old one, and those of deltalake's own restore; the versions before must be
as they were; a second rollback must find nothing to do; and deltalake must be able to append.
DELTA is a folder with tables.tar.gz, tables of the Delta projects: those that deltalake opens at two versions are rolled back too.
"""
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake

REFUSED = 3
findings = []


def finding(table, text):
    findings.append(f"{table}: {text}")
    print(f"FINDING {table}: {text}")


def rows(values, parts):
    return pa.table({"part": pa.array(parts, pa.string()), "value": pa.array(values, pa.int64())})


def partitioned(path):
    """Appends, deletes, an update, a compaction, an overwrite, odd partitions, a checkpoint in the middle."""
    odd = ["a b", "c%d", "e+f", "g/h:i", "j=k", "ä", None]
    write_deltalake(path, rows(range(7), odd), partition_by=["part"], name="odd", description="of 'parts'")
    for start in range(10, 40, 10):
        write_deltalake(path, rows(range(start, start + 4), ["x", "x", "y", "a b"]), mode="append")
    table = DeltaTable(path)
    table.delete("value = 11")
    table.update(updates={"value": "value + 100"}, predicate="part = 'y'")
    table.create_checkpoint()
    table.optimize.compact()
    table.delete("part = 'y'")
    write_deltalake(path, rows([50, 51], ["z", "ä"]), mode="append")
    write_deltalake(path, rows([80], ["z"]), mode="overwrite")


def schemas(path):
    """An overwrite with another schema and other partitions, columns that are added, properties and constraints."""
    write_deltalake(path, rows(range(5), list("abcde")), configuration={"delta.logRetentionDuration": "interval 9 days"})
    write_deltalake(path, rows(range(5, 9), list("abcd")), mode="append")
    other = pa.table({"day": pa.array([1, 2, 2], pa.int32()), "text": ["x", "y", "z"],
                      "more": pa.array([{"a": [1, 2], "m": [("k", 1.5)]}] * 3,
                                       pa.struct([("a", pa.list_(pa.int64())), ("m", pa.map_(pa.string(), pa.float64()))]))})
    write_deltalake(path, other, mode="overwrite", schema_mode="overwrite", partition_by=["day"])
    wider = pa.table({"day": pa.array([3], pa.int32()), "text": ["w"], "new": [7]})
    write_deltalake(path, wider, mode="append", schema_mode="merge")
    table = DeltaTable(path)
    table.create_checkpoint()
    table.alter.set_table_properties({"delta.checkpointInterval": "7"})
    table.alter.add_constraint({"days": "day > 0"})
    table.delete("day = 2")


def cleaned(path):
    """A log that begins with a checkpoint."""
    partitioned(path)
    log = Path(path) / "_delta_log"
    [checkpoint] = log.glob("*.checkpoint.parquet")
    for commit in log.glob("*.json"):
        if commit.name[:20] <= checkpoint.name[:20]:
            commit.unlink()


def merges(path):
    """Change data, merges, and a rollback of deltalake's own."""
    write_deltalake(path, rows(range(6), list("aabbcc")), configuration={"delta.enableChangeDataFeed": "true"})
    for start in (3, 5):
        source = rows(range(start, start + 4), ["m"] * 4)
        merge = DeltaTable(path).merge(source, "s.value = t.value", source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
    DeltaTable(path).restore(1)
    DeltaTable(path).delete()


def empty(path):
    """Nothing, then rows, then nothing."""
    DeltaTable.create(path, rows([], []).schema)
    write_deltalake(path, rows([1], ["a"]), mode="append")
    DeltaTable(path).delete()


TABLES = [partitioned, schemas, cleaned, merges, empty]


def state(path, version, with_rows=True):
    """What deltalake says of a version: files with all that is known of them, the table's metadata, rows in any order."""
    table = DeltaTable(str(path), version=version)
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    metadata = table.metadata()
    said = {
        "files": sorted(json.dumps(action, default=str, sort_keys=True) for action in actions),
        "schema": json.loads(table.schema().to_json()),
        "metadata": [metadata.id, metadata.name, metadata.description, metadata.partition_columns,
                     dict(metadata.configuration), metadata.created_time],
    }
    if with_rows:
        found = QueryBuilder().register("t", table).execute("select * from t")
        said["rows"] = sorted(json.dumps(row, default=str) for row in pa.table(found).to_pylist())
    return said


def differences(one, other):
    return [name for name in one if one[name] != other.get(name)]


def comparable(said):
    """Without what a rollback leaves alone by intent: when a file that was there all the time was written down last, how far
    identity columns have come, and the greatest column id."""
    said = json.loads(json.dumps(said, default=str))
    files = [{key: value for key, value in json.loads(file).items() if key != "modification_time"} for file in said["files"]]
    for field in said["schema"]["fields"]:
        field["metadata"].pop("delta.identity.highWaterMark", None)
    said["metadata"][4].pop("delta.columnMapping.maxColumnId", None)
    return said | {"files": files}


def roll_back(program, path, version):
    """What the program says; None when it refuses, with its reason."""
    ran = subprocess.run([program, str(path), str(version)], capture_output=True, text=True)
    if ran.returncode == REFUSED:
        return None, ran.stderr.strip()
    if ran.returncode != 0:
        sys.exit(f"roll_back {path} {version} ended with {ran.returncode}: {ran.stderr}")
    return json.loads(ran.stdout), None


def loadable(path, newest):
    versions = []
    for version in range(newest + 1):
        try:
            DeltaTable(str(path), version=version)
        except Exception:  # deltalake has no base class of its errors
            continue
        versions.append(version)
    return versions


def check_history(name, path, versions, before, newest):
    """Whether all versions are as they were, and the last one is called a restore."""
    for version in versions:
        changed = differences(before[version], state(path, version))
        if changed:
            finding(name, f"version {version} has other {changed} than before")
    operation = DeltaTable(str(path)).history(1)[0]
    if operation["operation"] != "RESTORE" or operation["version"] != newest:
        finding(name, f"history begins with {operation}")


def check_append(name, path, newest):
    """Whether deltalake can write to the table: a checkpoint, which changes nothing, and a row."""
    table = DeltaTable(str(path))
    before = state(path, newest)
    table.create_checkpoint()
    if differences(before, state(path, newest)):
        finding(name, "a checkpoint has something else")
    count = len(before["rows"])
    fields = pa.schema(table.schema().to_arrow())
    one = pa.table({field.name: pa.array([7 if pa.types.is_integer(field.type) else None], field.type) for field in fields},
                   schema=fields)
    write_deltalake(str(path), one, mode="append")
    if DeltaTable(str(path)).version() != newest + 1 or len(state(path, newest + 1)["rows"]) != count + 1:
        finding(name, "an append did not add its row")


def check_table(program, make, folder):
    original = folder / make.__name__
    make(str(original))
    newest = DeltaTable(str(original)).version()
    versions = loadable(original, newest)
    before = {version: state(original, version) for version in versions}
    for to in versions[:-1]:
        name, path = f"{make.__name__} to {to}", folder / f"{make.__name__}-{to}"
        shutil.copytree(original, path)
        said, refusal = roll_back(program, path, to)
        if refusal:
            finding(name, refusal)
            continue
        if said["version"] is None:
            if differences(before[to], before[newest]):
                finding(name, "nothing was said to be to do")
            continue
        if said["version"] != newest + 1 or DeltaTable(str(path)).version() != newest + 1:
            finding(name, f"made {said['version']} behind {newest}")
        now = state(path, newest + 1)
        if differences(before[to], now):
            finding(name, f"other {differences(before[to], now)}: {json.dumps([before[to], now])}")
        theirs = folder / f"{make.__name__}-{to}-theirs"
        shutil.copytree(original, theirs)
        DeltaTable(str(theirs)).restore(to)
        if differences(now, state(theirs, newest + 1)):
            finding(name, f"deltalake restores other {differences(now, state(theirs, newest + 1))}")
        check_history(name, path, versions, before, newest + 1)
        again, _ = roll_back(program, path, to)
        if again["version"] is not None:
            finding(name, f"a second rollback made {again}")
        check_append(name, path, newest + 1)
    print(f"{make.__name__}: rolled back to {len(versions) - 1} versions")


def state_or_refusal(path, version):
    """As far as deltalake reads it: deletion vectors and mapped columns keep it from rows."""
    for with_rows in (True, False):
        try:
            return state(path, version, with_rows), None
        except Exception as error:  # deltalake has no base class of its errors
            refusal = str(error).splitlines()[0]
    return None, refusal


def check_delta(program, delta, folder):
    with tarfile.open(delta / "tables.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    done, with_rows, refused, closed = 0, 0, {}, {}
    for table in sorted((folder / "tables").glob("*/table")):
        name = table.parent.name
        expect = json.loads((table.parent / "expect.json").read_text())
        newest = (expect["versions"] or [0])[-1]
        if newest not in expect["loadable"]:
            continue
        for to in [version for version in expect["loadable"] if version < newest][-4:]:
            before, refusal = state_or_refusal(table, to)
            last, last_refusal = state_or_refusal(table, newest)
            if refusal or last_refusal:
                closed.setdefault(refusal or last_refusal, []).append(name)
                continue
            if "rows" not in last:
                # The protocol is not lowered: what kept deltalake from the rows of the newest version still does.
                before.pop("rows", None)
            path = folder / "rolled" / f"{name}-{to}"
            shutil.copytree(table, path)
            said, refusal = roll_back(program, path, to)
            if refusal:
                refused.setdefault(refusal, []).append(name)
                continue
            now, refusal = state_or_refusal(path, said["version"] or newest)
            if refusal:
                finding(f"{name} to {to}", f"deltalake does not open it any more: {refusal}")
                continue
            changed = differences(comparable(before), comparable(now))
            if changed:
                finding(f"{name} to {to}", f"other {changed}")
            done, with_rows = done + 1, with_rows + ("rows" in now)
    for reason, names in sorted(closed.items()):
        print(f"deltalake does not open {len(names)}: {reason[:120]}: {', '.join(sorted(set(names)))}")
    for reason, names in sorted(refused.items()):
        print(f"refused {len(names)}: {reason}: {', '.join(sorted(set(names)))}")
    print(f"tables of the Delta projects: {done} rollbacks, rows compared in {with_rows} of them")
    if done == 0:
        finding(delta, "no table was rolled back")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        for make in TABLES:
            check_table(program, make, Path(folder))
    delta = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if delta and (delta / "tables.tar.gz").is_file():
        with tempfile.TemporaryDirectory() as folder:
            check_delta(program, delta, Path(folder))
    else:
        print("skipped: no folder with tables of the Delta projects was given")
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
