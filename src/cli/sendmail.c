/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buffer.h"
#include "cli/deliver.h"
#include "cli/header.h"
#include "cli/owner.h"
#include "cli/sender.h"
#include "cli/sendmail_options.h"
#include "cli/wire.h"
#include "config/paths.h"

#define HEADER_MAX (1024 * 1024)
#define STEP_BYTES 65536
#define RECIPIENTS_MAX 100 /* the node takes no more at once, either */

struct mail {
	struct sendmail_options options;
	struct paths paths;
	struct buffer head; /* the header and the beginning of the body */
	struct header_end end;
	char sender[SENDER_MAX + 1];
	char *recipients[RECIPIENTS_MAX];
	size_t recipient_count;
	struct deliver node;
};

static const char usage[] =
	"usage: smtorp-sendmail [-t] [-f ADDRESS] [--home DIR] [RECIPIENT ...]\n\n"
	"Gives the message on standard input to the running node.\n\n"
	"  -t            take the recipients from To, Cc and Bcc\n"
	"  -f ADDRESS    the sender: an address of yours; otherwise that of From\n"
	"  --home DIR    the node's folder, instead of $SMTORP_HOME\n"
	"  --version     print the version\n\n"
	"-i, -oX, -bm, -F NAME and others of sendmail's are accepted and mean nothing here.\n"
	"The manual is smtorp-sendmail(1).\n";

