"""Frequent items by DataSketches (PyPI datasketches) or ClickHouse (PyPI chdb).

    frequent_items.py datasketches IDS LOG2_MAP
    frequent_items.py clickhouse IDS K LOAD_FACTOR

IDS is a file of ids, one a line. Prints {"us": …, "memoryBytes": …, "outside": …} and then a line
for each item: estimate, lower and upper bound and id, by tabs. datasketches is C++, called once an
id from Python.
"""
import json
import sys
import time

kind, path, *numbers = sys.argv[1:]
# Key, count and state of a slot; a std::string of up to 15 bytes takes 32.
SLOT_BYTES = 32 + 8 + 2
# Counter with its text, slot of the index, alpha cells: 8 bytes each, some 8 a counter.
COUNTER_BYTES = 48 + 16 + 32 + 64


def with_datasketches(log2):
    import datasketches
    from importlib.metadata import version

    with open(path, encoding="utf8") as file:
        ids = file.read().split("\n")[:-1]
    sketch = datasketches.frequent_strings_sketch(log2)
    update = sketch.update
    started = time.perf_counter()
    for id in ids:
        update(id)
    us = (time.perf_counter() - started) * 1e6 / len(ids)
    started = time.perf_counter()
    for id in ids:
        pass
    us -= (time.perf_counter() - started) * 1e6 / len(ids)
    kinds = datasketches.frequent_items_error_type
    rows = sketch.get_frequent_items(kinds.NO_FALSE_NEGATIVES, 0)
    outside = max((upper - lower for _, _, lower, upper in rows), default=0)
    head = {"us": us, "memoryBytes": SLOT_BYTES << log2, "outside": outside}
    return {**head, "version": version("datasketches")}, [
        (estimate, lower, upper, id) for id, estimate, lower, upper in rows
    ]


def with_clickhouse(k, load_factor):
    from chdb import session

    database = session.Session()

    def ask(sql):
        return json.loads(str(database.query(sql, "JSONCompact")))["data"]

    database.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    database.query("CREATE TABLE bench.ids (id String) ENGINE = Memory")
    database.query(f"INSERT INTO bench.ids SELECT line FROM file('{path}', LineAsString)")
    top = f"SELECT topK({k}, {load_factor}, 'counts')(id) FROM bench.ids SETTINGS max_threads = 1"
    ask(top)
    started = time.perf_counter()
    [[found]] = ask(top)
    us = (time.perf_counter() - started) * 1e6
    [[n]] = ask("SELECT count() FROM bench.ids")
    head = {"us": us / int(n), "memoryBytes": k * load_factor * COUNTER_BYTES}
    rows = []
    for row in found:
        count, error = int(row["count"]), int(row["error"])
        rows.append((count, count - error, count, row["item"]))
    return {**head, "version": ask("SELECT version()")[0][0]}, rows


make = {"datasketches": with_datasketches, "clickhouse": with_clickhouse}[kind]
head, rows = make(*map(int, numbers))
print(json.dumps(head))
for row in rows:
    print(*row, sep="\t")
