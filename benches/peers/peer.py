"""What the peers share: their arguments, the clock, and the line that they print."""

import argparse
import hashlib
import json
import pathlib
import time

SOURCE_COLUMNS = (
    "bucket key size last_modified etag storage_class multipart encryption tier".split()
)
RESULT_COLUMNS = "bucket key version status http_status code message".split()
COPY_LIMIT = 5_000_000_000
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def arguments():
    """The task, the folder of its data, and the threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task")
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def files_of(folder, member):
    """The files that the manifest names."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    names = [file.get("key") or file.get("Key") for file in manifest[member]]
    return [str(folder / name) for name in names]


def size_of(files):
    return sum(pathlib.Path(file).stat().st_size for file in files)


def measure(work, size):
    """Does the work, and prints what came of it: `work` gives rows and an answer."""
    began = time.perf_counter()
    rows, answer = work()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "rows": rows, "bytes": size, "answer": answer}))


def scan_answer(groups):
    """The answer of a scan, of rows of table, class, whether they are large, objects and bytes."""
    total, large, classes, tables = [0, 0], [0, 0], {}, {}
    for table, storage_class, is_large, rows, size in groups:
        sums = [total, classes.setdefault(storage_class, [0, 0]), tables.setdefault(table, [0, 0])]
        for into in sums + ([large] if is_large else []):
            into[0] += rows
            into[1] += int(size)
    amount = lambda pair: {"rows": pair[0], "bytes": pair[1]}
    answer = {
        "rows": total[0],
        "bytes": total[1],
        "large": amount(large),
        "archived": sum(pair[0] for name, pair in classes.items() if name in ARCHIVES),
        "classes": {name: amount(pair) for name, pair in classes.items()},
        "tables": {"number": len(tables), "md5": digest(tables)},
    }
    return total[0], answer


def digest(tables):
    """There may be thousands: their names, objects and bytes in one digest, in the order of the names."""
    lines = (f"{name}\t{rows}\t{size}\n" for name, (rows, size) in sorted(tables.items()))
    return hashlib.md5("".join(lines).encode()).hexdigest()


def report_answer(groups):
    """The answer of a report, of rows of status, code and how often."""
    codes = {}
    for status, code, rows in groups:
        name = f"{status} {code}" if code else status
        codes[name] = codes.get(name, 0) + rows
    rows = sum(codes.values())
    return rows, {"rows": rows, "codes": codes}
