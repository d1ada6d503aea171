# SPDX-License-Identifier: ISC
"""doc/spec/message.md: what leaves of a message. Random letters come from the caller."""
import base64
import email.utils
import quopri
import re

from .names import refuse_unless

OWN = ('Resent-From', 'Resent-Sender', 'Resent-To', 'Resent-Cc', 'From', 'Sender', 'Reply-To', 'Disposition-Notification-To')
ORDER = [name.split() for name in (
    'Resent-From Resent-Sender Resent-To Resent-Cc Resent-Date', 'From', 'Sender', 'Reply-To', 'To', 'Cc', 'Subject', 'Date', 'Message-ID',
    'In-Reply-To', 'References', 'Comments', 'Keywords', 'Importance', 'Priority', 'X-Priority', 'Sensitivity', 'Auto-Submitted', 'Precedence',
    'Disposition-Notification-To', 'Autocrypt', 'MIME-Version', 'Content-Type', 'Content-Disposition', 'Content-Transfer-Encoding',
    'Content-Description')]
PART_ORDER = ['Content-Type', 'Content-Disposition', 'Content-Transfer-Encoding', 'Content-ID', 'Content-Description']
PARAMETERS = 'charset format delsp protocol micalg smime-type report-type type start method name boundary'.split()
ONCE = {'from', 'sender', 'reply-to', 'to', 'cc', 'subject', 'date', 'message-id', 'in-reply-to', 'references', 'mime-version', *map(str.lower, PART_ORDER)}
ENCODINGS = {'7bit', '8bit', 'binary', 'base64', 'quoted-printable'}
TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")


