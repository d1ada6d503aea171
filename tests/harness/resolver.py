# SPDX-License-Identifier: ISC
"""A DNS server that knows nothing and remembers what it was asked."""
import socket
import struct
import threading

NO_SUCH_NAME = 0x8183  # a response, recursion available, RCODE 3


def _name(question):
    """The name at the start of a question (RFC 1035 4.1.2), lower case."""
    labels, at = [], 0
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode('latin-1').lower())
        at += 1 + question[at]
    return '.'.join(labels), at + 5


class Resolver:
    def __init__(self, namespace, address):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 53))
        self.socket.settimeout(0.5)
        self.names = []
        self.ends = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.ends:
            try:
                query, client = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            name, end = _name(query[12:])
            self.names.append(name)
            self.socket.sendto(query[:2] + struct.pack('!5H', NO_SUCH_NAME, 1, 0, 0, 0) + query[12:12 + end], client)

    def close(self):
        self.ends = True
        self.thread.join()
        self.socket.close()
