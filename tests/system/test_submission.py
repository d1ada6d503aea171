# SPDX-License-Identifier: ISC
"""The owner's side: submission on loopback and smtorp-sendmail."""
import base64
import smtplib
import ssl
import time

import pytest

from harness.programs import run, swaks

pytestmark = pytest.mark.sanitized


def connect(identity, endpoint='submission', starttls=False):
    host, port = identity.node.endpoint(endpoint)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if endpoint == 'submissions':
        return smtplib.SMTP_SSL(host, port, timeout=30, context=context)
    session = smtplib.SMTP(host, port, timeout=30)
    if starttls:
        session.starttls(context=context)
    return session


@pytest.mark.parametrize('endpoint, more', [
    ('submission', ['--auth', 'PLAIN']), ('submission', ['--auth', 'LOGIN']),
    ('submission', ['--tls', '--auth', 'PLAIN']), ('submissions', ['--tls-on-connect', '--auth', 'LOGIN'])])
def test_plain_starttls_and_tls(running, subject, endpoint, more):
    swaks(running.alice, [running.bob.address], '--header', f'Subject: {subject}', *more, endpoint=endpoint)
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_no_mail_without_a_login(running):
    with connect(running.alice) as session:
        session.ehlo('x')
        assert session.docmd(f'MAIL FROM:<{running.alice.address}>')[0] == 530


def test_wrong_passwords(running):
    with connect(running.alice) as session:
        for _ in range(2):
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                session.login(running.alice.login, 'wrong')
            assert refused.value.smtp_code == 535


def guess(running, login, password):
    """The reply, and how long it took."""
    with connect(running.alice) as session:
        session.ehlo('x')
        begun = time.monotonic()
        said = base64.b64encode(f'\0{login}\0{password}'.encode()).decode()
        return session.docmd('AUTH', f'PLAIN {said}')[0], time.monotonic() - begun


def test_passwords_cannot_be_guessed_in_many_sessions(running):
    """Each wrong one makes the next slower, in whatever session; the right one is taken all the same."""
    login = running.alice.login
    answers = [guess(running, login.upper() if number % 2 else login, f'wrong {number}') for number in range(7)]
    assert all(code == 535 for code, _ in answers)
    assert answers[5][1] >= 1 and answers[6][1] >= 2, answers
    assert guess(running, login, running.alice.password)[0] == 235


def test_pauses_do_not_tell_which_logins_there_are(running):
    """Another user of the machine finds that one that there is not is as slow, and by itself alone."""
    name, onion = running.alice.login.split('@')
    answers = [guess(running, f'x{name}@{onion}', f'wrong {number}') for number in range(6)]
    assert all(code == 535 for code, _ in answers)
    assert answers[5][1] >= 1, answers
    others = [guess(running, f'{other}{name}@{onion}', 'wrong')[1] for other in ('y', 'z')]
    assert min(others) < 1, others  # one of them may share its place with another by chance


def test_another_identitys_password_is_wrong(running):
    with connect(running.alice) as session, pytest.raises(smtplib.SMTPAuthenticationError):
        session.login(running.alice.login, running.work.password)


def test_the_sender_must_be_the_logins_own(running):
    with connect(running.alice, starttls=True) as session:
        session.login(running.alice.login, running.alice.password)
        for foreign in (running.work.address, running.bob.address, 'alice@example.com'):
            code, text = session.mail(foreign)
            assert code == 550 and running.alice.address.encode() in text
            session.rset()
        assert session.mail(f'alice+shop@{running.alice.onion}')[0] == 250


def test_a_foreign_from_header_is_refused(running):
    """A mail program with two accounts must not send one identity's mail as the other."""
    result = swaks(running.alice, [running.bob.address], '--h-From', f'<{running.work.address}>', check=False)
    assert result.returncode != 0 and '550 5.7.1' in result.stdout


def test_clearnet_recipients_are_refused_with_advice(running):
    with connect(running.alice) as session:
        session.login(running.alice.login, running.alice.password)
        session.mail(running.alice.address)
        code, text = session.rcpt('carol@example.com')
        assert code == 550 and b'.onion' in text
        assert session.rcpt(running.bob.address)[0] == 250


def test_mistyped_onions_are_told_apart(running):
    onion = running.bob.onion
    wrong = ('a' if onion[10] != 'a' else 'b').join([onion[:10], onion[11:]])
    with connect(running.alice) as session:
        session.login(running.alice.login, running.alice.password)
        session.mail(running.alice.address)
        for domain, word in [(wrong, b'checksum'), (onion[1:], b'55'), ('expyuzz4wqqyqhjn.onion', b'version 2')]:
            code, text = session.rcpt(f'bob@{domain}')
            assert code == 550 and word in text.lower(), (domain, text)


def test_sendmail_refuses_what_is_not_ours(running):
    program = running.a.installation.program('smtorp-sendmail')
    result = run(running.a, program, '-f', running.bob.address, running.bob.address, input='Subject: x\n\nx\n', check=False)
    assert result.returncode not in (0, 75), result.stdout
    result = run(running.a, program, '-f', running.alice.address, 'carol@example.com', input='Subject: x\n\nx\n', check=False)
    assert result.returncode not in (0, 75) and '.onion' in result.stdout


def test_msmtp_through_submission(running, subject):
    host, port = running.a.endpoint('submission')
    message = f'From: {running.alice.address}\nTo: {running.bob.address}\nSubject: {subject}\n\nvia msmtp\n'
    run(running.a, 'msmtp', f'--host={host}', f'--port={port}', '--auth=plain', '--tls=on', '--tls-certcheck=off',
        f'--user={running.alice.login}', f'--passwordeval=echo {running.alice.password}',
        f'--from={running.alice.address}', '--', running.bob.address, input=message)
    with running.bob.mailbox() as mailbox:
        mailbox.wait_for(subject)


def test_sendmail_reads_recipients_and_drops_bcc(running, subject):
    program = running.a.installation.program('smtorp-sendmail')
    message = f'From: Alice <{running.alice.address}>\nTo: {running.bob.address}\nBcc: {running.home.address}\n' \
              f'Subject: {subject}\n\nx\n'
    run(running.a, program, '-t', '-oi', input=message)
    for identity in (running.bob, running.home):
        with identity.mailbox() as mailbox:
            got = mailbox.message(mailbox.wait_for(subject))
            assert got['Bcc'] is None