class Leaving:
    def __init__(self, own, now, name, boundaries, cids):
        """name: the 26 letters of the Message-ID; boundaries: those of each boundary, in order; cids: those of each Content-ID."""
        self.own, self.now, self.name, self.boundaries, self.cids = own, now, name, iter(boundaries), cids

    def cid(self, name):
        return self.cids.get(name, name.removesuffix('@cid')) + '@cid'

    # ---- the header

    def message(self, text):
        fields, body = split(text)
        given = {}
        for name, value in fields:
            given.setdefault(name.lower(), []).append(value)
        given.setdefault('from', [self.own])
        refuse_unless(all(len(values) == 1 for name, values in given.items() if name in ONCE), 'a field twice')
        moment = email.utils.parsedate_to_datetime(given['date'][0]).timestamp() if 'date' in given else self.now
        given['date'] = [email.utils.formatdate(moment // 60 * 60).replace('-0000', '+0000')]
        given['message-id'] = [f'<{self.name}@{self.own.partition("@")[2]}>']
        head = ''
        kind = Entity(self, given, body, ('text', 'plain'))
        if {'mime-version', 'content-type', 'content-disposition', 'content-transfer-encoding', 'content-description'} & given.keys():
            given['mime-version'] = ['1.0']
        for name in (name for group in ORDER for name in group):
            for value in given.get(name.lower(), []):
                value = kind.value(name) if name.startswith('Content-') else self.value(name, value)
                head += fold(f'{name}: {value}') if value else ''
        return head + '\r\n' + kind.content()

    def value(self, name, value):
        if name in OWN and email.utils.parseaddr(value)[1].lower() != self.own:
            refuse_unless(name not in ('From', 'Reply-To'), f'{name} of another')
            return None
        if name == 'Autocrypt' and not re.search(r'(?:^|;)\s*addr=' + re.escape(self.own) + ';', value):
            return None
        return value


def split(text):
    """Fields, unfolded, and what stands behind the empty line."""
    if text.startswith('\r\n'):
        return [], text[2:]
    header, _, body = text.partition('\r\n\r\n')
    fields = []
    for line in re.split('\r\n(?![ \t])', header):
        name, colon, value = line.partition(':')
        refuse_unless(colon and re.fullmatch('[!-9;-~]+', name), 'no field')
        fields.append((name, re.sub('[ \t]*\r\n[ \t]+', ' ', value).strip(' \t')))
    return fields, body


def fold(line):
    lines = ['']
    between = '(?<=;) (?=[a-z-]+[*]?=)' if re.match('Content-(Type|Disposition):', line) else '(?<=[^ ]) (?=[^ ])'
    for word in re.split(between, line):
        # a boundary has a line of its own
        if lines[-1] and (len(lines[-1]) + 1 + len(word) > 76 or word.startswith('boundary=')):
            lines.append(' ' + word)
        else:
            lines[-1] += ' ' * bool(lines[-1]) + word
    return '\r\n'.join(lines) + '\r\n'


def parameters(value):
    """What stands in front of the first `;`, and the parameters, those in pieces put together (RFC 2231)."""
    first, *rest = re.findall(r'(?:"(?:\\.|[^"\\])*"|[^;"])+', value)
    found, pieces = [], {}
    for parameter in rest:
        name, equals, text = parameter.strip().partition('=')
        refuse_unless(equals, 'parameter')
        name, text = name.lower().strip(), text.strip()
        if text.startswith('"'):
            text = re.sub(r'\\(.)', r'\1', text[1:-1])
        base, star, number = name.partition('*')
        refuse_unless(not (base == 'boundary' and (star or any(name == 'boundary' for name, _ in found))), 'boundary')
        if star:
            pieces.setdefault(base, []).append((int(number.rstrip('*') or 0), number.endswith('*') or not number, text))
        else:
            found.append((name, text))
    for base, parts in pieces.items():
        charset, octets = 'utf-8', b''
        for number, encoded, text in sorted(parts):
            if encoded and number == 0:
                charset, _, text = text.split("'", 2)
            octets += re.sub(rb'%(..)', lambda code: bytes.fromhex(code[1].decode()), text.encode()) if encoded else text.encode()
        found.append((base, octets.decode(charset)))
    return first.strip().lower(), dict(found)


def written(name, text):
    if name in ('name', 'filename'):
        text = re.split(r'[/\\]', text)[-1]
    if name in PARAMETERS[:8]:
        text = text.lower()
    if not text.isascii():
        return f"{name}*=utf-8''" + ''.join(chr(o) if TOKEN.fullmatch(chr(o)) and chr(o) not in "*'%" else f'%{o:02X}' for o in text.encode())
    return f'{name}={text}' if TOKEN.fullmatch(text) else f'{name}="' + re.sub(r'(["\\])', r'\\\1', text) + '"'


class Entity:
    """A message or a part: its Content fields, and what is in it."""

    def __init__(self, leaving, given, body, default, around=()):
        self.leaving, self.given, self.body, self.around = leaving, given, body, around
        self.type, self.parameters = parameters(given['content-type'][0]) if 'content-type' in given else ('/'.join(default), {})
        refuse_unless(re.fullmatch('[^/ ]+/[^/ ]+', self.type), 'type')
        self.encoding = given.get('content-transfer-encoding', ['7bit'])[0].lower()
        refuse_unless(self.encoding in ENCODINGS, 'encoding')
        self.theirs, self.ours = self.parameters.get('boundary'), None
        if self.type.startswith('multipart/'):
            refuse_unless(self.theirs, 'a multipart without a boundary')
            refuse_unless(not any(self.theirs.removesuffix('--') == other.removesuffix('--') for other in around), 'the same boundary')
            self.ours = '=_' + next(leaving.boundaries)

    def value(self, name):
        value = self.given[name.lower()][0]
        if name == 'Content-Type':
            kept = dict(self.parameters, boundary=self.ours) if self.ours else self.parameters
            if 'start' in kept:
                kept = dict(kept, start='<' + self.leaving.cid(kept['start'].strip('<>')) + '>')
            return '; '.join([self.type, *(written(each, kept[each]) for each in PARAMETERS if each in kept)])
        if name == 'Content-Disposition':
            kind, kept = parameters(value)
            return '; '.join([kind, *([written('filename', kept['filename'])] if 'filename' in kept else [])])
        if name == 'Content-ID':
            return '<' + self.leaving.cid(value.strip('<>')) + '>'
        if name == 'Content-Description' and re.match('application/(pgp|pkcs7)-', self.type):
            return None
        return self.encoding if name == 'Content-Transfer-Encoding' else value

    def header(self):
        values = [(name, self.value(name)) for name in PART_ORDER if name.lower() in self.given]
        return ''.join(fold(f'{name}: {value}') for name, value in values if value) + '\r\n'

    def content(self):
        if self.ours:
            return self.multipart()
        return self.html() if self.type == 'text/html' else self.body

    def multipart(self):
        parts, part, ended = [], None, False
        for line in self.body.split('\r\n'):
            line_is = line.rstrip(' \t')
            if not ended and line_is in (f'--{self.theirs}', f'--{self.theirs}--'):
                parts += [part] if part is not None else []
                part, ended = [], line_is.endswith('--') and line_is != f'--{self.theirs}'
            elif part is not None and not ended:
                part.append(line)
        if part and not ended:
            parts.append(part)
        refuse_unless(parts, 'no such line follows')
        out = ''
        for number, part in enumerate('\r\n'.join(part) for part in parts):
            if self.type != 'multipart/signed' or number:
                fields, body = split(part)
                given = {}
                for name, value in fields:
                    given.setdefault(name.lower(), []).append(value)
                refuse_unless(all(len(values) == 1 for name, values in given.items() if name in ONCE), 'a field twice')
                entity = Entity(self.leaving, given, body, ('text', 'plain'), (*self.around, self.theirs))
                header = entity.header()
                part = header + entity.content().removesuffix('\r\n' if entity.ours else '\0')
            out += f'--{self.ours}\r\n{part}\r\n'
        return out + f'--{self.ours}--\r\n'

    def html(self):
        reference = re.compile(r'''(?<=["'(=;])cid:([^"'()<>; ]+)''')
        if self.encoding == 'base64':
            text = base64.b64decode(self.body).decode('latin-1')
            ours = reference.sub(lambda found: 'cid:' + self.leaving.cid(found[1]), text)
            return self.body if ours == text else base64.encodebytes(ours.encode('latin-1')).decode().rstrip('\n').replace('\n', '\r\n')
        if self.encoding == 'quoted-printable':
            # each octet of the text with how it is written, so that only what changes is written anew
            units = [(quopri.decodestring(unit).decode('latin-1'), unit) for unit in re.findall('(?:=\r\n)*(?:=[0-9A-Fa-f]{2}|\r\n|[^=])', self.body)]
            text, out, at = ''.join(octet[-1:] for octet, _ in units), '', 0
            for found in reference.finditer(text):
                out += ''.join(unit for _, unit in units[at:found.start()]) + '=\r\ncid:' + self.leaving.cid(found[1]) + '=\r\n'
                at = found.end()
                units[at:at + 1] = [(octet, unit.removeprefix('=\r\n')) for octet, unit in units[at:at + 1]]
            return out + ''.join(unit for _, unit in units[at:])
        return reference.sub(lambda found: 'cid:' + self.leaving.cid(found[1]), self.body)
