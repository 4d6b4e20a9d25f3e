#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Cuts the power of a guest in the middle of its transactions and checks what is left.

usage: crash_guest.py [--seed S] [--mode nbd|kill] [--drop-flush] [N]

N times (default 100): boot the guest on a disk of alien-nbd, which loses, tears and reorders by seed what the
guest has not flushed; let txloop commit (eight files and a rename each); cut the power, at a random write or a
random moment; then
  - fsck.dbfs finds nothing on what survived,
  - all files agree on one generation, and it is none below the last that the guest printed,
  - the guest boots from what is left, checks it once more from inside, and goes on from there.
--mode kill only kills QEMU (the host's page cache keeps unflushed writes: cheaper, and blind to a missing
flush). --drop-flush makes the disk lie about flushes: the run must then fail (a test of this test).
The last line is a summary; exit status 1 on any violation, 2 for wrong usage.
"""
import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'scripts'))
import runner  # noqa: E402

BIN = os.path.join(ROOT, 'build', 'bin')
IMAGE = os.path.join(ROOT, 'build', 'guest', 'alien.img')
COMMAND = b'mkdir -p /crash && { [ ! -d /crash/a ] || txloop --check /crash; } && exec txloop /crash'
FILES = [f'{"abc"[i % 3]}/f{i}' for i in range(8)]
BOOT_S, RUN_S = 120, 60


class Violation(Exception):
    """The guest's promise was broken."""


class Disk:
    """alien-nbd with its control socket."""

    def __init__(self, image, work, drop_flush):
        self.path = os.path.join(work, 'disk.sock')
        control = os.path.join(work, 'control.sock')
        args = [os.path.join(BIN, 'alien-nbd'), '--socket', self.path, '--control', control]
        self.server = subprocess.Popen([*args, *(['--drop-flush'] if drop_flush else []), image],
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       preexec_fn=runner.die_with_parent)
        self.control = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            if os.path.exists(self.path) and os.path.exists(control):
                break
            time.sleep(0.02)
        self.control.connect(control)
        self.replies = self.control.makefile('r')

    def say(self, command):
        self.control.sendall(command.encode() + b'\n')
        reply = self.replies.readline().strip()
        if not reply.startswith('ok'):
            raise RuntimeError(f'alien-nbd: {command}: {reply}')
        return reply

    def url(self):
        return 'nbd+unix:///?socket=' + self.path

    def close(self):
        self.server.kill()
        self.server.wait()


class Guest:
    """One boot, up to the cut. Collects what txloop prints."""

    def __init__(self, image):
        os.environ['BOOT_TIMEOUT'], os.environ['TIMEOUT'] = str(BOOT_S), str(RUN_S)
        machine = {'kernel': os.path.join(ROOT, 'build', 'kernel', 'alien.elf'), 'image': image,
                   'append': 'console=ttyS0 root=/dev/vda', 'keep': True}
        self.run = runner.Run(machine, COMMAND)
        self.text = b''
        self.ended = False

    def pump(self):
        """Takes in what has come; False when there was nothing."""
        frame = self.run.frames.next()
        if frame is None:
            return False
        kind, _, data = frame
        self.text += data
        self.ended = self.ended or kind == runner.END
        return True

    def generations(self):
        return [int(g) for g in re.findall(rb'^committed (\d+)$', self.text, re.M)]

    def wait_for(self, commits, seconds):
        """Until so many commits were printed, or the guest is gone."""
        deadline = time.monotonic() + seconds
        while len(self.generations()) < commits:
            if self.ended or self.run.qemu.poll() is not None or time.monotonic() > deadline:
                return False
            if not self.pump():
                time.sleep(0.005)
        return True

    def stop(self):
        self.run.stop()
        while self.pump():
            pass

    def describe(self):
        tail = self.text.decode(errors='replace')[-2000:]
        return f'output:\n{tail}\nconsole:\n{self.run.console_tail()}'


