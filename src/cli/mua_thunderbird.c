/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "cli/mua.h"
#include "identity/certificate.h"

#define PROFILE_MAX_BYTES 16384

static void
print_server(const char *what, const struct config_endpoint *endpoint)
{
	printf("  %s\n    Hostname         %s\n    Port             %u\n", what, mua_host_name(endpoint), endpoint->port);
	printf("    Connection       SSL/TLS\n    Authentication   Normal password\n");
	printf("    Username         the address, all of it\n");
}

void
mua_thunderbird_print(const struct mua_settings *s)
{
	printf("Thunderbird, a profile of its own where all is set, beside the ones that you have:\n\n");
	printf("  smtorp mua %s --profile ~/.thunderbird-%s\n", s->identity.name, s->identity.name);
	printf("  thunderbird --profile ~/.thunderbird-%s\n\n", s->identity.name);
	printf("Or by hand, in Account Settings > Account Actions > Add Mail Account:\n\n");
	printf("  Your full name   as you like; it is sent with every message\n");
	printf("  Email address    %s\n", s->address);
	printf("  Password         that of `smtorp identity new`\n\n");
	printf("Choose \"Configure manually\" before it starts to search, which would tell\n"
	       "strangers about the address, and enter:\n\n");
	print_server("Incoming server  IMAP", &s->imaps);
	print_server("Outgoing server", &s->submissions);
	printf("\nThunderbird asks once for each server about the node's own certificate:\n"
	       "\"Confirm Security Exception\" is right here, because nothing leaves this machine.\n");
}

/* ---- a profile */

static int
add_text(struct buffer *out, const char *key, const char *value, struct error *err)
{
	int result = buffer_printf(out, err, "user_pref(\"%s\", \"", key);
	for (; result == 0 && *value != '\0'; value++)
		result = buffer_printf(out, err, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	return result == 0 ? buffer_printf(out, err, "\");\n") : -1;
}

static int
add_server(struct buffer *out, const char *prefix, const char *tls, const char *user, const struct config_endpoint *endpoint,
    const struct mua_settings *s, struct error *err)
{
	char key[64];
	snprintf(key, sizeof key, "%s.hostname", prefix);
	if (add_text(out, key, mua_host_name(endpoint), err) != 0)
		return -1;
	snprintf(key, sizeof key, "%s.%s", prefix, user);
	if (add_text(out, key, s->address, err) != 0)
		return -1;
	/* 3: TLS from the beginning; an ordinary password */
	return buffer_printf(out, err, "user_pref(\"%s.port\", %u);\nuser_pref(\"%s.%s\", 3);\nuser_pref(\"%s.authMethod\", 3);\n",
	    prefix, endpoint->port, prefix, tls, prefix);
}

static int
fill_preferences(const struct mua_settings *s, struct buffer *out, struct error *err)
{
	static const char fixed[] =
	    "user_pref(\"mail.accountmanager.accounts\", \"account1\");\n"
	    "user_pref(\"mail.accountmanager.defaultaccount\", \"account1\");\n"
	    "user_pref(\"mail.account.account1.identities\", \"id1\");\n"
	    "user_pref(\"mail.account.account1.server\", \"server1\");\n"
	    "user_pref(\"mail.identity.id1.smtpServer\", \"smtp1\");\n"
	    "user_pref(\"mail.identity.id1.valid\", true);\n"
	    "user_pref(\"mail.smtpservers\", \"smtp1\");\n"
	    "user_pref(\"mail.smtp.defaultserver\", \"smtp1\");\n"
	    "user_pref(\"mail.server.server1.type\", \"imap\");\n"
	    "user_pref(\"mail.server.server1.check_new_mail\", true);\n"
	    "user_pref(\"mail.server.server1.login_at_startup\", true);\n"
	    /* what the node says of each message */
	    "user_pref(\"mailnews.headers.extraExpandedHeaders\", \"SMTorP-Verdict\");\n"
	    /* it asks nobody about anything */
	    "user_pref(\"mailnews.start_page.enabled\", false);\n"
	    "user_pref(\"app.update.auto\", false);\n"
	    "user_pref(\"datareporting.policy.dataSubmissionEnabled\", false);\n"
	    "user_pref(\"datareporting.healthreport.uploadEnabled\", false);\n"
	    "user_pref(\"mail.rights.version\", 1);\n"
	    "user_pref(\"mail.shell.checkDefaultClient\", false);\n";
	if (buffer_append_string(out, "// By `smtorp mua`; Thunderbird reads it at every start.\n", err) != 0 ||
	    add_text(out, "mail.identity.id1.fullName", s->identity.local_part, err) != 0 ||
	    add_text(out, "mail.identity.id1.useremail", s->address, err) != 0 ||
	    add_text(out, "mail.server.server1.name", s->address, err) != 0 ||
	    add_server(out, "mail.server.server1", "socketType", "userName", &s->imaps, s, err) != 0 ||
	    add_server(out, "mail.smtpserver.smtp1", "try_ssl", "username", &s->submissions, s, err) != 0)
		return -1;
	return buffer_append_string(out, fixed, err);
}

static int
fill_override(const struct mua_settings *s, struct buffer *out, struct error *err)
{
	char hash[CERTIFICATE_SHA256_LEN + 1];
	const struct config_endpoint *both[] = { &s->imaps, &s->submissions };
	struct buffer pem;
	buffer_init(&pem, CERTIFICATE_PEM_MAX);
	int result = file_load(AT_FDCWD, s->certificate, &pem, err);
	if (result == 0)
		result = certificate_sha256(slice_of(buffer_bytes(&pem), buffer_len(&pem)), hash, err);
	buffer_finish(&pem);
	if (result == 0)
		result = buffer_append_string(out, "# PSM Certificate Override Settings file\n", err);
	for (size_t i = 0; result == 0 && i < 2; i++) /* the number is SHA-256's */
		result = buffer_printf(out, err, "%s:%u:\tOID.2.16.840.1.101.3.4.2.1\t%s\t\n", mua_host_name(both[i]), both[i]->port,
		    hash);
	return result;
}

static int
write_profile(const struct mua_settings *s, int fd, struct error *err)
{
	struct buffer text;
	buffer_init(&text, PROFILE_MAX_BYTES);
	int result = fill_override(s, &text, err);
	if (result == 0)
		result = file_replace(fd, "cert_override.txt", buffer_bytes(&text), buffer_len(&text), 0600, err);
	buffer_consume(&text, buffer_len(&text));
	if (result == 0)
		result = fill_preferences(s, &text, err);
	if (result == 0)
		result = file_replace(fd, "user.js", buffer_bytes(&text), buffer_len(&text), 0600, err);
	buffer_finish(&text);
	return result;
}

int
mua_thunderbird_make_profile(const struct mua_settings *s, const char *folder)
{
	struct error err = { 0 };
	if (access(s->certificate, R_OK) != 0)
		return cli_fail_with(CLI_NOT_RUNNING, "the node makes its certificate when it starts for the first time: `smtorp up`");
	if (mkdir(folder, 0700) != 0)
		return errno == EEXIST ? cli_fail_with(CLI_EXISTS, "%s is there already, and was not changed", folder) :
		    cli_fail_with(CLI_FAILED, "cannot make %s: %s", folder, strerror(errno));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 ? error_set_errno(&err, errno, "cannot open %s", folder) : write_profile(s, fd, &err);
	file_close(&fd);
	if (result != 0)
		return cli_fail(&err);
	printf("Now: thunderbird --profile %s\n"
	       "It asks for the password of `smtorp identity new`, once for reading and once for sending.\n", folder);
	return cli_end_output();
}
