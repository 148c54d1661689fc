"""Polars with its streaming engine: the scan of an inventory and the counting of a report."""

import os

import peer

asked = peer.arguments()
# Read when the library is loaded.
os.environ["POLARS_MAX_THREADS"] = str(asked.threads)

import polars as pl  # noqa: E402

# There is no decoder of URLs. These are the escapes of ASCII; those of other letters stay as they are.
ESCAPES = {"+": " "} | {f"%{byte:02X}": chr(byte) for byte in range(0x20, 0x7F)}
# What follows a table in a key: a name that begins with `_` or holds `=`, or the last name, and all behind it.
BELOW = r"/(?:_|[^/=]*(?:=|$)).*"


def csv(files, columns, numbers=()):
    schema = {name: pl.UInt64 if name in numbers else pl.String for name in columns}
    return pl.scan_csv(files, has_header=False, schema=schema, glob=False)


def scan():
    files = peer.files_of(asked.folder, "files")
    decoded = pl.col("key").str.replace_many(list(ESCAPES), list(ESCAPES.values()))
    query = (
        csv(files, peer.SOURCE_COLUMNS, ["size"])
        .select(
            decoded.str.replace(BELOW, "").alias("table"),
            "storage_class",
            (pl.col("size") > peer.COPY_LIMIT).alias("large"),
            "size",
        )
        .group_by("table", "storage_class", "large")
        .agg(pl.len(), pl.col("size").sum())
    )
    work = lambda: peer.scan_answer(query.collect(engine="streaming").iter_rows())
    peer.measure(work, peer.size_of(files))


def report():
    files = peer.files_of(asked.folder, "Results")
    query = csv(files, peer.RESULT_COLUMNS).group_by("status", "code").agg(pl.len())
    work = lambda: peer.report_answer(query.collect(engine="streaming").iter_rows())
    peer.measure(work, peer.size_of(files))


if __name__ == "__main__":
    {"scan": scan, "report": report}[asked.task]()
