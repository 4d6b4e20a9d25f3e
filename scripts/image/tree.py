# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""A file tree in memory that is written as one deterministic ustar stream.

Paths have no leading slash. Every path is resolved through the symbolic links that are already in the tree
for its directories, as the kernel would: after base-files brought bin -> usr/bin, a package's bin/x lands
in usr/bin/x. The stream is sorted by path (parents before children); of several hard links the first in
that order carries the data. Times are those of the packages; what the builder makes itself gets `mtime`.
"""
import tarfile

from debs import Error

LINK_DEPTH = 8


def norm(path):
    return '/'.join(p for p in path.split('/') if p not in ('', '.'))


class Tree:
    def __init__(self):
        self.nodes = {}     # path -> (TarInfo, bytes or None)
        self.mtime = 0      # newest of the packages

    def resolve(self, path, depth=0):
        """`path` with symbolic links in its directories followed."""
        done = ''
        for part in norm(path).split('/')[:-1]:
            done = norm(done + '/' + part)
            node = self.nodes.get(done)
            if node and node[0].issym():
                if depth >= LINK_DEPTH:
                    raise Error(f'{path}: too many symbolic links')
                target = node[0].linkname
                up = done.rsplit('/', 1)[0] if '/' in done else ''
                full = target if target.startswith('/') else up + '/' + target
                done = self.resolve(self.collapse(full) + '/x', depth + 1)[:-2]
        return norm(done + '/' + norm(path).rsplit('/', 1)[-1])

    @staticmethod
    def collapse(path):
        parts = []
        for p in norm(path).split('/'):
            if p == '..':
                del parts[-1:]
            else:
                parts.append(p)
        return '/'.join(parts)

    def add(self, info, data, owner):
        """Take one member of a package. Directories merge, equal files too; others may not collide."""
        path = self.resolve(info.name)
        if not path:
            return
        old = self.nodes.get(path)
        if old:
            if info.isdir() and (old[0].isdir() or old[0].issym()):
                return
            if data is None or old[1] != data:
                raise Error(f'{owner}: {path} is already there')
        info.name = path
        if info.islnk():
            info.linkname = self.resolve(info.linkname)
        self.mtime = max(self.mtime, int(info.mtime))
        self.nodes[path] = (info, data)

    def make(self, path, kind, mode, ids=(0, 0), link='', data=None):
        """Put an object of the builder's own, with its parents, replacing what was there."""
        path = self.resolve(path)
        self.parents(path)
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.linkname = kind, mode, link
        info.uid, info.gid = ids
        info.mtime = self.mtime
        info.size = len(data) if data is not None else 0
        self.nodes[path] = (info, data)

    def parents(self, path):
        up = path.rpartition('/')[0]
        if up and up not in self.nodes:
            self.dir(up)

    def dir(self, path, mode=0o755, ids=(0, 0)):
        self.make(path, tarfile.DIRTYPE, mode, ids)

    def file(self, path, data, mode=0o644, ids=(0, 0)):
        self.make(path, tarfile.REGTYPE, mode, ids, data=data.encode() if isinstance(data, str) else data)

    def symlink(self, path, target):
        self.make(path, tarfile.SYMTYPE, 0o777, link=target)

    def read(self, path):
        """Bytes of a file (symbolic links followed), or None."""
        for _ in range(LINK_DEPTH):
            path = self.resolve(path)
            node = self.nodes.get(path)
            if not node or not node[0].issym():
                return node[1] if node else None
            target = node[0].linkname
            up = path.rpartition('/')[0]
            path = self.collapse(target if target.startswith('/') else up + '/' + target)
        return None

    def drop(self, path):
        self.nodes.pop(self.resolve(path), None)

    def settle_hard_links(self):
        """The first link in stream order becomes the file, the others point to it."""
        groups = {}
        for path, (info, _) in self.nodes.items():
            if info.islnk():
                groups.setdefault(info.linkname, [info.linkname]).append(path)
        for target, paths in groups.items():
            if target not in self.nodes:
                raise Error(f'{paths[1]}: hard link to {target}, which is not in the image')
            first, *rest = sorted(paths)
            info, data = self.nodes[target]
            for path in paths:
                copy = tarfile.TarInfo(path)
                copy.mode, copy.uid, copy.gid, copy.mtime = info.mode, info.uid, info.gid, info.mtime
                if path == first:
                    copy.type, copy.size = tarfile.REGTYPE, len(data)
                else:
                    copy.type, copy.linkname = tarfile.LNKTYPE, first
                self.nodes[path] = (copy, data if path == first else None)
            assert rest

    def write(self, out):
        """The whole tree as ustar, with `./` in front like Debian's packages, ended and padded as tar does."""
        self.settle_hard_links()
        total = 0
        root = tarfile.TarInfo('.')
        root.type, root.mode, root.mtime = tarfile.DIRTYPE, 0o755, self.mtime
        ordered = [(root, None)] + [self.nodes[p] for p in sorted(self.nodes, key=lambda p: p.split('/'))]
        for info, data in ordered:
            info.uname = info.gname = ''
            info.mtime = int(info.mtime)
            info.pax_headers = {}
            kept = info.name, info.linkname
            info.name = './' + info.name if info.name != '.' else '.'
            info.linkname = './' + info.linkname if info.islnk() else info.linkname
            total += out.write(info.tobuf(tarfile.USTAR_FORMAT, 'utf-8', 'surrogateescape'))
            info.name, info.linkname = kept
            if data:
                total += out.write(data)
                total += out.write(bytes(-len(data) % tarfile.BLOCKSIZE))
        out.write(bytes(2 * tarfile.BLOCKSIZE))
        total += 2 * tarfile.BLOCKSIZE
        out.write(bytes(-total % tarfile.RECORDSIZE))

    def installed_size(self):
        return sum(len(d) for _, d in self.nodes.values() if d)
