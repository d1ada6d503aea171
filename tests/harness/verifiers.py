# SPDX-License-Identifier: ISC
"""The programs that check DKIM signatures on other people's mail servers, as Debian has them, on a machine of their own (a
network namespace with files=True). Need root."""
import os
import pathlib
import re
import smtplib
import subprocess

from .postfix import Postfix, unpack
from .traffic import NODE
from .waiting import until

NOBODY = (65534, 65534)
EXIM_IDS = (64990, 64990)  # of its account on the machine, Debian-exim
EXIM_ANSWERS = f'''\
dc_eximconfig_configtype='internet'
dc_other_hostnames='mx.example'
dc_local_interfaces='{NODE}'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='false'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='maildir_home'
'''


class _Server:
    """A program in the foreground, on the machine that is on one end of a cable; its clients are on the other."""

    def __init__(self, cable, folder, port):
        self.cable, self.machine, self.folder, self.port = cable, cable.machine, pathlib.Path(folder), port
        self.folder.mkdir()
        self.process = None

    def run(self, *words):
        return subprocess.run([*self.machine.prefix, *words], check=True, capture_output=True, text=True)

    def launch(self, *words):
        log = open(self.folder / 'output', 'wb')
        self.process = subprocess.Popen([*self.machine.prefix, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        until(self.answers, 20, f'{words[0]} to listen', log=lambda: (self.folder / 'output').read_text())
        return self

    def is_open(self, port):
        return self.run('ss', '-Hltn', f'sport = :{port}').stdout != ''

    def answers(self):
        return self.is_open(self.port)

    def deliver(self, sender, recipient, octets):
        with self.cable.torland.entered(), smtplib.SMTP(NODE, self.port, local_hostname='client.example', timeout=60) as session:
            return session.sendmail(sender, [recipient], octets)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)


class Exim(_Server):
    """With the configuration that Debian makes for a machine on the Internet. Verifying DKIM is on in it."""

    def __init__(self, cable, folder, port):
        super().__init__(cable, folder, port)
        for package in ('exim4-config', 'exim4-base', 'exim4-daemon-light'):
            unpack(package, self.folder)
        self.program, etc = self.folder / 'package/usr/sbin/exim4', self.folder / 'package/etc/exim4'
        (etc / 'update-exim4.conf.conf').write_text(EXIM_ANSWERS)
        for name in ('spool', 'logs'):
            (self.folder / name).mkdir()
            os.chown(self.folder / name, *EXIM_IDS)
        made = self.folder / 'exim.conf'
        self.run('sh', self.folder / 'package/usr/sbin/update-exim4.conf', '-d', etc, '-o', made)
        (self.folder / 'aliases').touch()
        text = made.read_text().replace('/etc/aliases', str(self.folder / 'aliases'))
        for name, value in (('spool_directory', self.folder / 'spool'), ('exim_path', self.program)):
            text = re.sub(f'^{name} = .*', f'{name} = {value}', text, flags=re.M)
        made.write_text(f'log_file_path = {self.folder}/logs/%slog\n{text}')

    def start(self):
        return self.launch(self.program, '-C', self.folder / 'exim.conf', '-bdf', '-odq', '-oX', str(self.port), '-oP', self.folder / 'pid')


class OpenDkim(_Server):
    """Verifying, as a milter behind Debian's Postfix."""

    def __init__(self, cable, folder, port):
        super().__init__(cable, folder, port)
        self.milter_port = port + 1
        self.postfix = Postfix(self.folder / 'postfix', port, [
            f'smtpd_milters = inet:127.0.0.1:{self.milter_port}', 'milter_default_action = tempfail', 'disable_dns_lookups = no',
            'virtual_mailbox_domains = mx.example'], self.machine.prefix, NODE)

    def start(self):
        self.launch('opendkim', '-f', '-x', '/dev/null', '-b', 'v', '-p', f'inet:{self.milter_port}@127.0.0.1', '-u', 'nobody')
        self.postfix.start()
        return self

    def answers(self):
        return self.is_open(self.milter_port)

    def stop(self):
        self.postfix.stop()
        super().stop()


class Rspamd(_Server):
    """As Debian configures it, but for its folders, and local files (name: text). It scans what it is given in HTTP."""

    def start(self, **local):
        (self.folder / 'local.d').mkdir()
        for name, text in local.items():
            (self.folder / 'local.d' / f'{name}.conf').write_text(text)
        for name in ('db', 'run', 'log'):
            (self.folder / name).mkdir()
            os.chown(self.folder / name, *NOBODY)
        return self.launch('rspamd', '-f', '-u', 'nobody', '-g', 'nogroup', f'--var=DBDIR={self.folder}/db', f'--var=RUNDIR={self.folder}/run',
                           f'--var=LOGDIR={self.folder}/log', f'--var=LOCAL_CONFDIR={self.folder}')

    def deliver(self, sender, recipient, octets, client='127.0.0.1'):
        return subprocess.run([*self.machine.prefix, 'rspamc', '-h', f'127.0.0.1:{self.port}', '--from', sender, '--rcpt', recipient, '--ip', client,
                               '--helo', 'client.example'], input=octets, check=True, capture_output=True).stdout.decode()
