"""DuckDB: the scan of an inventory, the planning with a manifest, and the counting of a report."""

import tempfile

import duckdb

import peer

DECODED = "url_decode(replace(key, '+', ' '))"
# The folder of the key up to the first of its names that begins with `_` or holds `=`; else its folder. This takes half
# of the time of a regular expression.
TABLE = """CASE WHEN own > 0 AND (value = 0 OR own < value) THEN left(decoded, own - 1)
    ELSE parse_dirpath(CASE WHEN value > 0 THEN left(decoded, value) ELSE decoded END, 'forward_slash') END"""


def connect(threads):
    database = duckdb.connect(config={"threads": threads})
    database.execute("SET preserve_insertion_order = false")
    return database


def csv(files, columns, numbers=(), options=""):
    types = ", ".join(f"'{name}': '{'UBIGINT' if name in numbers else 'VARCHAR'}'" for name in columns)
    names = ", ".join(f"'{file}'" for file in files)
    return (
        f"read_csv([{names}], auto_detect = false, header = false, delim = ',', quote = '\"', "
        f"escape = '\"', columns = {{{types}}}{options})"
    )


def scan(folder, threads):
    files = peer.files_of(folder, "files")
    database = connect(threads)
    source = csv(files, peer.SOURCE_COLUMNS, ["size"], ", compression = 'gzip'")
    query = f"""
        SELECT {TABLE} AS table_, storage_class, size > {peer.COPY_LIMIT} AS large, count(*), sum(size)
        FROM (
            SELECT *, strpos(decoded, '/_') AS own, strpos(decoded, '=') AS value
            FROM (SELECT {DECODED} AS decoded, storage_class, size FROM {source})
        ) GROUP BY ALL"""
    peer.measure(lambda: peer.scan_answer(database.execute(query).fetchall()), peer.size_of(files))


def plan(folder, threads):
    files = peer.files_of(folder, "files")
    database = connect(threads)
    source = csv(files, peer.SOURCE_COLUMNS, ["size"], ", compression = 'gzip'")

    def work():
        with tempfile.TemporaryDirectory(dir=folder.parent) as out:
            query = f"""
                COPY (
                    SELECT bucket, key, size, etag FROM {source}
                    WHERE NOT contains(key, '/_tmp/') AND encryption <> 'SSE-C' AND size <= {peer.COPY_LIMIT}
                    AND storage_class NOT IN ('GLACIER', 'DEEP_ARCHIVE')
                    AND NOT (storage_class = 'INTELLIGENT_TIERING' AND tier IN ('ARCHIVE', 'DEEP_ARCHIVE'))
                ) TO '{out}/data' (FORMAT csv, HEADER false, COMPRESSION gzip, PER_THREAD_OUTPUT true)"""
            rows = database.execute(query).fetchone()[0]
            return rows, {"batch_rows": rows}

    peer.measure(work, peer.size_of(files))


def report(folder, threads):
    files = peer.files_of(folder, "Results")
    database = connect(threads)
    query = f"SELECT status, code, count(*) FROM {csv(files, peer.RESULT_COLUMNS)} GROUP BY ALL"
    peer.measure(lambda: peer.report_answer(database.execute(query).fetchall()), peer.size_of(files))


if __name__ == "__main__":
    asked = peer.arguments()
    {"scan": scan, "plan": plan, "report": report}[asked.task](asked.folder, asked.threads)
