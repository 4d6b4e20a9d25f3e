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
    # name, link, (target, priority) best first, {slave: (link, target)}: as the packages register them,
    # without the slaves for manual pages, which the image does not have
    ('awk', '/usr/bin/awk', [('/usr/bin/mawk', 5)], {'nawk': ('/usr/bin/nawk', '/usr/bin/mawk')}),
    ('pager', '/usr/bin/pager', [('/usr/bin/less', 77), ('/bin/more', 50)], {}),
    ('rmt', '/usr/sbin/rmt', [('/usr/sbin/rmt-tar', 50)], {}),
    ('which', '/usr/bin/which', [('/usr/bin/which.debianutils', 0)], {}),
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
    """debianutils (update-shells): /etc/shells from the packages' lists."""
    base = t.read('usr/share/debianutils/shells')
    if base is None:
        return
    lines = base.decode().splitlines()
    known = [s for shell in lines if shell.startswith('/') for s in (shell, '/usr' + shell)]
    place = 'usr/share/debianutils/shells.d/'
    for path in sorted(p for p in t.nodes if p.startswith(place)):
        known += [s for s in t.read(path).decode().split() if s.startswith('/')]
    lines += [s for s in known if s not in lines]
    t.file('etc/shells', ''.join(s + '\n' for s in lines))
    t.file('var/lib/shells.state', ''.join(s + '\n' for s in known))


def alternatives(t):
    """update-alternatives: the links and their registers."""
    for name, link, targets, slaves in ALTERNATIVES:
        targets = [x for x in targets if t.resolve(x[0]) in t.nodes]
        if not targets:
            continue
        register = f'auto\n{link}\n' + ''.join(f'{s}\n{x[0]}\n' for s, x in slaves.items()) + '\n'
        for target, priority in sorted(targets):
            register += f'{target}\n{priority}\n' + ''.join(x[1] + '\n' for x in slaves.values())
        t.file('var/lib/dpkg/alternatives/' + name, register + '\n')
        links = {name: (link, targets[0][0]), **slaves}
        for n, (path, target) in links.items():
            t.symlink('etc/alternatives/' + n, target)
            t.symlink(path, '/etc/alternatives/' + n)


def pam(t):
    """libpam-runtime (pam-auth-update), libpam-modules: plain Unix accounts, and what it remembers of them."""
    templates = sorted(p for p in t.nodes if p.startswith('usr/share/pam/common-') and not p.endswith('.md5sums'))
    for path in templates:
        name = path.rpartition('/')[2]
        out, saved = [], ''
        for line in t.read(path).decode().splitlines():
            out += [PAM_BLOCKS[line]] if line in PAM_BLOCKS else [] if line.startswith('$') else [line]
            if line in PAM_BLOCKS:
                rule = PAM_BLOCKS[line].partition('\t')[2].rstrip(' ').replace('success=1', 'success=end')
                saved += f'Module: {"null" if "pam_permit" in rule else "unix"}\n{rule}\n'
        t.file('etc/pam.d/' + name, ''.join(s + '\n' for s in out))
        t.file('var/lib/pam/' + name[len('common-'):], saved)
    if templates:
        t.file('var/lib/pam/seen', 'unix\nmkhomedir\n')
        t.file('etc/security/opasswd', '', 0o600)
        t.file('etc/environment', '')


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
