# SPDX-License-Identifier: MIT
# Copyright (c) the Alien OS authors
"""The host's half of the guest runner: one command in one throwaway machine.

docs/guest-runner.md is the contract and the protocol; user/init/run.c is the guest's half. In short: the
command goes in on a small disk, frames (HELLO, DATA..., END, each numbered and with a CRC) come out on
another, which is a sparse file of ours that we read as QEMU writes it. Nothing outlives a run: the files
have no names, and QEMU dies with us.
"""
import ctypes
import fcntl
import os
import secrets
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

SECTOR = 512
CMD_MAX = 1 << 20
FRAME = struct.Struct('<IIIIII8x')
FRAME_MAGIC = 0x4D524641
FRAME_MAX = 65536
HELLO, DATA, END = 1, 2, 3
TIMED_OUT, NO_GUEST = 124, 125
EMPTY_DISK = 'null-co://'
POLL_S = 0.01
POWER_OFF_S = 30        # from END to the end of QEMU
TAIL = 40               # lines of the console that a failure shows
PR_SET_PDEATHSIG = 1


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Usage(Exception):
    """A wrong request; the caller exits 2."""


class Failed(Exception):
    """The run has a result of its own: (status, message)."""


def number(name, default):
    """A positive whole number from the environment."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise Usage(f'{name}={text}: expected a positive number')
    return int(text)


def drive(path, name, options):
    return ['-drive', f'if=none,id={name},file={path.replace(",", ",,")},format=raw,{options}',
            '-device', f'virtio-blk-device,drive={name}']


def machine(what, append, console):
    """QEMU's arguments for the machine that `what` describes, up to the runner's own disks."""
    mem = os.environ.get('MEM') or '256M'
    args = [os.environ.get('QEMU') or 'qemu-system-riscv64', '-M', 'virt', '-smp', str(number('SMP', 2)),
            '-m', mem, *console, '-no-reboot', '-global', 'virtio-mmio.force-legacy=false', '-kernel', what['kernel']]
    words = [what['append'], append, os.environ.get('APPEND') or '']
    args += ['-append', ' '.join(w for w in words if w)]
    args += ['-initrd', what['initrd']] if what.get('initrd') else []
    return args + disks(what)


def disks(what):
    """The root disk (vda) and DISK2's (vdb ...)."""
    args = []
    if what.get('image'):
        args += drive(what['image'], 'root', 'snapshot=' + ('off' if what.get('keep') else 'on'))
    for i, path in enumerate((os.environ.get('DISK2') or '').split()):
        if is_file(path) and not os.path.exists(path):
            raise Usage(f'DISK2: {path} does not exist')
        args += drive(path, f'extra{i}', 'snapshot=off')
    return args + ['-device', 'virtio-rng-device'] + shlex.split(os.environ.get('EXTRA_QEMU') or '')


def lock_image(image, keep):
    """Runs share the image; KEEP=1 has it alone. Returns the descriptor that holds the lock, None where
    there is no file to lock."""
    if not is_file(image):
        return None
    fd = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    how = fcntl.LOCK_EX if keep else fcntl.LOCK_SH
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f'guest: waiting for {image}, which another run uses\n')
        fcntl.flock(fd, how)
    return fd


def keep():
    return os.environ.get('KEEP') not in (None, '', '0')


def is_file(image):
    """Not what QEMU reaches by itself (nbd+unix:///?socket=PATH, null-co://)."""
    return '://' not in image


def ready(path, target):
    """Builds a file of the build directory that is not there yet; another file must exist."""
    if is_file(path) and not os.path.exists(path):
        if not os.path.abspath(path).startswith(os.path.join(ROOT, 'build') + os.sep):
            raise Usage(f'{path} does not exist')
        if subprocess.run(['make', '-s', '-C', ROOT, target], stdout=sys.stderr, check=False).returncode:
            raise Failed(NO_GUEST, f'make {target} failed')
    return path


def alien():
    """The Alien OS machine that the environment asks for (KERNEL, INITRD, IMG, KEEP), as Run takes it."""
    env = os.environ.get
    kernel = env('KERNEL') or os.path.join(ROOT, 'build', 'kernel', 'alien.elf')
    m = {'kernel': ready(kernel, 'kernel'), 'append': 'console=ttyS0'}
    if env('INITRD'):
        m['initrd'] = ready(env('INITRD'), 'rootfs-tar')
    else:
        m['image'] = ready(env('IMG') or os.path.join(ROOT, 'build', 'guest', 'alien.img'), 'image')
        m['append'] += ' root=/dev/vda'
        m['keep'] = keep()
    return m


def linux():
    """The Linux reference machine: Debian's kernel, the guest's root as an initial RAM disk."""
    os.environ.setdefault('MEM', '512M')
    where, env = os.path.join(ROOT, 'build', 'guest', 'linux'), os.environ.get
    m = {'kernel': ready(env('KERNEL') or os.path.join(where, 'vmlinux'), 'linux-guest-ready'),
         'initrd': ready(env('INITRD') or os.path.join(where, 'initrd.cpio'), 'linux-guest-ready'),
         'image': EMPTY_DISK, 'append': 'console=ttyS0 rdinit=/linux-init panic=-1 quiet'}
    if env('IMG'):
        m.update(image=ready(env('IMG'), 'image'), keep=keep())
    return m


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Frames:
    """Reads the frames of the output file in order, as far as they are whole."""

    def __init__(self, fd):
        self.fd = fd
        self.at = SECTOR
        self.seq = 0

    def next(self):
        """(type, status, data) or None if the next one is not there yet."""
        head = os.pread(self.fd, FRAME.size, self.at)
        if len(head) < FRAME.size:
            return None
        magic, kind, seq, size, status, crc = FRAME.unpack(head)
        if magic != FRAME_MAGIC or seq != self.seq or size > FRAME_MAX - FRAME.size:
            return None
        data = os.pread(self.fd, size, self.at + FRAME.size)
        if zlib.crc32(head[:20] + bytes(12) + data) != crc:
            return None
        self.at += (FRAME.size + size + SECTOR - 1) // SECTOR * SECTOR
        self.seq += 1
        return kind, status, data


