"""ClickHouse (PyPI chdb) over one Parquet file of (event_time, event_id).

    clickhouse.py EVENTS.parquet FOLDER FROM_MS TO_MS K RUNS

Prints one line of JSON: {version, exact: {ms, rows}, merged: {ms, ids, states}}: the exact top k
of a MergeTree ordered by time, and the merge of one topK state a minute, an hour where the range
is whole hours; each the median of RUNS.
"""
import json
import statistics
import sys
import time

from chdb import session

events, folder, first, end, k, runs = sys.argv[1:]
database = session.Session(folder)


def ask(sql):
    return json.loads(str(database.query(sql, "JSONCompact")))["data"]


def timed(sql):
    ask(sql)
    samples = []
    for _ in range(int(runs)):
        started = time.perf_counter()
        rows = ask(sql)
        samples.append((time.perf_counter() - started) * 1000)
    return statistics.median(samples), rows


def moment(ms):
    return f"fromUnixTimestamp64Milli({ms}, 'UTC')"


is_whole_hours = int(first) % 3_600_000 == 0 and int(end) % 3_600_000 == 0
part = "toStartOfHour" if is_whole_hours else "toStartOfMinute"

database.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
database.query(
    "CREATE TABLE bench.events (time DateTime64(3, 'UTC'), id String) "
    "ENGINE = MergeTree ORDER BY time"
)
database.query(f"INSERT INTO bench.events SELECT event_time, event_id FROM file('{events}')")
database.query(
    "CREATE TABLE bench.parts (start DateTime('UTC'), "
    f"top AggregateFunction(topK({k}, 3, 'counts'), String)) "
    "ENGINE = AggregatingMergeTree ORDER BY start"
)
database.query(
    f"INSERT INTO bench.parts SELECT {part}(time) AS start, "
    f"topKState({k}, 3, 'counts')(id) FROM bench.events GROUP BY start"
)
between = f">= {moment(first)} AND %s < {moment(end)}"
exact_ms, exact = timed(
    f"SELECT id, count() AS events FROM bench.events WHERE time {between % 'time'} "
    f"GROUP BY id ORDER BY events DESC, id LIMIT {k}"
)
merged_ms, merged = timed(
    f"SELECT topKMerge({k}, 3, 'counts')(top) FROM bench.parts "
    f"WHERE start {between % 'start'}"
)
print(
    json.dumps(
        {
            "version": ask("SELECT version()")[0][0],
            "exact": {"ms": exact_ms, "rows": [[id, int(n)] for id, n in exact]},
            "merged": {
                "ms": merged_ms,
                "ids": [row["item"] for row in merged[0][0]],
                "states": int(ask("SELECT count() FROM bench.parts")[0][0]),
            },
        }
    )
)
