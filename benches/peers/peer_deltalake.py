"""deltalake: opens a table and tests each of its files for presence in a set of names."""

import os

import peer

asked = peer.arguments()
# Read when the library is loaded.
os.environ["TOKIO_WORKER_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(asked.threads)

from deltalake import DeltaTable  # noqa: E402


def names_and_log():
    """What is listed, and the bytes of the log."""
    names, size = set(), 0
    with open(asked.folder / "listing.tsv", encoding="utf-8") as listing:
        for line in listing:
            key, _, length = line.rstrip("\n").partition("\t")
            names.add(key)
            if key.startswith("_delta_log/"):
                size += int(length)
    return names, size


def verdict():
    names, size = names_and_log()

    def work():
        table = DeltaTable(asked.folder)
        paths = table.get_add_actions(flatten=True).column("path").to_pylist()
        missing = sum(path not in names for path in paths)
        return len(paths), {"version": table.version(), "files": len(paths), "missing": missing}

    peer.measure(work, size)


if __name__ == "__main__":
    {"verdict": verdict}[asked.task]()
