# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""What the packages' maintainer scripts and an installer would have done, step by step.

docs/guest-image.md lists the same steps in the same order, with the script each stands in for. A step that
needs a file of a package that is not in the image does nothing. A later `dpkg --configure -a` in the guest
runs the true scripts; every result here is what they leave as it is.
"""
import os
import tarfile

import ldcache

ALTERNATIVES = [
    # name, link, target: the choice that update-alternatives would make for these packages
    ('awk', 'usr/bin/awk', '/usr/bin/mawk'),
    ('nawk', 'usr/bin/nawk', '/usr/bin/mawk'),
    ('pager', 'usr/bin/pager', '/usr/bin/less'),
    ('pager', 'usr/bin/pager', '/usr/bin/more'),
    ('rmt', 'usr/sbin/rmt', '/usr/sbin/rmt-tar'),
    ('which', 'usr/bin/which', '/usr/bin/which.debianutils'),
]
MULTIARCH = 'riscv64-linux-gnu'
LIBRARY_DIRS = ['usr/local/lib/' + MULTIARCH, 'lib/' + MULTIARCH, 'usr/local/lib', 'lib']
SHADOW_GID, STAFF_GID, MAIL_GID, UTMP_GID = 42, 50, 8, 43
HOSTNAME = 'alien'
MOTD = '''Welcome to Alien OS: Debian programs on a transactional root file system.

'''
FSTAB = '''# device  mount point  type  options  dump  pass
/dev/vda  /            dbfs  defaults 0     0
'''
HOSTS = f'''127.0.0.1\tlocalhost
127.0.1.1\t{HOSTNAME}
::1\t\tlocalhost ip6-localhost ip6-loopback
'''
APT_SOURCES = '''Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
'''
PAM_BLOCKS = {
    # what pam-auth-update makes of /usr/share/pam-configs/unix
    '$auth_primary': 'auth\t[success=1 default=ignore]\tpam_unix.so nullok',
    '$account_primary': 'account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so ',
    '$password_primary': 'password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt',
    '$session_primary': 'session\t[default=1]\t\t\tpam_permit.so',
    '$session_nonint_primary': 'session\t[default=1]\t\t\tpam_permit.so',
    '$session_additional': 'session\trequired\tpam_unix.so ',
    '$session_nonint_additional': 'session\trequired\tpam_unix.so ',
}


def base_files(t):
    """base-files: skeleton directories, login scripts, log files."""
    share = 'usr/share/base-files/'
    for name, path in (('dot.profile', 'root/.profile'), ('dot.bashrc', 'root/.bashrc'),
                       ('profile', 'etc/profile'), ('info.dir', 'usr/share/info/dir')):
        data = t.read(share + name)
        if data is not None:
            t.file(path, data)
    for path in ('mnt', 'srv', 'opt', 'etc/opt', 'var/opt', 'media'):
        t.dir(path)
    t.dir('var/mail', 0o2775, (0, MAIL_GID))
    t.symlink('var/spool/mail', '../mail')
    for path, target in (('var/run', '/run'), ('var/lock', '/run/lock')):
        t.drop(path)
        t.symlink(path, target)
    local = ('', '/share', '/share/man', '/bin', '/games', '/lib', '/libexec', '/include', '/sbin', '/src', '/etc')
    for sub in local:
        t.dir('usr/local' + sub)
    t.symlink('usr/local/man', 'share/man')
    for name, mode in (('wtmp', 0o664), ('btmp', 0o660), ('lastlog', 0o664)):
        t.file('var/log/' + name, '', mode, (0, UTMP_GID))
    if t.read('etc/dpkg/origins/debian') is not None:
        t.symlink('etc/dpkg/origins/default', 'debian')


def accounts(t):
    """base-passwd and passwd (shadowconfig on): passwd, group, shadow, gshadow. Nobody has a password."""
    masters = 'usr/share/base-passwd/'
    users = (t.read(masters + 'passwd.master') or b'').decode().splitlines()
    groups = (t.read(masters + 'group.master') or b'').decode().splitlines()
    day = t.mtime // 86400
    users = [u.split(':') for u in users]
    groups = [g.split(':') for g in groups]
    line = ':'.join
    t.file('etc/passwd', ''.join(line([u[0], 'x'] + u[2:]) + '\n' for u in users))
    t.file('etc/group', ''.join(line([g[0], 'x'] + g[2:]) + '\n' for g in groups))
    t.file('etc/shadow', ''.join(f'{u[0]}:*:{day}:0:99999:7:::\n' for u in users), 0o640, (0, SHADOW_GID))
    t.file('etc/gshadow', ''.join(f'{g[0]}:*::{g[3]}\n' for g in groups), 0o640, (0, SHADOW_GID))
    for name in ('subuid', 'subgid'):
        t.file('etc/' + name, '')


def name_service(t):
    """libc-bin: nsswitch.conf."""
    data = t.read('usr/share/libc-bin/nsswitch.conf')
    if data is not None:
        t.file('etc/nsswitch.conf', data)


def shells(t):
    """debianutils (update-shells): /etc/shells from the packages' lists, both spellings of each shell."""
    base = t.read('usr/share/debianutils/shells')
    if base is None:
        return
    lines = base.decode().splitlines()
    place = 'usr/share/debianutils/shells.d/'
    found = []
    for path in sorted(p for p in t.nodes if p.startswith(place)):
        found += [s for s in t.read(path).decode().split() if s.startswith('/')]
    for shell in found:
        for spelling in (shell.replace('/usr/bin/', '/bin/'), shell.replace('/bin/', '/usr/bin/')
                         if not shell.startswith('/usr') else shell):
            if spelling not in lines:
                lines.append(spelling)
    t.file('etc/shells', ''.join(s + '\n' for s in lines))
    t.file('var/lib/shells.state', ''.join(s + '\n' for s in lines if s.startswith('/')))


