/* SPDX-License-Identifier: ISC */
#include "cli/cmd_mua.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/client.h"
#include "cli/mua.h"
#include "cli/sibling.h"
#include "cli/view.h"
#include "config/config.h"
#include "identity/identity.h"

const char *const cmd_mua_clients[] = { "generic", "thunderbird", "mutt", "aerc", NULL };

const struct cli_option cmd_mua_options[] = {
	{ "client", "PROGRAM", "generic (otherwise), thunderbird, mutt or aerc" },
	{ "profile", "DIR", "make a new profile folder for Thunderbird, with all of it set" },
	{ 0 },
};

static void
take_endpoint(json_t *endpoints, const char *name, struct config_endpoint *out)
{
	json_t *endpoint = json_object_get(endpoints, name);
	if (endpoint == NULL)
		return;
	snprintf(out->host, sizeof out->host, "%s", view_text(endpoint, "host"));
	out->port = (uint16_t)view_number(endpoint, "port");
}

/* Where the node listens: its own word when it runs, else its configuration. */
static int
find_endpoints(struct mua_settings *s, struct error *err)
{
	struct config *config = calloc(1, sizeof *config);
	int result = -1;
	if (config == NULL)
		return error_set(err, ERROR_NO_MEMORY, "not enough memory");
	if (config_load(s->cli->paths.config_file, config, err) != 0)
		goto out;
	s->submission = config->submission;
	s->submissions = config->submissions;
	s->imap = config->imap;
	s->imaps = config->imaps;
	json_t *status = view_status(&s->cli->paths), *endpoints = json_object_get(status, "endpoints");
	take_endpoint(endpoints, "submission", &s->submission);
	take_endpoint(endpoints, "submissions", &s->submissions);
	take_endpoint(endpoints, "imap", &s->imap);
	take_endpoint(endpoints, "imaps", &s->imaps);
	json_decref(status);
	if (s->submissions.port == 0 || s->imaps.port == 0)
		error_set(err, ERROR_UNREACHABLE, "the node chooses its ports when it starts, and it is not running: `smtorp up`");
	else
		result = 0;
out:
	free(config);
	return result;
}

static int
find_sendmail(struct mua_settings *s, struct error *err)
{
	const char *home = getenv("SMTORP_HOME");
	if (sibling_find("smtorp-sendmail", s->sendmail, sizeof s->sendmail, err) != 0)
		return -1;
	size_t used = strlen(s->sendmail);
	if (s->cli->home != NULL || (home != NULL && home[0] != '\0'))
		snprintf(s->sendmail + used, sizeof s->sendmail - used, " --home %s", s->cli->paths.data);
	return 0;
}

const char *
mua_host_name(const struct config_endpoint *endpoint)
{
	bool is_usual = strcmp(endpoint->host, "127.0.0.1") == 0 || strcmp(endpoint->host, "::1") == 0;
	return is_usual ? "localhost" : endpoint->host;
}

static void
print_endpoint(const char *what, const struct config_endpoint *tls, const struct config_endpoint *starttls)
{
	printf("  %s, %s, port %u with TLS\n", what, mua_host_name(tls), tls->port);
	if (starttls->port != 0)
		printf("                or %s, port %u with STARTTLS\n", mua_host_name(starttls), starttls->port);
}

static void
print_generic(const struct mua_settings *s)
{
	printf("Settings of %s for mail programs\n\n", s->identity.name);
	printf("  Address       %s\n", s->address);
	printf("  User name     the address, all of it\n");
	printf("  Password      that of `smtorp identity new`; `smtorp identity password %s`\n                makes another\n\n",
	    s->identity.name);
	print_endpoint("Reading       IMAP", &s->imaps, &s->imap);
	print_endpoint("Sending       SMTP", &s->submissions, &s->submission);
	printf("  Sign-in       ordinary password (PLAIN or LOGIN)\n");
	printf("  Certificate   the node's own, made out to \"localhost\"; it lies in\n                %s\n\n", s->certificate);
	printf("Of each message the node says who wrote it, and how it came, in the header\nfield SMTorP-Verdict: have your program show it (smtorp(1), Mail programs).\n\n");
	printf("Programs that call sendmail take this instead of SMTP, without a password:\n  %s -t -f %s\n", s->sendmail,
	    s->address);
}

static void
print_mutt_value(const char *name, const char *value)
{
	printf("set %s=\"", name);
	for (; *value != '\0'; value++) {
		if (strchr("\"\\$`", *value) != NULL)
			putchar('\\');
		putchar(*value);
	}
	printf("\"\n");
}

/* For neomutt and mutt. Copies of sent mail are kept once a mailbox was opened: sending from a script then needs no
 * password; the same holds for the mailboxes, which keep a connection open between two. The certificate is the node's, so that nobody else on this machine can take its place. */
