# SPDX-License-Identifier: ISC
"""Ed25519 (RFC 8032, section 5.1), slow and plain."""
import hashlib

P = 2 ** 255 - 19
L = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1, 1, 0)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode(point):
    inverse = pow(point[2], -1, P)
    return (point[1] * inverse % P | (point[0] * inverse % P & 1) << 255).to_bytes(32, 'little')


def decode(octets):
    """The point, or None when the octets are no canonical encoding of one."""
    number = int.from_bytes(octets, 'little')
    sign, y = number >> 255, number & (1 << 255) - 1
    if len(octets) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, 'little'))


def is_identity(point):
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def is_of_prime_order(octets):
    point = decode(octets)
    return point is not None and not is_identity(point) and is_identity(multiply(L, point))


def sha512(*parts):
    return int.from_bytes(hashlib.sha512(b''.join(parts)).digest(), 'little')


def expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], 'little') & ((1 << 254) - 8) | 1 << 254
    return scalar, digest[32:]


def public_key(seed):
    return encode(multiply(expand(seed)[0], BASE))


def sign(seed, text):
    scalar, prefix = expand(seed)
    public = encode(multiply(scalar, BASE))
    nonce = sha512(prefix, text) % L
    r = encode(multiply(nonce, BASE))
    return r + ((nonce + sha512(r, public, text) * scalar) % L).to_bytes(32, 'little')


def verify(public, text, signature):
    point = decode(public)
    s = int.from_bytes(signature[32:], 'little')
    if len(signature) != 64 or point is None or s >= L or is_identity(multiply(8, point)):
        return False
    challenge = sha512(signature[:32], public, text) % L
    minus = (P - point[0], point[1], 1, P - point[3])
    return encode(add(multiply(s, BASE), multiply(challenge, minus))) == signature[:32]
