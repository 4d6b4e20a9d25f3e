#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""A person at the console: line editing, Ctrl-C, job control, window size, power-off.

usage: test_console.py [ARGUMENT of scripts/run, as --linux]

Types into scripts/run on a pseudo terminal and looks at what comes back. IMG= as for scripts/run; by
default a copy of build/guest/alien.img, so that the persistent image stays as it is.
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOOT_S = 120
ANSWER_S = 30
CTRL_C, CTRL_D, CTRL_Z, CTRL_U = b'\x03', b'\x04', b'\x1a', b'\x15'


class Failed(Exception):
    pass


class Console:
    """scripts/run on a terminal of 33 lines and 101 columns."""

    def __init__(self, args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 101, 0, 0))
            os.environ['TERM'] = 'vt100'
            os.execv(os.path.join(ROOT, 'scripts', 'run'), ['run'] + args)
        self.text = b''
        self.ended = False

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return
        try:
            data = os.read(self.fd, 65536)
        except OSError:     # EIO: the other side is closed
            data = b''
        self.ended = not data
        self.text += data

    def expect(self, pattern, seconds=ANSWER_S):
        """Waits for the regular expression in what came since the last match."""
        limit = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.text)
            if m:
                self.text = self.text[m.end():]
                return m
            if self.ended or time.monotonic() > limit:
                raise Failed(f'expected {pattern!r}, got {self.text[-2000:].decode(errors="replace")!r}')
            self.read(0.2)

    def type(self, data):
        os.write(self.fd, data)

    def line(self, command, answer):
        """Types a line and expects an answer at the start of a line after its echo."""
        self.type(command + b'\n')
        self.expect(rb'(\n|\x1b\[\?2004l)\r*' + answer + rb'\r*\n')
        self.expect(rb'# ')

    def finish(self):
        """The status of QEMU once it has ended."""
        limit = time.monotonic() + ANSWER_S
        while time.monotonic() < limit:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if not self.ended:
                self.read(0.1)
            else:
                time.sleep(0.1)
        raise Failed('no power-off')

    def kill(self):
        try:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def talk(c):
    c.expect(rb'root@alien:~# ', BOOT_S)
    c.line(b'echo $((6 * 7))', b'42')
    c.line(b'tty; stty size', rb'/dev/\S+\r*\n33 101')
    c.line(b'echo $TERM $0 $HOME $PWD', rb'vt100 -bash /root /root')
    c.type(b'garbage' + CTRL_U)                 # readline's and the terminal's "forget this line"
    c.type(b'head -n 1 | tr a-z A-Z\n')
    time.sleep(1)
    c.type(b'abX\x7fc\n')                        # the terminal's own editing
    c.expect(rb'ABC\r*\n')
    c.expect(rb'# ')
    c.type(b'sleep 1000\n')
    time.sleep(1)
    c.type(CTRL_C)
    c.expect(rb'# ')
    c.line(b'echo status $?', b'status 130')
    c.type(b'sleep 1000\n')
    time.sleep(1)
    c.type(CTRL_Z)
    c.expect(rb'Stopped\s+sleep 1000')
    c.expect(rb'# ')
    c.type(b'bg; sleep 0.1; jobs\n')
    c.expect(rb'Running\s+sleep 1000')
    c.type(b'fg\n')
    time.sleep(1)
    c.type(CTRL_C)
    c.expect(rb'# ')
    c.line(b'jobs; echo none left', b'none left')
    c.line(b'ps -o pid= -p 1 | tr -d " "', b'1')
    c.type(CTRL_D)                              # alien.onexit=poweroff


def respawn(c):
    c.expect(rb'root@alien:~# ', BOOT_S)
    c.line(b'echo first $((40 + 2))', b'first 42')
    c.type(b'exit 3\n')
    c.expect(rb'root@alien:~# ')                # started again
    c.type(b'poweroff\n')


def session(args, play):
    c = Console(args)
    try:
        play(c)
        status = c.finish()
        if status:
            raise Failed(f'QEMU ended with {status}')
    finally:
        c.kill()


def main(args):
    with tempfile.TemporaryDirectory() as tmp:
        if not args and 'IMG' not in os.environ:
            os.environ['IMG'] = os.path.join(tmp, 'img')
            subprocess.run(['cp', '--sparse=always', os.path.join(ROOT, 'build', 'guest', 'alien.img'),
                            os.environ['IMG']], check=True)
        try:
            session(args, talk)
            os.environ['APPEND'] = 'alien.onexit=respawn'
            session(args, respawn)
        except Failed as e:
            print(f'FAIL: {e}')
            return 1
    print('console: passed')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
