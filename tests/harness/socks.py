# SPDX-License-Identifier: ISC
"""SOCKS5 with a name and password, which tor takes for who is asking: another name, another circuit."""
import socket


class Refused(OSError):
    pass


def _exactly(sock, count):
    data = b''
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise Refused('the proxy hung up')
        data += more
    return data


def connect(proxy, host, port, name, timeout_s):
    """A socket that is connected to host:port through the proxy, or Refused."""
    sock = socket.create_connection(proxy, timeout=timeout_s)
    try:
        sock.sendall(b'\x05\x01\x02')
        if _exactly(sock, 2) != b'\x05\x02':
            raise Refused('the proxy wants no name')
        sock.sendall(b'\x01%c%s\x01x' % (len(name), name.encode()))
        if _exactly(sock, 2) != b'\x01\x00':
            raise Refused('the proxy refuses the name')
        sock.sendall(b'\x05\x01\x00\x03%c%s%s' % (len(host), host.encode(), port.to_bytes(2, 'big')))
        code = _exactly(sock, 10)[1]
        if code != 0:
            raise Refused(f'the proxy says {code:#x}')
        return sock
    except BaseException:
        sock.close()
        raise
