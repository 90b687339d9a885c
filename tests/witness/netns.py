#!/usr/bin/env python3
"""A network namespace in which every IPv4 address is local, with redirects: what a pod's network is to its proxy.

netns.py run PROGRAM ARGUMENT..    runs the program in a new user and network namespace, every address on its loopback device
netns.py rules < FILE              inside: replaces the rules with those of the file, one per line:
    dnat SOURCE DESTINATION PORT UNLESSMARK ADDRESS PORT    `-` stands for any; a connection that fits goes to the address instead
    accept DESTINATION PORT                                 what may arrive; `-` stands for any port; ADDRESS or ADDRESS/8, /16, /24
    drop                                                    everything else of TCP is dropped without a word

Only the kernel and Python are needed: nftables is spoken to over netlink. Exit code 77: this machine does not permit it.
"""
import ctypes
import fcntl
import os
import socket
import struct
import sys

NEWUSER, NEWNET = 0x10000000, 0x40000000
ROUTE, NETFILTER = 0, 12


class Refused(Exception):
    pass


def attribute(kind, data, nested=False):
    length = 4 + len(data)
    return struct.pack('=HH', length, kind | (0x8000 if nested else 0)) + data + b'\0' * (-length % 4)


def nest(kind, *parts):
    return attribute(kind, b''.join(parts), True)


def number(kind, value):
    return attribute(kind, struct.pack('>I', value))


def text(kind, value):
    return attribute(kind, value.encode() + b'\0')


def talk(family, messages):
    """Sends messages of (type, flags, body) and waits until each that asks for it is acknowledged."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    link.bind((0, 0))
    link.settimeout(5)
    wanted, data = set(), b''
    for sequence, (kind, flags, body) in enumerate(messages, 1):
        data += struct.pack('=IHHII', 16 + len(body), kind, flags | 1, sequence, 0) + body + b'\0' * (-len(body) % 4)
        if flags & 4:
            wanted.add(sequence)
    link.send(data)
    while wanted:
        answer = link.recv(1 << 16)
        while answer:
            length, kind, _, sequence, _ = struct.unpack('=IHHII', answer[:16])
            if kind == 2:
                error = -struct.unpack('=i', answer[16:20])[0]
                if error:
                    raise Refused(f'message {sequence} of {len(messages)}: {os.strerror(error)}')
                wanted.discard(sequence)
            answer = answer[(length + 3) & ~3:]
    link.close()


def enter():
    """A new network namespace, with a user namespace around it unless it can be had without."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEWNET | NEWUSER) != 0:
        raise Refused(f'no user and network namespace: {os.strerror(ctypes.get_errno())}')
    for name, line in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {group} 1')):
        with open(f'/proc/self/{name}', 'w') as file:
            file.write(line)


def all_local():
    """The loopback device up, and every address on it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack('16sh14x', b'lo', 0x1 | 0x40)
        fcntl.ioctl(any_socket, 0x8914, request)
    header = struct.pack('=BBBBBBBBI', socket.AF_INET, 0, 0, 0, 255, 3, 254, 2, 0)
    route = header + attribute(4, struct.pack('=I', socket.if_nametoindex('lo')))
    talk(ROUTE, [(24, 4 | 0x400, route)])


def expression(name, *parts):
    return nest(1, text(1, name), nest(2, *parts))


def is_equal(data, unless=False):
    return expression('cmp', number(1, 8), number(2, 1 if unless else 0), nest(3, attribute(1, data)))


def load(base, offset, length):
    return expression('payload', number(1, 8), number(2, base), number(3, offset), number(4, length))


def address_is(offset, written):
    address, _, bits = written.partition('/')
    size = int(bits or 32) // 8
    return load(1, offset, size) + is_equal(socket.inet_aton(address)[:size])


def is_tcp():
    return expression('meta', number(1, 8), number(2, 16)) + is_equal(b'\6')


def conditions(source, destination, port, mark):
    parts = is_tcp()
    if source != '-':
        parts += address_is(12, source)
    if destination != '-':
        parts += address_is(16, destination)
    if port != '-':
        parts += load(2, 2, 2) + is_equal(struct.pack('>H', int(port)))
    if mark != '-':
        parts += expression('meta', number(1, 8), number(2, 3)) + is_equal(struct.pack('=I', int(mark)), unless=True)
    return parts


def immediate(register, data):
    return expression('immediate', number(1, register), nest(2, attribute(1, data)))


def verdict(code):
    return expression('immediate', number(1, 0), nest(2, nest(2, attribute(1, struct.pack('>i', code)))))


def to_address(address, port):
    load_both = immediate(9, socket.inet_aton(address)) + immediate(10, struct.pack('>H', int(port)))
    return load_both + expression('nat', number(1, 1), number(2, 2), number(3, 9), number(5, 10))


def rule(line):
    """The chain and the expressions of a line."""
    word, *rest = line.split()
    if word == 'dnat':
        source, destination, port, mark, address, target = rest
        return 'out', conditions(source, destination, port, mark) + to_address(address, target)
    if word == 'accept':
        return 'in', conditions('-', rest[0], rest[1], '-') + verdict(1)
    if word == 'drop':
        return 'in', is_tcp() + verdict(0)
    raise Refused(f'not a rule: {line}')


def nft(kind, flags, body):
    return (10 << 8 | kind, flags, struct.pack('=BBH', 2, 0, 0) + body)


def replace_rules(lines):
    name = text(1, 'lab')
    chain = lambda of, kind, hook, priority: nft(3, 4 | 0x400, name + text(3, of) + nest(
        4, number(1, hook), attribute(2, struct.pack('>i', priority))) + text(7, kind))
    begin = (0x10, 0, struct.pack('=BBH', 0, 0, socket.htons(10)))
    end = (0x11, 0, begin[2])
    fresh = [nft(0, 4 | 0x400, name), nft(2, 4, name), nft(0, 4 | 0x400, name)]
    chains = [chain('out', 'nat', 3, -100), chain('in', 'filter', 1, 0)]
    rules = []
    for line in filter(str.strip, lines):
        of, expressions = rule(line)
        rules.append(nft(6, 4 | 0x400 | 0x800, name + text(2, of) + nest(4, expressions)))
    talk(NETFILTER, [begin] + fresh + chains + rules + [end])


def main():
    try:
        if sys.argv[1] == 'run':
            enter()
            all_local()
            replace_rules([])
            os.execvp(sys.argv[2], sys.argv[2:])
        replace_rules(sys.stdin.read().splitlines())
    except (Refused, OSError) as why:
        print(f'netns: {why}', file=sys.stderr)
        sys.exit(77)


main()