__attribute__((format(printf, 2, 3)))
static int
complain(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("smtorp-sendmail: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

static int
exit_of(const struct error *err)
{
	if (err->code == ERROR_NO_MEMORY)
		return EX_OSERR;
	return error_is_temporary(err) ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

static ssize_t
read_stdin(void *bytes, size_t len)
{
	ssize_t n;
	do
		n = read(STDIN_FILENO, bytes, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static int
read_header(struct mail *m)
{
	struct error err;
	ssize_t n = 1;
	while (n > 0) {
		if (buffer_len(&m->head) > HEADER_MAX)
			return complain(EX_DATAERR, "the header of the message is longer than %d octets", HEADER_MAX);
		unsigned char *room = buffer_reserve(&m->head, STEP_BYTES, &err);
		if (room == NULL)
			return complain(EX_OSERR, "%s", err.text);
		n = read_stdin(room, STEP_BYTES);
		if (n < 0)
			return complain(EX_IOERR, "cannot read the message: %s", strerror(errno));
		buffer_commit(&m->head, (size_t)n);
		if (header_find_end(slice_of(buffer_bytes(&m->head), buffer_len(&m->head)), n == 0, &m->end))
			break;
	}
	return EX_OK;
}

static struct slice
header(const struct mail *m)
{
	return slice_of(buffer_bytes(&m->head) + m->end.start, m->end.end - m->end.start);
}

static int
add_recipient(void *context, struct slice address, struct error *err)
{
	struct mail *m = context;
	for (size_t i = 0; i < m->recipient_count; i++)
		if (slice_is_nocase(address, m->recipients[i]))
			return 0;
	if (m->recipient_count == RECIPIENTS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "there are more than %d recipients: send it in parts", RECIPIENTS_MAX);
	char *copy = strndup((const char *)address.data, address.len);
	if (copy == NULL)
		return error_set(err, ERROR_NO_MEMORY, "not enough memory");
	m->recipients[m->recipient_count++] = copy;
	return 0;
}

static int
find_recipients(struct mail *m)
{
	static const char *const fields[] = { "To", "Cc", "Bcc" };
	struct error err;
	for (char **word = m->options.recipients; *word != NULL; word++)
		if (header_list(slice_of_string(*word), add_recipient, m, &err) != 0)
			return complain(EX_USAGE, "recipient %s: %s", *word, err.text);
	for (size_t i = 0; m->options.takes_recipients && i < sizeof fields / sizeof fields[0]; i++)
		if (header_addresses(header(m), fields[i], add_recipient, m, &err) != 0)
			return complain(EX_DATAERR, "%s", err.text);
	if (m->recipient_count == 0)
		return complain(EX_USAGE, m->options.takes_recipients ? "To, Cc and Bcc name nobody" :
		    "no recipient was given; -t takes them from the message");
	return EX_OK;
}

static int
take_sender(void *context, struct slice address, struct error *err)
{
	struct mail *m = context;
	if (m->sender[0] != '\0' || address.len > SENDER_MAX)
		return error_set(err, ERROR_INVALID, "one address is expected");
	memcpy(m->sender, address.data, address.len);
	m->sender[address.len] = '\0';
	return 0;
}

static int
find_sender(struct mail *m)
{
	struct error err;
	if (m->options.sender != NULL) {
		if (header_list(slice_of_string(m->options.sender), take_sender, m, &err) != 0)
			return complain(EX_USAGE, "-f %s: %s", m->options.sender, err.text);
		return EX_OK; /* -f '' and -f '<>' are the null sender */
	}
	if (sender_choose(&m->paths, header(m), m->sender, &err) != 0)
		return complain(EX_NOUSER, "%s", err.text);
	return EX_OK;
}

/* The exit status for a reply that is not the one hoped for. */
static int
refused(const struct mail *m, const char *what, const char *whom, int for_5yz)
{
	return complain(m->node.code / 100 == 4 ? EX_TEMPFAIL : for_5yz, "%s%s: %d %s", what, whom, m->node.code, m->node.text);
}

static bool
has_8bit(struct slice octets)
{
	for (size_t i = 0; i < octets.len; i++)
		if (octets.data[i] >= 0x80)
			return true;
	return false;
}

static bool
needs_smtputf8(const struct mail *m)
{
	for (size_t i = 0; i < m->recipient_count; i++)
		if (has_8bit(slice_of_string(m->recipients[i])))
			return true;
	return has_8bit(slice_of_string(m->sender)) || has_8bit(header(m));
}

/* All recipients are tried, so that every complaint is seen; one that is refused stops the message, so that nobody gets
 * it twice when it is sent again. */
static int
send_envelope(struct mail *m)
{
	struct error err;
	char name[IDENTITY_NAME_MAX + 1];
	int status = EX_OK;
	if (deliver_command(&m->node, &err, "MAIL FROM:<%s> BODY=8BITMIME%s", m->sender, needs_smtputf8(m) ? " SMTPUTF8" : "") != 0)
		return complain(exit_of(&err), "%s", err.text);
	/* The node does not know the addresses of what is locked. */
	if (m->node.code == 550 && sender_has_passphrase(&m->paths, m->sender, name))
		return complain(EX_TEMPFAIL, "identity %s is locked: `smtorp unlock %s` unlocks it", name, name);
	if (m->node.code != 250)
		return refused(m, "sender ", m->sender, EX_NOPERM);
	for (size_t i = 0; i < m->recipient_count; i++) {
		if (deliver_command(&m->node, &err, "RCPT TO:<%s>", m->recipients[i]) != 0)
			return complain(exit_of(&err), "%s", err.text);
		if (m->node.code / 100 != 2 && status != EX_NOUSER)
			status = refused(m, "recipient ", m->recipients[i], EX_NOUSER);
		else if (m->node.code / 100 != 2)
			refused(m, "recipient ", m->recipients[i], EX_NOUSER);
	}
	if (status != EX_OK && m->recipient_count > 1)
		complain(status, "nothing was sent to anybody");
	return status;
}

static int
send_piece(struct mail *m, struct wire *wire, struct slice piece, bool is_last, struct error *err)
{
	struct buffer out;
	buffer_init(&out, 3 * (piece.len + 2));
	int result = wire_append(wire, piece, &out, err);
	if (result == 0 && is_last)
		result = wire_finish(wire, &out, err);
	if (result == 0)
		result = deliver_data(&m->node, slice_of(buffer_bytes(&out), buffer_len(&out)), err);
	buffer_finish(&out);
	return result;
}

/* What of the message has been read for its header. */
static int
send_head(struct mail *m, struct wire *wire, struct error *err)
{
	if (send_piece(m, wire, header(m), false, err) != 0 ||
	    (m->end.is_blank_missing && send_piece(m, wire, slice_of_string("\n"), false, err) != 0))
		return -1;
	return send_piece(m, wire, slice_of(buffer_bytes(&m->head) + m->end.end, buffer_len(&m->head) - m->end.end), false, err);
}

static int
send_message(struct mail *m)
{
	static unsigned char piece[STEP_BYTES];
	struct wire wire = { 0 };
	struct error err;
	if (deliver_command(&m->node, &err, "DATA") != 0)
		return complain(exit_of(&err), "%s", err.text);
	if (m->node.code != 354)
		return refused(m, "message", "", EX_UNAVAILABLE);
	if (send_head(m, &wire, &err) != 0)
		return complain(exit_of(&err), "%s", err.text);
	for (;;) {
		ssize_t n = read_stdin(piece, sizeof piece);
		if (n < 0) {
			close(m->node.fd); /* without the final dot: the node throws away what it got */
			m->node.fd = -1;
			return complain(EX_IOERR, "cannot read the message: %s", strerror(errno));
		}
		if (send_piece(m, &wire, slice_of(piece, (size_t)n), n == 0, &err) != 0)
			return complain(exit_of(&err), "%s", err.text);
		if (n == 0)
			break;
	}
	if (deliver_reply(&m->node, &err) != 0)
		return complain(exit_of(&err), "%s", err.text);
	return m->node.code == 250 ? EX_OK : refused(m, "message", "", EX_UNAVAILABLE);
}

static int
send_mail(struct mail *m)
{
	struct error err;
	int status;
	if (deliver_open(&m->node, &m->paths, &err) != 0)
		status = complain(exit_of(&err), "%s", err.text);
	else
		status = send_envelope(m);
	if (status == EX_OK)
		status = send_message(m);
	deliver_close(&m->node);
	return status;
}

int
main(int argc, char **argv)
{
	static struct mail m;
	struct error err;
	(void)argc;
	if (sendmail_options_parse(argv, &m.options) != 0)
		return EX_USAGE;
	if (m.options.wants_help)
		return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EX_IOERR : EX_OK;
	if (m.options.wants_version)
		return puts("smtorp-sendmail " SMTORP_VERSION) < 0 || fflush(stdout) != 0 ? EX_IOERR : EX_OK;
	if (owner_become(&m.options.home, &err) != 0)
		return complain(EX_NOPERM, "%s", err.text);
	if (paths_resolve(m.options.home, &m.paths, &err) != 0)
		return complain(EX_CONFIG, "%s", err.text);
	buffer_init(&m.head, HEADER_MAX + 2 * STEP_BYTES);
	int status = read_header(&m);
	if (status == EX_OK)
		status = find_recipients(&m);
	if (status == EX_OK)
		status = find_sender(&m);
	if (status == EX_OK)
		status = send_mail(&m);
	for (size_t i = 0; i < m.recipient_count; i++)
		free(m.recipients[i]);
	buffer_finish(&m.head);
	return status;
}