def disk_file(magic, token, data, size):
    """An unnamed file: head, data from sector 1, grown to `size` bytes."""
    f = tempfile.TemporaryFile(prefix='alien-run-')
    head = struct.pack('<8sIIII64s', magic, 1, len(data), zlib.crc32(data), 0, token.encode())
    f.write(head.ljust(SECTOR, b'\0') + data)
    f.flush()
    os.truncate(f.fileno(), max(size, -(-(SECTOR + len(data) + 1) // SECTOR) * SECTOR))
    return f


def emit(data):
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]


class Run:
    """One machine that runs one command."""

    def __init__(self, what, cmd):
        """`what`: kernel, append, initrd and image of the machine, keep as a flag."""
        self.token = secrets.token_hex(16)
        self.timeout = number('TIMEOUT', 300)
        self.boot_timeout = number('BOOT_TIMEOUT', 120)
        out_size = number('OUT_MAX', 1 << 30) // SECTOR * SECTOR
        self.cmd_file = disk_file(b'ALIENRUN', self.token, cmd, 0)
        self.out_file = disk_file(b'ALIENOUT', self.token, b'', out_size)
        log = os.environ.get('CONSOLE')
        self.console = open(log, 'w+b') if log else tempfile.TemporaryFile(prefix='alien-console-')
        fds = [f.fileno() for f in (self.cmd_file, self.out_file, self.console)]
        args = machine(what, f'alien.run={self.token}',
                       ['-display', 'none', '-monitor', 'none', '-serial', f'file:/dev/fd/{fds[2]}'])
        args += drive(f'/dev/fd/{fds[0]}', 'cmd', 'readonly=on')
        args += drive(f'/dev/fd/{fds[1]}', 'out', 'cache=unsafe')
        self.frames = Frames(fds[1])
        try:
            self.qemu = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=self.console, pass_fds=fds, preexec_fn=die_with_parent)
        except OSError as e:
            raise Failed(NO_GUEST, f'{args[0]}: {e.strerror}') from e

    def stop(self):
        if self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()

    def console_tail(self):
        size = os.fstat(self.console.fileno()).st_size
        text = os.pread(self.console.fileno(), 1 << 16, max(0, size - (1 << 16)))
        lines = text.replace(b'\r', b'').decode(errors='replace').splitlines()[-TAIL:]
        return ''.join(f'  | {line}\n' for line in lines)

    def step(self):
        """The next frame, or None after a pause; no frame from a dead machine is a failure."""
        ended = self.qemu.poll() is not None
        frame = self.frames.next()
        if frame is None and ended:
            raise Failed(NO_GUEST, f'the machine ended (status {self.qemu.returncode}) before the command did')
        if frame is None:
            time.sleep(POLL_S)
        return frame

    def wait_end(self):
        """Passes the output on; the command's exit status."""
        deadline, started = time.monotonic() + self.boot_timeout, False
        while True:
            frame = self.step()
            if frame is None:
                if time.monotonic() > deadline:
                    raise Failed(*((TIMED_OUT, f'timeout after {self.timeout} s') if started else
                                   (NO_GUEST, f'no boot within {self.boot_timeout} s')))
                continue
            kind, status, data = frame
            if kind == HELLO:
                deadline, started = time.monotonic() + self.timeout, True
            elif kind == DATA:
                emit(data)
            elif kind == END:
                return status

    def result(self):
        status = self.wait_end()
        try:
            left = self.qemu.wait(POWER_OFF_S)
        except subprocess.TimeoutExpired:
            raise Failed(NO_GUEST, f'no power-off within {POWER_OFF_S} s of the command\'s end') from None
        if left:
            raise Failed(NO_GUEST, f'the machine ended with status {left} after the command')
        return status


def read_command(args):
    if len(args) == 2 and args[0] == '-f':
        try:
            with open(args[1], 'rb') as f:
                cmd = f.read(CMD_MAX + 1)
        except OSError as e:
            raise Usage(f'{args[1]}: {e.strerror}') from e
    elif args == ['-']:
        cmd = sys.stdin.buffer.read(CMD_MAX + 1)
    elif len(args) == 1:
        cmd = os.fsencode(args[0])
    else:
        raise Usage('expected one command')
    if len(cmd) > CMD_MAX:
        raise Usage('the command is longer than 1 MiB')
    if b'\0' in cmd:
        raise Usage('the command contains a NUL byte')
    return cmd


def on_signal(sig, _frame):
    raise Failed(128 + sig, signal.Signals(sig).name)


def main(name, what, usage):
    """The whole of scripts/guest and scripts/linux-guest; `what` makes the machine's description."""
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, on_signal)
    running = None
    try:
        cmd = read_command(sys.argv[1:])
        machine_args = what()
        if machine_args.get('image'):
            lock_image(machine_args['image'], machine_args.get('keep'))
        running = Run(machine_args, cmd)
        return running.result()
    except Usage as e:
        sys.stderr.write(f'{name}: {e}\n{usage}')
        return 2
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except OSError as e:
        sys.stderr.write(f'{name}: {e.filename or ""}: {e.strerror}\n')
        return NO_GUEST
    except Failed as e:
        status, message = e.args
        sys.stderr.write(f'{name}: {message}\n')
        if status == NO_GUEST and running:
            sys.stderr.write(running.console_tail())
        return status
    finally:
        if running:
            running.stop()
