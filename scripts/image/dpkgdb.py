# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""dpkg's database for packages that were unpacked without dpkg, so that dpkg and apt can take over.

Every package is `install ok unpacked`: its files are there, its postinst has not run. Conffiles carry the
checksum of the file as installed (there is no .dpkg-new to move), so `dpkg --configure -a` keeps them.
"""
import hashlib

from debs import Error

DB = 'var/lib/dpkg/'
# dpkg's order of fields in the status file
ORDER = ['Package', 'Essential', 'Protected', 'Status', 'Priority', 'Section', 'Installed-Size', 'Origin',
         'Maintainer', 'Bugs', 'Architecture', 'Multi-Arch', 'Source', 'Version', 'Replaces', 'Provides',
         'Depends', 'Pre-Depends', 'Recommends', 'Suggests', 'Breaks', 'Conflicts', 'Enhances', 'Conffiles',
         'Description']


def conffile_lines(deb, tree):
    out = ''
    for line in deb.text('conffiles').splitlines():
        flag, _, path = line.strip().rpartition(' ')
        if not path or flag == 'remove-on-upgrade':
            continue
        data = tree.read(path)
        if data is None:
            raise Error(f'{deb.name}: conffile {path} is not in the package')
        out += f'\n {path} {hashlib.md5(data).hexdigest()}'
    return out


def status(deb, tree):
    values = dict(deb.control)
    values['Status'] = 'install ok unpacked'
    conf = conffile_lines(deb, tree)
    if conf:
        values['Conffiles'] = conf
    known = [n for n in ORDER if n in values]
    rest = [n for n in values if n not in ORDER]
    return ''.join(f'{n}:{"" if values[n].startswith(chr(10)) else " "}{values[n]}\n' for n in known + rest)


def info_stem(deb):
    return DB + 'info/' + deb.name + (':' + deb.arch if deb.multi_same else '')


def write_info(deb, paths, tree):
    stem = info_stem(deb)
    tree.file(stem + '.list', ''.join(p + '\n' for p in paths))
    for name, (mode, data) in sorted(deb.files.items()):
        tree.file(f'{stem}.{name}', data, mode & 0o777)


def interests(debs):
    """({trigger name: lines}, lines of the File table) of all packages' declared interests."""
    named, paths = {}, ''
    for deb in debs:
        for line in deb.text('triggers').splitlines():
            words = line.split('#')[0].split()
            if len(words) != 2 or not words[0].startswith('interest'):
                continue
            owner = deb.name + ('/noawait' if words[0] == 'interest-noawait' else '')
            if words[1].startswith('/'):
                paths += f'{words[1]} {owner}\n'
            else:
                named[words[1]] = named.get(words[1], '') + owner + '\n'
    return named, paths


def write(debs, lists, tree):
    """`lists` is {package: [its paths as dpkg lists them]}."""
    for d in ('info', 'updates', 'triggers', 'alternatives', 'parts'):
        tree.dir(DB + d)
    ordered = sorted(debs, key=lambda d: d.name)
    tree.file(DB + 'status', '\n'.join(status(d, tree) for d in ordered) + '\n')
    for name in ('available', 'diversions', 'statoverride', 'triggers/Lock', 'triggers/Unincorp', 'lock'):
        tree.file(DB + name, '', 0o640 if name == 'lock' else 0o644)
    tree.file(DB + 'arch-native', 'riscv64\n')
    tree.file(DB + 'info/format', '1\n')
    named, paths = interests(ordered)
    tree.file(DB + 'triggers/File', paths)
    for name, lines in named.items():
        tree.file(DB + 'triggers/' + name, lines)
    for deb in debs:
        write_info(deb, lists[deb.name], tree)
    tree.dir('var/lib/apt')
    tree.file('var/lib/apt/extended_states', ''.join(
        f'Package: {d.name}\nArchitecture: riscv64\nAuto-Installed: 1\n\n' for d in ordered if d.auto))
