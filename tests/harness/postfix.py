# SPDX-License-Identifier: ISC
"""Debian's Postfix, unpacked beside the tests instead of installed (it would want to be the machine's mail server)."""
import grp
import os
import pathlib
import pwd
import smtplib
import socket
import subprocess

from .waiting import until

OWNER, GROUP = 'uucp', 'staff'  # any unprivileged account and group that nobody else uses here
MASTER = '''\
{address}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 5 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def unpack(package, folder):
    """A Debian package's files, in folder/package."""
    download = ['apt-get', '-q', 'download', package]
    if subprocess.run(download, cwd=folder, capture_output=True).returncode != 0:
        subprocess.run(['apt-get', '-q', 'update'], check=True, capture_output=True)  # the lists were old or not there
        subprocess.run(download, cwd=folder, check=True, capture_output=True)
    subprocess.run(['dpkg-deb', '-x', next(folder.glob(f'{package}_*.deb')), folder / 'package'], check=True)


class Postfix:
    def __init__(self, folder, port, settings, prefix=(), address='127.0.0.1'):
        """Unpacks and configures; `settings` are lines of main.cf; prefix: words before the program, such as a namespace's, in which
        it listens on the address. Needs root, as Postfix does."""
        self.folder, self.port, self.prefix = pathlib.Path(folder), port, prefix
        self.etc, self.spool, self.mail = self.folder / 'etc', self.folder / 'spool', self.folder / 'mail'
        for path in (self.folder, self.etc, self.spool, self.mail, self.folder / 'data'):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        unpack('postfix', self.folder)
        self._make_spool()
        program = self.folder / 'package'
        (self.etc / 'master.cf').write_text(MASTER.format(address=address, port=port))
        (self.etc / 'main.cf').write_text('\n'.join([
            'compatibility_level = 3.6', f'queue_directory = {self.spool}', f'data_directory = {self.folder}/data',
            f'command_directory = {program}/usr/sbin', f'daemon_directory = {program}/usr/lib/postfix/sbin',
            f'shlib_directory = {program}/usr/lib/postfix', f'meta_directory = {program}/etc/postfix',
            f'mail_owner = {OWNER}', f'setgid_group = {GROUP}', 'default_privs = daemon',
            'import_environment = MAIL_CONFIG TZ LANG=C LD_LIBRARY_PATH',
            f'maillog_file = {self.folder}/maillog', f'maillog_file_prefixes = {self.folder}',
            f'inet_interfaces = {address}', 'inet_protocols = ipv4', 'mydestination =', 'alias_maps =',
            'alias_database =', 'local_recipient_maps =', 'disable_dns_lookups = yes', 'smtputf8_enable = yes',
            'smtpd_tls_received_header = yes',
            f'virtual_mailbox_base = {self.mail}', 'virtual_mailbox_maps = static:box/', 'virtual_minimum_uid = 1',
            f'virtual_uid_maps = static:{self.uid}', f'virtual_gid_maps = static:{self.uid}', *settings]) + '\n')
        self.process = None

    def _make_spool(self):
        owner = pwd.getpwnam(OWNER)
        self.uid = owner.pw_uid
        group = grp.getgrnam(GROUP).gr_gid
        os.chown(self.folder / 'data', owner.pw_uid, -1)
        os.chown(self.mail, owner.pw_uid, owner.pw_uid)
        (self.spool / 'pid').mkdir()
        for name in 'incoming active deferred defer bounce flush corrupt hold saved trace private'.split():
            (self.spool / name).mkdir(mode=0o700)
            os.chown(self.spool / name, owner.pw_uid, -1)
        for name, mode in (('public', 0o710), ('maildrop', 0o730)):
            (self.spool / name).mkdir()
            (self.spool / name).chmod(mode)
            os.chown(self.spool / name, owner.pw_uid, group)

    def environment(self):
        return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'MAIL_CONFIG': str(self.etc),
                'LD_LIBRARY_PATH': str(self.folder / 'package/usr/lib/postfix')}

    def start(self):
        self.process = subprocess.Popen([*self.prefix, self.folder / 'package/usr/lib/postfix/sbin/master', '-c', self.etc, '-d'],
                                        env=self.environment(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: 'daemon started' in self.log(), 20, 'Postfix to start')
        return self

    def log(self):
        path = self.folder / 'maillog'
        return path.read_text(errors='replace') if path.exists() else ''

    def send(self, sender, recipient, text):
        """Hands a message to Postfix's own port, as a mail program on that machine would."""
        with smtplib.SMTP('127.0.0.1', self.port, timeout=30) as session:
            session.sendmail(sender, [recipient], text.encode(), ['SMTPUTF8', 'BODY=8BITMIME'])

    def messages(self):
        return [path.read_bytes() for path in self.mail.rglob('new/*')]

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(15)