def tool(*args):
    done = subprocess.run([os.path.join(BIN, args[0]), *args[1:]], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors='replace')


def read_generation(image, name):
    status, text = tool('dbfs', 'cat', image, '/crash/' + name)
    if status or not re.fullmatch(r'\d+\n', text):
        raise Violation(f'/crash/{name}: {text.strip()[:200] or "empty"}')
    return int(text)


def check_image(image, printed):
    """fsck, and one generation for all; returns it."""
    status, text = tool('fsck.dbfs', '-n', image)
    if status:
        raise Violation(f'fsck.dbfs: exit {status}: {text[-1000:]}')
    found = {name: read_generation(image, name) for name in FILES}
    if len(set(found.values())) != 1:
        raise Violation(f'half a transaction: {found}')
    generation = found[FILES[0]]
    ninth = f'{"abc"[generation % 3]}/gen.{generation}'
    read_generation(image, ninth)
    if generation < printed:
        raise Violation(f'generation {printed} was printed after its commit; {generation} is there')
    return generation


class Test:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.random = random.Random(options.seed)
        self.image = os.path.join(work, 'survivor.img')
        self.disk = Disk(IMAGE, work, options.drop_flush) if options.mode == 'nbd' else None
        self.printed = -1
        self.commits = 0
        if self.disk is None:
            shutil.copyfile(IMAGE, self.image)

    def cut(self, guest, seed):
        """The power goes: at a write to come, or now."""
        if self.disk is None:
            time.sleep(self.random.random() * 0.5)
        elif self.random.random() < 0.7:
            self.disk.say(f'cut-at {self.random.randint(1, 60)} {seed}')
            deadline = time.monotonic() + 10
            while 'power=off' not in self.disk.say('stats') and time.monotonic() < deadline:
                guest.pump() or time.sleep(0.01)
            if 'power=off' not in self.disk.say('stats'):
                self.disk.say(f'cut {seed}')
        else:
            time.sleep(self.random.random() * 0.5)
            self.disk.say(f'cut {seed}')
        guest.stop()
        if self.disk:
            self.disk.say(f'write {self.image}')
            self.disk.say('on')

    def one(self, number):
        seed = self.random.getrandbits(32)
        guest = Guest(self.disk.url() if self.disk else self.image)
        try:
            if not guest.wait_for(self.random.randint(1, 12), BOOT_S + RUN_S):
                raise Violation('the guest does not commit; ' + guest.describe())
            self.cut(guest, seed)
        finally:
            guest.stop()
        inside = re.findall(rb'^generation (\d+)$', guest.text, re.M)
        if b'broken:' in guest.text or (self.printed >= 0 and not inside):
            raise Violation('from inside: ' + guest.describe())
        got = guest.generations()
        self.commits += len(got)
        self.printed = max(got)
        found = check_image(self.image, self.printed)
        print(f'cut {number}: seed {seed}, printed {self.printed}, found {found}', flush=True)
        self.printed = found

    def close(self):
        if self.disk:
            self.disk.close()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('\n\n')[1][7:])
    parser.add_argument('count', nargs='?', type=int, default=100)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--mode', choices=['nbd', 'kill'], default='nbd')
    parser.add_argument('--drop-flush', action='store_true')
    options = parser.parse_args()
    violations = 0
    done = 0
    work = tempfile.mkdtemp(prefix='alien-crash-')
    test = None
    try:
        test = Test(options, work)
        for number in range(1, options.count + 1):
            test.one(number)
            done += 1
    except Violation as e:
        violations = 1
        print(f'VIOLATION at cut {done + 1} (--seed {options.seed}): {e}')
    finally:
        if test:
            test.close()
        shutil.rmtree(work, ignore_errors=True)
    commits = test.commits if test else 0
    print(f'crash-guest: {done} cuts ({options.mode}), {commits} commits printed, {violations} violations')
    return 1 if violations or done == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
