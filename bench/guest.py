#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""make bench-guest: what calls cost in the guest, beside Debian's Linux on the same QEMU.

Runs user/guestbench on Alien OS (DBFS root) and on Linux (root in memory: its file creation is tmpfs's, the best
case for it), for each QEMU that is there: $QEMU or qemu-system-riscv64, those named in $QEMUS, and with
-icount (one instruction = 1 ns, one hart: no noise, but blind to TLB and memory). Prints a table and writes
build/bench/guest.json, one object a line.
"""
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, 'build', 'bench', 'guest.json')
# Above these, in microseconds, something in the path is wrong.
LIMITS = {'null-call': 1.0, 'create-close': 50.0}


def run(script, command, env):
    done = subprocess.run([os.path.join(ROOT, 'scripts', script), command], env={**os.environ, **env},
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(f'bench-guest: {script} failed with {done.returncode}')
    return done.stdout.decode()


def figures(script, env):
    text = run(script, 'mkdir -p /var/bench && guestbench /var/bench', env)
    return {name: int(ns) / 1000 for name, ns in re.findall(r'^(\S+) (\d+)$', text, re.M)}


def version(qemu):
    text = subprocess.run([qemu, '--version'], stdout=subprocess.PIPE, check=True).stdout.decode()
    return re.search(r'version ([\d.]+)', text).group(1)


def configurations():
    main = os.environ.get('QEMU') or 'qemu-system-riscv64'
    for qemu in [main, *os.environ.get('QEMUS', '').split()]:
        yield f'QEMU {version(qemu)}', {'QEMU': qemu}
    yield f'QEMU {version(main)} icount', {'QEMU': main, 'SMP': '1', 'EXTRA_QEMU': '-icount shift=0,sleep=off'}


def boot(env):
    """Seconds from QEMU's start to the first command's end, and memory in use then (MiB)."""
    start = time.monotonic()
    text = run('guest', 'cat /proc/meminfo', env)
    seconds = time.monotonic() - start
    kib = {k: int(v) for k, v in re.findall(r'^(\w+): +(\d+) kB$', text, re.M)}
    used = kib['MemTotal'] - kib['MemFree'] - kib.get('Cached', 0)
    return {'boot-to-command-s': seconds, 'memory-used-MiB': used / 1024}


def report(name, workload, ours, rival, limit, rows):
    ratio = rival / ours if rival and ours else None
    met = ours <= limit if limit else True
    rows.append({'workload': f'{workload} ({name})', 'ours': round(ours, 3), 'rival': rival and round(rival, 3),
                 'rival_name': 'Linux', 'ratio': ratio and round(ratio, 2), 'target': limit, 'met': met})
    print(f'{workload:20} {ours:10.2f} {rival or float("nan"):10.2f} {ratio or float("nan"):7.2f} '
          f'{"" if met else f"over {limit}"}', flush=True)


def main():
    rows = []
    for name, env in configurations():
        print(f'\n{name}, microseconds\n{"":20} {"Alien OS":>10} {"Linux":>10} {"ratio":>7}')
        linux = figures('linux-guest', env)
        for workload, ours in figures('guest', env).items():
            report(name, workload, ours, linux.get(workload), LIMITS.get(workload), rows)
        if 'icount' not in name:
            at_boot = boot(env)
            report(name, 'boot-to-command-s', at_boot['boot-to-command-s'], None, 5, rows)
            report(name, 'memory-used-MiB', at_boot['memory-used-MiB'], None, 32, rows)
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, 'w') as f:
        f.writelines(json.dumps(row) + '\n' for row in rows)
    print(f'\nwritten to {os.path.relpath(OUT, ROOT)}')


if __name__ == '__main__':
    main()
