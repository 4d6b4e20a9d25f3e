# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""Debian binary packages: control fields, control files and the stream of their files."""
import io
import os
import subprocess
import tarfile


class Error(Exception):
    """A package or a request that cannot be used, in words for the person who asked."""


def fields(text):
    """[(name, value)] of one RFC 822 stanza, values with their continuation lines."""
    out = []
    for line in text.splitlines():
        if line[:1] in (' ', '\t'):
            out[-1][1] += '\n' + line
        elif line:
            name, _, value = line.partition(':')
            out.append([name, value.strip()])
    return [tuple(x) for x in out]


class Deb:
    """One .deb file. `control` is its fields, `files` its other control files by name."""

    def __init__(self, path, auto=False):
        self.path = path
        self.auto = auto
        self.files = {}
        data = subprocess.run(['dpkg-deb', '--ctrl-tarfile', path], stdout=subprocess.PIPE, check=False)
        if data.returncode:
            raise Error(f'{path}: not a Debian package')
        with tarfile.open(fileobj=io.BytesIO(data.stdout)) as tar:
            for m in tar:
                if m.isreg():
                    self.files[os.path.normpath(m.name)] = (m.mode, tar.extractfile(m).read())
        self.control = fields(self.files.pop('control')[1].decode())
        by_name = dict(self.control)
        self.name = by_name['Package']
        self.arch = by_name['Architecture']
        self.version = by_name['Version']
        self.multi_same = by_name.get('Multi-Arch') == 'same'

    def text(self, name):
        """A control file as text, empty when the package has none by that name."""
        return self.files.get(name, (0, b''))[1].decode()

    def members(self):
        """Yield (TarInfo, bytes or None) of each file, in the package's order."""
        pipe = subprocess.Popen(['dpkg-deb', '--fsys-tarfile', self.path], stdout=subprocess.PIPE)
        with tarfile.open(fileobj=pipe.stdout, mode='r|') as tar:
            for m in tar:
                yield m, tar.extractfile(m).read() if m.isreg() else None
        pipe.stdout.close()
        if pipe.wait():
            raise Error(f'{self.path}: damaged package')


def read_lock(cache, name):
    """The packages of build/cache/NAME.lock, base-files first, then apt's order."""
    try:
        with open(os.path.join(cache, name + '.lock')) as f:
            lines = [x.split() for x in f.read().splitlines()[1:]]
    except FileNotFoundError:
        raise Error(f'{name}: packages not fetched yet (scripts/image/fetch)') from None
    debs = [Deb(os.path.join(cache, 'debs', f), kind == 'auto') for f, _, kind in lines]
    return sorted(debs, key=lambda d: d.name != 'base-files')
