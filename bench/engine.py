#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""The engine beside LMDB, SQLite, RocksDB and Berkeley DB: make bench-engine.

Each workload is run ROUNDS times (default 10); in a round every store runs it once, on the same disk, in turns that
shift by one each round. Of each pair of runs in a round (ours, the rival's) the ratio is taken; `ratio` is their
geometric mean, `low95` the lower bound of it with 95 % confidence (Student's t on the logarithms), and a line is met
if low95 is at least 0.95 of the target. Where the target names the best rival, that is the one with the highest median.

Environment: ROUNDS=n, QUICK=1 (3 rounds, small sizes: shows that it works, proves nothing), DIR=directory to work in
(default build/bench/data), ONLY=name,... (workloads), SECS=seconds a timed run takes, KEYS=number of keys,
HOT_OPS=operations on hot keys. `make bench-engine` without any of them is what the targets are for.
"""

import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "build/bench")
PROGRAM = os.path.join(OUT, "engine")
QUICK = os.environ.get("QUICK") == "1"
ROUNDS = int(os.environ.get("ROUNDS") or (3 if QUICK else 10))
SECS = float(os.environ.get("SECS") or (0.5 if QUICK else 2))
DIR = os.environ.get("DIR") or os.path.join(OUT, "data")
ONLY = [w for w in os.environ.get("ONLY", "").split(",") if w]
KEYS = int(os.environ.get("KEYS") or (100_000 if QUICK else 1_000_000))
HOT_OPS = int(os.environ.get("HOT_OPS") or (2_000 if QUICK else 50_000))
T95 = {2: 6.31, 3: 2.92, 4: 2.35, 5: 2.13, 6: 2.02, 7: 1.94, 8: 1.89, 9: 1.86, 10: 1.83, 12: 1.80, 15: 1.76, 20: 1.73}

ALL = ("lmdb", "sqlite", "rocksdb", "bdb")


def work(name, what, loss, threads, secs, n, rivals, target, best=False):
    """rivals: {store: loss class it runs with}; target: {store: factor}, or one factor for the best."""
    return {"name": name, "what": what, "loss": loss, "threads": threads, "secs": secs, "n": n, "rivals": rivals,
            "target": target, "best": best}


def durable(*names):
    return {name: "none" for name in names}


def workloads():
    lost = {"rocksdb": "process", "bdb": "process"}  # lose with the process what ours loses
    kept = {"lmdb": "power", "sqlite": "power"}  # survive SIGKILL: shown, not compared
    reads = {"lmdb": "power", "sqlite": "power", "rocksdb": "power", "bdb": "power"}
    yield work("put_sync_1", "put", "none", 1, SECS, 0, durable(*ALL), 1.0, best=True)
    yield work("put_sync_200", "put", "none", 200, SECS, 0, durable(*ALL), {"rocksdb": 1.0})
    for t in (1, 2):
        yield work(f"put_nosync_{t}", "put", "process", t, SECS, 0, lost | kept, 1.5, best=True)
    yield work("load", "load", "process", 1, 0, KEYS, {"lmdb": "power", "rocksdb": "process", "bdb": "process",
                                                       "sqlite": "power"}, {"lmdb": 1.0})
    for t in (1, 2):
        yield work(f"get_{t}", "get", "process", t, SECS, KEYS, reads, {"lmdb": 1.0})
    yield work("scan", "scan", "process", 1, SECS, KEYS, reads, {"lmdb": 0.7})
    for n in (1, 2, 8):
        yield work(f"hot_{n}", "hot", "process", 200, HOT_OPS, n, {"bdb": "process"}, {"bdb": 1.0})
    yield work("transfer", "transfer", "process", 200, HOT_OPS, 8, {"bdb": "process"}, {"bdb": 1.0})


def run(store, what, loss, threads, secs, n, directory, env=None):
    args = [PROGRAM, store, what, directory, loss, str(threads), str(secs), str(n)]
    done = subprocess.run(args, capture_output=True, text=True, timeout=1800, env={**os.environ, **(env or {})},
                          check=False)
    if done.returncode != 0:
        sys.exit(f"bench-engine: {' '.join(args)}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def fresh(store):
    path = os.path.join(DIR, store)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def one(w, store, loss, filled):
    if w["what"] not in ("get", "scan"):
        result = run(store, w["what"], loss, w["threads"], w["secs"], w["n"], fresh(store))
        shutil.rmtree(os.path.join(DIR, store))
        return result
    path = os.path.join(DIR, "filled-" + store)
    if store not in filled:
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        run(store, "fill", loss, 1, 0, w["n"], path)
        filled.add(store)
    return run(store, w["what"], loss, w["threads"], w["secs"], w["n"], path)


def compare(ours, theirs):
    logs = [math.log(a / b) for a, b in zip(ours, theirs)]
    mean = statistics.mean(logs)
    if len(logs) < 2:
        return math.exp(mean), 0.0
    t = T95[max(k for k in T95 if k <= len(logs))]
    return math.exp(mean), math.exp(mean - t * statistics.stdev(logs) / math.sqrt(len(logs)))


def commits_per_flush(runs):
    flushes = sum(r["flushes"] for r in runs)
    return sum(r["ops"] for r in runs) / flushes if flushes else None


def judge(w, results):
    """Lines of the report for one workload: one a rival."""
    ours = [r["rate"] for r in results["dbfs"]]
    medians = {s: statistics.median(r["rate"] for r in runs) for s, runs in results.items()}
    same = [s for s in w["rivals"] if w["rivals"][s] == w["loss"] or w["what"] in ("get", "scan")]
    best = max(same, key=lambda s: medians[s]) if same and w["best"] else None
    for rival in w["rivals"]:
        ratio, low = compare(ours, [r["rate"] for r in results[rival]])
        target = w["target"] if rival == best else None
        if not w["best"]:
            target = w["target"].get(rival)
        yield {"workload": w["name"], "ours": round(medians["dbfs"], 1), "rival": round(medians[rival], 1),
               "rival_name": rival, "ratio": round(ratio, 3), "low95": round(low, 3), "target": target,
               "met": None if target is None else low >= 0.95 * target,
               "rounds": len(ours), "spread": [round(min(ours), 1), round(max(ours), 1)],
               "commits_per_flush": commits_per_flush(results["dbfs"]),
               "rival_commits_per_flush": commits_per_flush(results[rival]),
               "loss": w["loss"], "rival_loss": w["rivals"][rival],
               **{k: statistics.median(r[k] for r in results["dbfs"]) for k in ("restarts", "p50", "p99", "p999")
                  if k in results["dbfs"][0]},
               **{"rival_" + k: statistics.median(r[k] for r in results[rival]) for k in ("restarts", "p50", "p99", "p999")
                  if k in results[rival][0]}}


def recovery():
    for mib in (1, 16) if QUICK else (1, 16, 64, 256):
        for kind, loss in (("4 KiB", "process"), ("150 B", "none")):
            times = [run("dbfs", "recovery", loss, 1, 0, mib, fresh("dbfs"))["rate"] for _ in range(3)]
            target = 100 if (mib, kind) == (64, "4 KiB") else None
            ms = statistics.median(times)
            yield {"workload": f"recovery_{mib}MiB_{kind.replace(' ', '')}", "ours": round(ms, 2), "rival": None,
                   "rival_name": None, "ratio": None, "low95": None, "target": target,
                   "met": None if target is None else max(times) <= target, "unit": "ms",
                   "spread": [round(min(times), 2), round(max(times), 2)]}


def large():
    """10 M keys through a cache of 64 MiB."""
    path = fresh("large")
    env = {"BENCH_CACHE_MIB": "64"}
    run("dbfs", "fill", "process", 1, 0, 10_000_000, path, env)
    r = run("dbfs", "get", "process", 1, 10, 10_000_000, path, env)
    shutil.rmtree(path)
    yield {"workload": "large_10M", "ours": r["rate"], "rival": None, "rival_name": None, "ratio": None, "low95": None,
           "target": 192, "met": r["rss"] / 1024 <= 192, "rss_mib": round(r["rss"] / 1024, 1), "unit": "get/s"}


def show(line):
    per_flush = line.get("commits_per_flush")
    text = f"{line['workload']:22} {line['ours']:>12,.1f}"
    if line["rival_name"]:
        text += f" {line['rival_name']:8} {line['rival']:>12,.1f}  x{line['ratio']:.2f} (low {line['low95']:.2f})"
        if line["loss"] != line["rival_loss"] and line["target"] is None:
            text += f"  other loss class: {line['rival_loss']}"
    if per_flush and line["workload"].startswith("put_sync"):
        text += f"  commits/flush {per_flush:.1f} : {line['rival_commits_per_flush']:.1f}"
    if "p99" in line:
        text += f"  p50/p99/p99.9 us {line['p50']:.0f}/{line['p99']:.0f}/{line['p999']:.0f}"
        text += f" restarts {line['restarts']:.4f}"
    if "unit" in line:
        text += f" {line['unit']}"
    if "rss_mib" in line:
        text += f", {line['rss_mib']} MiB resident"
    if line["target"] is not None:
        text += f"  target {line['target']}: {'met' if line['met'] else 'MISSED'}"
    print(text, flush=True)


def plot(lines):
    if not shutil.which("gnuplot"):
        print("bench-engine: no gnuplot, no plot")
        return
    rows = [r for r in lines if r["rival_name"] and r["ratio"]]
    data = os.path.join(OUT, "engine.dat")
    with open(data, "w", encoding="ascii") as f:
        for i, r in enumerate(rows):
            name = re.sub("_", " ", r["workload"]) + " / " + r["rival_name"]
            f.write(f'{i} "{name}" {r["ratio"]} {r["low95"] or r["ratio"]} {r["target"] or "nan"}\n')
    script = f"""
set terminal svg size 1100,{120 + 22 * len(rows)} dynamic font "sans,12"
set output "{OUT}/engine.svg"
set title "DBFS against others: ratio of rates, lower 95 % bound, target"
set logscale x
set grid x
set yrange [-1:{len(rows)}] reverse
set arrow from 1,graph 0 to 1,graph 1 nohead
plot "{data}" using 3:1:ytic(2) with points pt 7 title "ratio", "" using 4:1 with points pt 1 title "lower bound", \\
     "" using 5:1 with points pt 2 title "target"
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    os.makedirs(DIR, exist_ok=True)
    lines = []
    filled = set()
    for w in workloads():
        if ONLY and w["name"] not in ONLY:
            continue
        stores = ["dbfs", *w["rivals"]]
        results = {s: [] for s in stores}
        for r in range(ROUNDS):
            for s in stores[r % len(stores):] + stores[:r % len(stores)]:
                results[s].append(one(w, s, w["loss"] if s == "dbfs" else w["rivals"][s], filled))
        for line in judge(w, results):
            lines.append(line)
            show(line)
    for name, extra in (("recovery", recovery), ("large", large)):
        if (ONLY and name in ONLY) or not (ONLY or (QUICK and name == "large")):
            for line in extra():
                lines.append(line)
                show(line)
    shutil.rmtree(DIR, ignore_errors=True)
    with open(os.path.join(OUT, "engine.json"), "w", encoding="ascii") as f:
        for line in lines:
            f.write(json.dumps(line) + "\n")
    plot(lines)
    missed = [x["workload"] for x in lines if x["met"] is False]
    met = [x for x in lines if x["met"]]
    reduced = [f"{k}={os.environ[k]}" for k in ("QUICK", "ROUNDS", "SECS", "KEYS", "HOT_OPS", "ONLY") if k in os.environ]
    print(f"bench-engine: {len(met)} met, {len(missed)} missed{': ' + ' '.join(missed) if missed else ''}"
          f" ({ROUNDS} rounds{', reduced: ' + ' '.join(reduced) if reduced else ''}); build/bench/engine.json, engine.svg")


if __name__ == "__main__":
    main()
