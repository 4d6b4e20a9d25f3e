#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""scripts/image/fetch: which mirror it takes from a machine's apt sources, and ldcache's order of names."""
import importlib.machinery
import importlib.util
import os
import sys
import unittest

sys.dont_write_bytecode = True
IMAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts', 'image')
sys.path.insert(0, IMAGE)


def load(path):
    loader = importlib.machinery.SourceFileLoader('fetch', path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('fetch', loader))
    loader.exec_module(module)
    return module


fetch = load(os.path.join(IMAGE, 'fetch'))
import ldcache  # noqa: E402

UBUNTU = '''Types: deb
URIs: http://archive.ubuntu.com/ubuntu/
Suites: noble noble-updates
Components: main universe
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
'''
DEBIAN = '''# comment
Types: deb deb-src
# http://commented.example/debian
URIs: http://deb.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.example/debian-security
Suites: bookworm-security
Components: main
'''


class Mirror(unittest.TestCase):
    def pick(self, on_debian=True, deb822='', lines=''):
        return fetch.pick_mirror(list(fetch.one_line_sources(lines)) + list(fetch.deb822_sources(deb822)), on_debian)

    def test_deb822(self):
        self.assertEqual(self.pick(deb822=DEBIAN), 'http://deb.example/debian')
        self.assertIsNone(self.pick(deb822=DEBIAN.replace('Types: deb\n', 'Enabled: no\nTypes: deb\n')
                                    .replace('Types: deb deb-src', 'Types: deb-src')))

    def test_one_line(self):
        self.assertEqual(self.pick(lines='# deb http://a.example/debian sid main\n'
                                         'deb-src http://b.example/debian trixie main\n'
                                         'deb [arch=amd64 signed-by=/k] http://c.example/debian/ trixie main non-free\n'),
                         'http://c.example/debian/')

    def test_ubuntu_has_none(self):
        self.assertIsNone(self.pick(False, UBUNTU, 'deb https://dl.example/chrome/deb/ stable main\n'
                                                   'deb https://x.example/packages stable main\n'))

    def test_others_are_not_debian(self):
        self.assertEqual(self.pick(lines='deb [signed-by=/d.gpg] https://download.example/linux/debian bookworm stable\n'
                                         'deb [signed-by=/p.gpg] https://apt.example/repos/apt bookworm main\n'
                                         'deb http://security.example/debian-security trixie-security main\n'
                                         'deb http://z.example/debian bookworm main\n'),
                         'http://z.example/debian')

    def test_other_names_on_debian_only(self):
        for uri in ('mirror+file:///etc/apt/mirrors/debian.list', 'http://local.example/deb'):
            self.assertEqual(self.pick(True, lines=f'deb {uri} bookworm main\n'), uri)
            self.assertIsNone(self.pick(False, lines=f'deb {uri} bookworm main\n'))
        self.assertEqual(self.pick(lines='deb http://local.example/deb bookworm main\n'
                                         'deb http://s.example/archive/debian/20250101T000000Z trixie main\n'),
                         'http://s.example/archive/debian/20250101T000000Z')


# a riscv64 shared object whose program headers would lie beyond its end
SHORT = b'\x7fELF\x02\x01' + bytes(10) + b'\x03\0\xf3\0' + bytes(12) + b'\x40' + bytes(21) + b'\x38\0\x07\0' + bytes(8)


class LibraryOrder(unittest.TestCase):
    def test_compare(self):
        rising = [b'liba.so.1', b'liba.so.2', b'liba.so.10', b'libb-1.so', b'libb.so', b'libb.so.1', b'libb1.so']
        for i, x in enumerate(rising):
            for j, y in enumerate(rising):
                got = ldcache.compare(x, y)
                self.assertEqual((got > 0) - (got < 0), (i > j) - (i < j), (x, y))

    def test_not_a_library(self):
        for data in (b'', b'\x7fELF', b'\x7fELF\x02\x01' + bytes(58), SHORT, b'#!/bin/sh\n' * 20):
            self.assertIsNone(ldcache.soname(data))


if __name__ == '__main__':
    unittest.main()
