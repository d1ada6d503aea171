# SPDX-License-Identifier: ISC
"""What a node's machine sends: a machine of its own (a network namespace) on a cable to another, on which tor's network
is, and every packet on that machine written down. Needs root."""
import collections
import ipaddress
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading

from .netns import NetworkNamespace

NODE, NODE_6 = '10.77.0.2', 'fd77::2'
TORLAND, TORLAND_6 = '10.77.0.1', 'fd77::1'

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
NEIGHBOURS = {133, 134, 135, 136, 143}  # ICMPv6 by which two kernels find each other on a cable
SHOWN_BYTES = 192


class Cable:
    """The node's machine, whose way to everywhere (and whose resolver) is the other machine, which goes nowhere itself."""

    def __init__(self, folder):
        """folder: for the files that the node's machine has instead of those in /etc; there may be some of the caller's already."""
        (folder / 'resolv.conf').write_text(f'nameserver {TORLAND}\nnameserver {TORLAND_6}\noptions attempts:1 timeout:1\n')
        (folder / 'nsswitch.conf').write_text('passwd: files\ngroup: files\nhosts: files dns\n')
        mounts = ' && '.join([f'mount --bind {folder}/{name} /etc/{name}' for name in os.listdir(folder)] +
                             ['{ [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd; }'])  # its daemon asks elsewhere
        self.torland = NetworkNamespace()
        self.machine = NetworkNamespace(files=True, prepare=mounts)
        self.machine.ip('link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', str(self.torland.holder.pid))
        for namespace, address, address_6 in ((self.torland, TORLAND, TORLAND_6), (self.machine, NODE, NODE_6)):
            namespace.ip('addr', 'add', f'{address}/24', 'dev', 'cable')
            namespace.ip('addr', 'add', f'{address_6}/64', 'dev', 'cable', 'nodad')
            namespace.ip('link', 'set', 'cable', 'up')
        self.machine.ip('route', 'add', 'default', 'via', TORLAND)
        self.machine.ip('-6', 'route', 'add', 'default', 'via', TORLAND_6)

    def close(self):
        self.machine.close()
        self.torland.close()


def relays(network):
    """Where the routers of a private network listen, as (address, port)."""
    found = set()
    for torrc in pathlib.Path(network.folder).glob('*/torrc'):
        found |= {(host, int(port)) for host, port in re.findall(r'^(?:OR|Dir)Port ([\d.]+):(\d+)', torrc.read_text(), re.M)}
    return found


class Packet(collections.namedtuple('Packet', 'interface leaves protocol source source_port target target_port')):
    """protocol: its number; 'arp' and the like for what is no IP; ports: type of ICMP, or 0."""

    def ends(self):
        return (self.source, self.source_port), (self.target, self.target_port)


def parse(bytes_, interface, kind, ethertype):
    if ethertype == 0x0800:
        protocol, at = bytes_[9], (bytes_[0] & 15) * 4
        source, target = bytes_[12:16], bytes_[16:20]
    elif ethertype == 0x86dd:
        protocol, at = bytes_[6], 40
        if protocol == 0 and bytes_[40] == socket.IPPROTO_ICMPV6:  # multicast listeners say so after a hop-by-hop option
            protocol, at = socket.IPPROTO_ICMPV6, 48
        source, target = bytes_[8:24], bytes_[24:40]
    else:
        return Packet(interface, kind == PACKET_OUTGOING, f'ethertype {ethertype:04x}', '', 0, '', 0)
    ports = (0, 0)
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        ports = struct.unpack('!HH', bytes_[at:at + 4])
    elif protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
        ports = (bytes_[at], 0)
    return Packet(interface, kind == PACKET_OUTGOING, protocol, str(ipaddress.ip_address(source)), ports[0],
                  str(ipaddress.ip_address(target)), ports[1])


class Record:
    """Every packet on every interface of a namespace, from now on."""

    def __init__(self, namespace):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.settimeout(0.5)
        self.packets = collections.Counter()
        self.lock = threading.Lock()
        self.ends = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while not self.ends:
            try:
                bytes_, (interface, ethertype, kind, *_) = self.socket.recvfrom(SHOWN_BYTES)
            except TimeoutError:
                continue
            with self.lock:
                self.packets[parse(bytes_, interface, kind, ethertype)] += 1

    def seen(self):
        """What was seen up to now, as {Packet: how often}."""
        dropped = struct.unpack('II', self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        assert dropped == 0, f'{dropped} packets were missed'
        with self.lock:
            return dict(self.packets)

    def forget(self):
        with self.lock:
            self.packets.clear()

    def close(self):
        self.ends = True
        self.thread.join()
        self.socket.close()


def leaks(packets, tor_at, listeners):
    """Those of the packets that are neither between this machine and one of tor's relays, nor between its loopback and one
    of the ports that the owner's mail program uses."""
    def may_be(packet):
        if packet.protocol == 'ethertype 0806' or (packet.protocol == socket.IPPROTO_ICMPV6 and packet.source_port in NEIGHBOURS):
            return packet.interface == 'cable'
        ends = packet.ends()
        if packet.protocol != socket.IPPROTO_TCP:
            return False
        if packet.interface == 'lo':
            return packet.source == packet.target == '127.0.0.1' and any(port in listeners for _, port in ends)
        return (ends[1] in tor_at and packet.source == NODE) if packet.leaves else (ends[0] in tor_at and packet.target == NODE)
    return [packet for packet in packets if not may_be(packet)]


Socket = collections.namedtuple('Socket', 'kind state local peer pids')


def sockets(namespace):
    """Every Internet socket in the namespace, and whose it is."""
    text = subprocess.run([*namespace.prefix[:2], 'ss', '-Hnap', '-A', 'tcp,udp,raw,dccp,sctp'], capture_output=True, text=True,
                          check=True).stdout
    rows = []
    for line in text.splitlines():
        kind, state, _, _, local, peer, *users = line.split()
        pids = {int(pid) for pid in re.findall(r'pid=(\d+)', ' '.join(users))}
        rows.append(Socket(kind, state, local, peer, pids))
    return rows