def alternatives(t):
    """update-alternatives: the links (the registers come with the true scripts)."""
    for name, link, target in ALTERNATIVES:
        if target[1:] in t.nodes and 'etc/alternatives/' + name not in t.nodes:
            t.symlink('etc/alternatives/' + name, target)
            t.symlink(link, '/etc/alternatives/' + name)


def pam(t):
    """libpam-runtime (pam-auth-update): /etc/pam.d/common-* for plain Unix accounts."""
    for path in sorted(p for p in t.nodes if p.startswith('usr/share/pam/common-')):
        name = path.rpartition('/')[2]
        if name.endswith('.md5sums'):
            continue
        out = []
        for line in t.read(path).decode().splitlines():
            out += [PAM_BLOCKS[line]] if line in PAM_BLOCKS else [] if line.startswith('$') else [line]
        t.file('etc/pam.d/' + name, ''.join(s + '\n' for s in out))


def host(t):
    """The installer: names, mounts, message of the day, an empty machine id, apt's source, dpkg's filter."""
    t.file('etc/hostname', HOSTNAME + '\n')
    t.file('etc/hosts', HOSTS)
    t.file('etc/fstab', FSTAB)
    t.file('etc/motd', MOTD)
    t.file('etc/machine-id', '', 0o444)
    t.file('etc/resolv.conf', '')
    t.symlink('etc/mtab', '../proc/self/mounts')
    t.file('etc/apt/sources.list.d/debian.sources', APT_SOURCES)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, 'path-exclude'), 'rb') as f:
        t.file('etc/dpkg/dpkg.cfg.d/alien-image', f.read())


def devices(t):
    """The few device nodes that a system needs before devfs is mounted on /dev."""
    for name, major, minor, mode in (('console', 5, 1, 0o600), ('null', 1, 3, 0o666), ('zero', 1, 5, 0o666),
                                     ('tty', 5, 0, 0o666)):
        t.make('dev/' + name, tarfile.CHRTYPE, mode)
        t.nodes['dev/' + name][0].devmajor = major
        t.nodes['dev/' + name][0].devminor = minor


def library_cache(t):
    """libc-bin (ldconfig): the dynamic loader's cache."""
    t.dir('var/cache/ldconfig', 0o700)
    t.file('etc/ld.so.cache', ldcache.build(t, LIBRARY_DIRS))


STEPS = [base_files, accounts, name_service, shells, alternatives, pam, host, devices, library_cache]


def run(tree):
    for step in STEPS:
        step(tree)
