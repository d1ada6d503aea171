# SPDX-License-Identifier: ISC
"""Reading and writing with the mail programs that people have, set up as `smtorp mua` says."""
import fcntl
import hashlib
import mailbox as maildirs
import os
import pathlib
import pty
import re
import select
import ssl
import struct
import subprocess
import termios

import pytest

from harness import account
from harness.programs import run, swaks
from harness.waiting import until


@pytest.fixture
def desk():
    """A folder for bob's mail program."""
    folder = pathlib.Path(account.own(account.work_folder()))
    yield folder
    account.remove(folder)


def file_for(desk, name, text):
    path = desk / name
    path.write_text(text)
    path.chmod(0o600)
    account.own(path)
    return path


def on_terminal(node, text, *command):
    """Runs a program on a terminal of 200 columns until it has shown the text; what it has shown."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 200, 0, 0))
    # setsid makes it the controlling terminal, /dev/tty
    process = subprocess.Popen(['setsid', '--ctty', *(str(word) for word in command)], cwd=node.folder,
                               env={**node.environment(), 'TERM': 'xterm'},
                               stdin=slave, stdout=slave, stderr=slave, **account.popen_arguments())
    os.close(slave)
    shown = b''

    def look():
        nonlocal shown
        if select.select([master], [], [], 0.2)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                raise AssertionError(f'{command} has ended: {shown}') from None
        return text.encode() in shown
    try:
        until(look, 30, f'{text!r} on the terminal')
    finally:
        process.terminate()
        process.wait(10)
        os.close(master)
    return shown.decode(errors='replace')


def test_isync_reads(running, subject, desk):
    bob = running.bob
    swaks(running.alice, [bob.address], '--header', f'Subject: {subject}')
    with bob.mailbox() as mailbox:
        mailbox.wait_for(subject)
    host, port = bob.node.endpoint('imap')
    config = file_for(desk, 'mbsyncrc', f'''
IMAPAccount bob
Host {host}
Port {port}
User {bob.login}
Pass {bob.password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account bob

MaildirStore near
Path {desk}/
Inbox {desk}/inbox

Channel all
Far :far:
Near :near:
Create Near
Sync Pull
''')
    run(bob.node, 'mbsync', '-c', config, 'all')
    subjects = [message['Subject'] for message in maildirs.Maildir(desk / 'inbox')]
    assert subjects.count(subject) == 1


def test_fetchmail_over_imaps(running, subject, desk):
    bob = running.bob
    swaks(running.alice, [bob.address], '--header', f'Subject: {subject}')
    with bob.mailbox() as mailbox:
        mailbox.wait_for(subject)
    host, port = bob.node.endpoint('imaps')
    config = file_for(desk, 'fetchmailrc', f'poll {host} service {port} proto imap user "{bob.login}" '
                      f'password "{bob.password}" ssl keep fetchall mda "cat >> {desk}/got"\n')
    run(bob.node, 'fetchmail', '-f', config, '--nosslcertck', '--idfile', desk / 'ids', '--pidfile', desk / 'pid')
    assert f'Subject: {subject}' in (desk / 'got').read_text(errors='replace')


def test_neomutt_with_the_printed_settings(running, subject, desk):
    """The muttrc that `smtorp mua` prints sends through smtorp-sendmail and reads over IMAP."""
    alice, bob = running.alice, running.bob
    for identity in (alice, bob):
        text = running.a.cli('mua', 'alice', '--client', 'mutt').stdout if identity is alice else \
            running.b.cli('mua', 'bob', '--client', 'mutt').stdout
        file_for(desk, f'muttrc-{identity.name}', text)
    run(alice.node, 'neomutt', '-n', '-F', desk / 'muttrc-alice', '-e', f'set imap_pass="{alice.password}"', '-s', subject,
        '--', bob.address, input='written in neomutt: grüße\n')
    with bob.mailbox() as mailbox:
        got = mailbox.message(mailbox.wait_for(subject))
    assert 'grüße' in got.get_content() and got['From'].addresses[0].addr_spec == alice.address
    shown = on_terminal(bob.node, subject, 'neomutt', '-n', '-F', desk / 'muttrc-bob', '-e', f'set imap_pass="{bob.password}"')
    assert subject in shown and '[y/n]' not in shown and '(o)nce' not in shown  # no question about the certificate
    # with Debian's own neomuttrc, which hides what it does not know, the node's verdict is seen
    on_terminal(bob.node, 'SMTorP-Verdict: proved; sender=alice', 'neomutt', '-F', desk / 'muttrc-bob', '-e', f'set imap_pass="{bob.password}"',
                '-e', f'push "<limit>~s {subject}<enter><display-message>"')
    # who types the password types it once: another folder is opened on the same connection
    on_terminal(bob.node, 'in another folder', 'neomutt', '-n', '-d', '2', '-l', desk / 'log', '-F', desk / 'muttrc-bob',
                '-e', f'set imap_pass="{bob.password}"', '-e', 'push "<change-folder>=Waiting<enter>:echo \'in another folder\'<enter>"')
    assert (desk / 'log0').read_text().count('Connected to localhost') == 1


def test_generic_and_thunderbird_settings_name_the_endpoints(running):
    endpoints = running.a.status()['endpoints']
    for client in ('generic', 'thunderbird'):
        text = running.a.cli('mua', 'alice', '--client', client).stdout
        assert running.alice.login in text
        assert str(endpoints['imap']['port']) in text or str(endpoints['imaps']['port']) in text
        assert re.search(rf"\b({endpoints['submission']['port']}|{endpoints['submissions']['port']})\b", text)


def test_aerc_with_the_printed_settings(running, subject, desk):
    """With the password from a command, and the certificate as the first lines say: it asks nothing."""
    alice, bob = running.alice, running.bob
    swaks(alice, [bob.address], '--header', f'Subject: {subject}')
    with bob.mailbox() as mailbox:
        mailbox.wait_for(subject)
    text = running.b.cli('mua', 'bob', '--client', 'aerc').stdout
    certificate = re.search(r'SSL_CERT_FILE=(\S+) aerc', text)[1]
    (desk / 'aerc').mkdir()
    account.own(desk / 'aerc')
    file_for(desk, 'password', bob.password)
    file_for(desk, 'aerc/accounts.conf', f'{text}source-cred-cmd = cat {desk}/password\n')
    shown = on_terminal(bob.node, subject, 'env', f'SSL_CERT_FILE={certificate}', f'XDG_CONFIG_HOME={desk}', f'HOME={desk}', 'aerc')
    assert subject in shown


def test_a_profile_for_thunderbird_is_made_once_and_names_everything(running, desk):
    """tests/manual/thunderbird shows it to eyes."""
    profile = desk / 'profile'
    said = running.a.cli('mua', 'alice', '--profile', str(profile)).stdout
    assert f'thunderbird --profile {profile}' in said
    assert profile.stat().st_mode & 0o777 == 0o700 and sorted(f.name for f in profile.iterdir()) == ['cert_override.txt', 'user.js']
    settings = dict(re.findall(r'^user_pref\("([^"]+)", "?(.*?)"?\);$', (profile / 'user.js').read_text(), re.M))
    hash_of = hashlib.sha256(ssl.PEM_cert_to_DER_cert((running.a.home / 'node' / 'tls.crt').read_text())).hexdigest()
    for server, name in (('mail.server.server1', 'imaps'), ('mail.smtpserver.smtp1', 'submissions')):
        port = running.a.endpoint(name)[1]
        assert (settings[f'{server}.hostname'], settings[f'{server}.port']) == ('localhost', str(port))
        assert running.alice.login in (settings.get(f'{server}.userName'), settings.get(f'{server}.username'))
        assert f'localhost:{port}:\t' in (profile / 'cert_override.txt').read_text()
    assert hash_of in (profile / 'cert_override.txt').read_text().replace(':', '').lower()
    again = running.a.cli('mua', 'alice', '--profile', str(profile), check=False)
    assert again.returncode == 5 and 'was not changed' in again.stderr
    assert running.a.cli('mua', 'alice', '--client', 'mutt', '--profile', str(desk / 'x'), check=False).returncode == 2