static void
print_mutt(const struct mua_settings *s)
{
	char sendmail[sizeof s->sendmail + sizeof s->address + 8];
	printf("# For neomutt or mutt, as a muttrc or sourced from one. It asks for the password;\n# `set imap_pass=...` here saves that.\n");
	print_mutt_value("from", s->address);
	printf("set use_from=yes\n# without this the real name of your account would be sent\n");
	print_mutt_value("realname", s->identity.local_part);
	printf("set use_envelope_from=yes\n");
	snprintf(sendmail, sizeof sendmail, "%s -f %s", s->sendmail, s->address);
	print_mutt_value("sendmail", sendmail);
	printf("set sendmail_wait=0\n");
	printf("# nothing about this machine goes into messages\n");
	print_mutt_value("hostname", s->identity.onion);
	printf("set user_agent=no\nset send_charset=\"us-ascii:utf-8\"\n\n");
	print_mutt_value("imap_user", s->address);
	printf("set folder=\"imaps://%s:%u/\"\nset spoolfile=\"+INBOX\"\n", mua_host_name(&s->imaps), s->imaps.port);
	print_mutt_value("certificate_file", s->certificate);
	printf("set ssl_starttls=no\nset ssl_force_tls=yes\nset imap_idle=yes\nset mail_check=10\n\n");
	printf("set postponed=\"+Drafts\"\nunset record\nfolder-hook . 'set record=\"+Sent\"'\n");
	printf("# what the node says of each message: who wrote it, and how it came\nunignore smtorp-verdict\n");
	printf("# without these the password is asked for again with every change of folder\n"
	    "folder-hook . 'mailboxes \"+INBOX\" \"+Waiting\" \"+Delivered\" \"+Sent\" \"+Drafts\"'\n");
}

/* aerc trusts certificates of the system, or of this variable: so it asks nothing, and takes no other one. */
static void
print_aerc(const struct mua_settings *s)
{
	printf("# For aerc, in ~/.config/aerc/accounts.conf (mode 0600). It asks for the password. Start it with\n"
	       "#   SSL_CERT_FILE=%s aerc\n"
	       "# Of each message the node says who wrote it, and how it came; to see that, in aerc.conf:\n"
	       "#   [viewer]\n#   header-layout = From|To,Cc|Bcc,Date,Subject,SMTorP-Verdict\n", s->certificate);
	printf("[%s]\nfrom = <%s>\n", s->identity.name, s->address);
	printf("source = imaps://");
	for (const char *p = s->address; *p != '\0'; p++)
		if (strchr("@%/:?#[]!$&'()*+,;=", *p) != NULL)
			printf("%%%02X", (unsigned)(unsigned char)*p);
		else
			putchar(*p);
	printf("@%s:%u\n", mua_host_name(&s->imaps), s->imaps.port);
	printf("outgoing = %s -f %s\ncopy-to = Sent\npostpone = Drafts\n", s->sendmail, s->address);
}

static int
print_client(const struct mua_settings *s, const char *client)
{
	if (strcmp(client, "generic") == 0)
		print_generic(s);
	else if (strcmp(client, "thunderbird") == 0)
		mua_thunderbird_print(s);
	else if (strcmp(client, "aerc") == 0)
		print_aerc(s);
	else
		print_mutt(s);
	return cli_end_output();
}

static bool
is_client(const char *client)
{
	for (size_t i = 0; cmd_mua_clients[i] != NULL; i++)
		if (strcmp(cmd_mua_clients[i], client) == 0)
			return true;
	return false;
}

int
cmd_mua_main(struct cli *cli)
{
	struct mua_settings s = { .cli = cli };
	struct error err;
	int fd;
	const char *client = cli_option_value(cli, "client");
	const char *profile = cli_option_value(cli, "profile");
	if (client == NULL)
		client = profile == NULL ? "generic" : "thunderbird";
	if (profile != NULL && strcmp(client, "thunderbird") != 0)
		return cli_fail_with(CLI_USAGE, "--profile is for Thunderbird only");
	if (!is_client(client))
		return cli_fail_with(CLI_USAGE, "--client knows generic, thunderbird, mutt (also for neomutt) and aerc");
	if (identity_open_all(cli->paths.data, false, &fd, &err) != 0)
		return err.code != ERROR_NOT_FOUND ? cli_fail(&err) :
		    cli_fail_with(CLI_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	int result = identity_load(fd, cli->arguments[0], &s.identity, &err);
	file_close(&fd);
	if (result == 0 && find_endpoints(&s, &err) != 0)
		return err.code == ERROR_INVALID ? cli_fail_with(CLI_CONFIGURATION, "%s", err.text) : cli_fail(&err);
	if (result != 0 || find_sendmail(&s, &err) != 0)
		return cli_fail(&err);
	view_address(&s.identity, s.address);
	snprintf(s.certificate, sizeof s.certificate, "%s/node/tls.crt", cli->paths.data);
	return profile != NULL ? mua_thunderbird_make_profile(&s, profile) : print_client(&s, client);
}
