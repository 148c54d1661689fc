#!/usr/bin/env python3
"""Compares `levee verify` with an independent reader, and with worked-out answers where they are at hand.

    check_tables.py LEVEE LAKE [DELTA]

LEVEE is the command, LAKE the archive of the sample warehouse, DELTA a folder with tables.tar.gz, torn/*.json and apply.py (its
README says what they are). Every table that is called whole is opened by the Python package deltalake at that version and must have
the same data files there; one that is torn must lack at least one of the files that deltalake lists, or not open. Whether a table opens
where it is must be what deltalake finds that is pointed at it.
"""
import json
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
from pathlib import Path

from deltalake import DeltaTable

ANSWERS = ["newest_whole_version", "missing", "self_contained"]
# deltalake reads no metadata that leaves out fields which it takes for required.
REFUSED_BY_DELTALAKE_ALONE = {"whilst decoding field 'metaData'"}
findings = []


def finding(table, text):
    findings.append(f"{table}: {text}")
    print(f"FINDING {table}: {text}")


def verify(levee, folder, *arguments):
    """What `levee verify` says of a folder, by the tables' paths."""
    ran = subprocess.run([levee, "verify", str(folder), "--json", "--files", *arguments], capture_output=True, text=True)
    if ran.returncode not in (0, 1):
        sys.exit(f"levee verify {folder} ended with {ran.returncode}: {ran.stderr}")
    said = json.loads(ran.stdout)
    good = all(table["verdict"] in ("whole", "catalog_managed") for table in said["tables"])
    if good != (ran.returncode == 0):
        finding(folder, f"exit code {ran.returncode}, and {said['verdicts']}")
    return {table["path"]: table for table in said["tables"]}


def read(folder, version):
    """The data files that deltalake lists, as keys below the folder; None when it refuses, with its reason."""
    try:
        actions = DeltaTable(str(folder), version=version).get_add_actions(flatten=True)
    except Exception as refusal:  # deltalake has no base class of its errors
        return None, str(refusal).splitlines()[0]
    return sorted(urllib.parse.unquote(path) for path in actions.column("path").to_pylist()), None


def compare_in_place(folder, table):
    """Whether deltalake gets the newest whole version, where `opens_in_place` says so, and does not, where it does not."""
    says, expected = table["opens_in_place"], table["newest_whole_version"]
    try:
        version, refusal = DeltaTable(str(folder / table["path"])).version(), None
    except Exception as refused:
        version, refusal = None, str(refused).splitlines()[0]
    opens = version is not None and version == expected
    alone = refusal is not None and any(reason in refusal for reason in REFUSED_BY_DELTALAKE_ALONE)
    if says["yes"] != opens and not alone:
        finding(table["path"], f"opens_in_place is {says}, deltalake gets version {version} ({refusal})")


def compare_with_deltalake(folder, table, refusals):
    """Whether deltalake agrees; refusals are collected by reason."""
    path, version = table["path"], table["newest_whole_version"]
    root = folder / path
    if version is not None:
        files, refusal = read(root, version)
        if refusal:
            # A reader that is pointed at the root begins with a broken hint or checkpoint; a restore leaves those out.
            refusals.setdefault(refusal[:90], []).append(path)
        elif files != sorted(table["files"]):
            ours = set(table["files"])
            finding(path, f"version {version} has other files: {sorted(set(files) ^ ours)[:5]}")
    loadable = table["latest_loadable_version"]
    if table["verdict"] in ("behind", "torn") and loadable is not None and loadable != version:
        files, refusal = read(root, loadable)
        short = {missing["path"] for missing in table["missing"]}
        if files is not None and not short and all((root / file).is_file() for file in files):
            finding(path, f"is {table['verdict']}, but deltalake has every file of version {loadable}")


def compare_with_answer(path, table, expect):
    """Whether the worked-out answer is given."""
    expected = dict(zip(ANSWERS, [expect["newest_whole"], expect["missing_at_latest"], expect["self_contained"]]))
    for name, answer in expected.items():
        said = table[name]
        if name == "missing":
            order = lambda missing: (missing["path"], missing["why"])
            said, answer = sorted(said, key=order), sorted(answer, key=order)
        if said != answer:
            finding(path, f"{name} is {said}, expected {answer}")


def check_lake(levee, archive, folder):
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    refusals, tables = {}, verify(levee, folder)
    for table in tables.values():
        if table["verdict"] != "whole":
            finding(table["path"], f"is {table['verdict']}")
        compare_with_deltalake(folder, table, refusals)
        compare_in_place(folder, table)
    for refusal, paths in refusals.items():
        finding(", ".join(paths), f"deltalake refuses it: {refusal}")
    print(f"sample warehouse: {len(tables)} tables")


def check_delta(levee, delta, folder):
    with tarfile.open(delta / "tables.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    expected = {}
    for answer in sorted((folder / "tables").glob("*/expect.json")):
        expected[f"tables/{answer.parent.name}/table"] = json.loads(answer.read_text())
    for recipe in sorted((delta / "torn").glob("*.json")):
        path = f"torn/{recipe.stem}"
        subprocess.run([sys.executable, delta / "apply.py", recipe, folder / path, folder / "tables"], check=True)
        expected[path] = json.loads(recipe.read_text())["expect"]
    tables, refusals = verify(levee, folder), {}
    for path, expect in expected.items():
        if path not in tables:
            if expect["versions"] is not None:
                finding(path, "was not found")
            continue
        compare_with_answer(path, tables[path], expect)
        compare_with_deltalake(folder, tables[path], refusals)
        compare_in_place(folder, tables[path])
    for refusal, paths in sorted(refusals.items()):
        print(f"deltalake refuses {len(paths)}: {refusal}: {', '.join(paths)}")
    print(f"tables with worked-out answers: {len(expected)}, {sum(map(len, refusals.values()))} of them refused by deltalake")


def main():
    levee, archive = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        check_lake(levee, archive, Path(folder))
    if len(sys.argv) > 3:
        with tempfile.TemporaryDirectory() as folder:
            check_delta(levee, Path(sys.argv[3]), Path(folder))
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
