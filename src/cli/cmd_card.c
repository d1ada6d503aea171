/* SPDX-License-Identifier: ISC */
#include "cli/cmd_card.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "address/address.h"
#include "base/encode.h"
#include "base/file.h"
#include "card/link.h"
#include "cli/card_text.h"
#include "cli/client.h"
#include "cli/contact_book.h"
#include "cli/qr.h"
#include "cli/view.h"
#include "cli/wrap.h"

const struct cli_option cmd_card_options[] = {
	{ "qr", "FORMAT", "as a QR code: terminal, svg or png" },
	{ "mailto", NULL, "as a link" },
	{ "out", "FILE", "into a new file" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- the identity's own */

/* Asks the node for one card; *out is its row, the caller's. invitation: its letters, "": none. */
static int
ask(const struct cli *cli, const char *method, const char *identity, struct slice text, const char *invitation, json_t **out)
{
	json_t *result = NULL, *params = json_pack("{s:s}", "name", identity);
	struct error err;
	*out = NULL;
	if (invitation[0] != '\0')
		json_object_set_new(params, "invitation", json_string(invitation));
	if (text.len > 0)
		json_object_set_new(params, "text", json_stringn((const char *)text.data, text.len));
	if (client_call(&cli->paths, method, params, CLIENT_TIMEOUT_MS, &result, &err) != 0)
		return cli_fail(&err);
	*out = json_incref(json_array_get(json_object_get(result, "items"), 0));
	json_decref(result);
	return *out != NULL ? CLI_OK : cli_fail_with(CLI_FAILED, "the node has not said anything about the card");
}

/* The card itself, which the node says in base64. */
static int
take_card(json_t *row, struct buffer *out)
{
	const char *text = view_text(row, "card");
	size_t len = CARD_MAX_BYTES;
	struct error err;
	unsigned char *room = buffer_reserve(out, len, &err);
	if (room == NULL || encode_from_base64(room, &len, text, strlen(text), &err) != 0)
		return cli_fail(&err);
	buffer_commit(out, len);
	return CLI_OK;
}

/* With the whole fingerprint of the TLS key: who has the link sends to nobody else. */
static int
make_link(json_t *row, struct slice card, struct buffer *out, struct error *err)
{
	char address[ADDRESS_MAX + 1];
	const char *plain = view_text(row, "address"), *tls = view_text(row, "tls"), *at = strchr(plain, '@');
	if (at == NULL)
		return error_set(err, ERROR_PROTOCOL, "the node's card has no address");
	int len = snprintf(address, sizeof address, "%.*s@%s%s%s", (int)(at - plain), plain, tls, tls[0] != '\0' ? "." : "", at + 1);
	if (len < 0 || (size_t)len >= sizeof address)
		return error_set(err, ERROR_PROTOCOL, "the node's card has an address that is too long");
	if (card_link_write(address, card, out, err) != 0)
		return -1;
	const char *letters = view_text(row, "invitation");
	return letters[0] == '\0' ? 0 : buffer_printf(out, err, "&" INVITATION_WORD "=%s", letters);
}

/* As it is handed out: with the invitation behind it. */
static int
make_text(json_t *row, struct slice card, struct buffer *out, struct error *err)
{
	const char *letters = view_text(row, "invitation");
	if (buffer_append(out, card.data, card.len, err) != 0)
		return -1;
	return letters[0] == '\0' ? 0 : buffer_printf(out, err, INVITATION_WORD ": %s\r\n", letters);
}

/* only_mine: there is a secret in it. */
static int
write_out(const struct cli *cli, const struct buffer *what, bool only_mine)
{
	const char *path = cli_option_value(cli, "out");
	struct error err;
	if (path == NULL) {
		fwrite(buffer_bytes(what), 1, buffer_len(what), stdout);
		return cli_end_output();
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, only_mine ? 0600 : 0644);
	if (fd < 0)
		return errno == EEXIST ? cli_fail_with(CLI_EXISTS, "%s is there already: name a new file", path) :
		    cli_fail_with(CLI_FAILED, "cannot write %s: %s", path, strerror(errno));
	int result = file_write_all(fd, buffer_bytes(what), buffer_len(what), &err);
	if (close(fd) != 0 && result == 0)
		result = error_set_errno(&err, errno, "cannot write %s", path);
	if (result == 0)
		return CLI_OK;
	unlink(path); /* half of it is of no use, and may have the secret */
	return cli_fail(&err);
}

static int
print_json(json_t *row, struct slice card, struct slice link)
{
	json_object_set_new(row, "card", json_stringn((const char *)card.data, card.len));
	json_object_set_new(row, "mailto", json_stringn((const char *)link.data, link.len));
	return view_print_json(json_incref(row));
}

static int
read_format(const char *word, enum qr_format *out)
{
	static const char *const words[] = { [QR_TERMINAL] = "terminal", [QR_SVG] = "svg", [QR_PNG] = "png" };
	for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i], word) == 0) {
			*out = i;
			return CLI_OK;
		}
	return cli_fail_with(CLI_USAGE, "a QR code is made as terminal, svg or png, not as '%s'", word);
}

/* A terminal that breaks its lines shows something that nothing can read. */
static int
look_at_width(const struct buffer *picture)
{
	size_t needed = qr_terminal_columns(slice_of(buffer_bytes(picture), buffer_len(picture))), columns = wrap_columns(stdout, WRAP_NEVER);
	return columns >= needed ? CLI_OK : cli_fail_with(CLI_FAILED, "the QR code has %zu columns and this terminal %zu: make it wider, or its letters "
	    "smaller, or say --qr png --out FILE", needed, columns);
}

static int
show(const struct cli *cli, json_t *row, struct slice card)
{
	struct buffer link, text, what;
	struct error err;
	enum qr_format format = QR_TERMINAL;
	const char *qr = cli_option_value(cli, "qr");
	int status = qr == NULL ? CLI_OK : read_format(qr, &format);
	buffer_init(&link, CARD_LINK_MAX_BYTES);
	buffer_init(&text, 2 * CARD_MAX_BYTES);
	buffer_init(&what, QR_IMAGE_MAX_BYTES);
	if (status == CLI_OK && qr != NULL && format == QR_PNG && !cli_has(cli, "out") && isatty(STDOUT_FILENO) == 1)
		status = cli_fail_with(CLI_USAGE, "a terminal shows no PNG: say where it is to go, with --out FILE");
	if (status == CLI_OK && (make_link(row, card, &link, &err) != 0 || make_text(row, card, &text, &err) != 0))
		status = cli_fail(&err);
	if (status == CLI_OK && cli_has(cli, "json"))
		status = print_json(row, card, slice_of(buffer_bytes(&link), buffer_len(&link)));
	else if (status == CLI_OK) {
		int made = qr != NULL ? qr_write(slice_of(buffer_bytes(&text), buffer_len(&text)), format, &what, &err) : cli_has(cli, "mailto") ?
		    buffer_printf(&what, &err, "%.*s\n", (int)buffer_len(&link), (const char *)buffer_bytes(&link)) :
		    buffer_append(&what, buffer_bytes(&text), buffer_len(&text), &err);
		status = made != 0 ? cli_fail(&err) : qr != NULL && format == QR_TERMINAL && !cli_has(cli, "out") ? look_at_width(&what) : CLI_OK;
		if (status == CLI_OK)
			status = write_out(cli, &what, view_text(row, "invitation")[0] != '\0');
	}
	buffer_finish(&link);
	buffer_finish(&text);
	buffer_finish(&what);
	return status;
}

static int
hand_out(struct cli *cli, const char *method)
{
	char identity[33];
	json_t *row = NULL;
	struct buffer card;
	int status = CLI_OK;
	if (cli_has(cli, "qr") + cli_has(cli, "mailto") + cli_has(cli, "json") > 1)
		return cli_fail_with(CLI_USAGE, "of --qr, --mailto and --json say one");
	if (cli->argument_count > 0)
		snprintf(identity, sizeof identity, "%s", cli->arguments[0]);
	else
		status = contact_book_only(cli, identity, "there are several identities: say whose, with its NAME behind the command");
	buffer_init(&card, CARD_MAX_BYTES);
	if (status == CLI_OK)
		status = ask(cli, method, identity, slice_of("", 0), "", &row);
	if (status == CLI_OK)
		status = take_card(row, &card);
	if (status == CLI_OK)
		status = show(cli, row, slice_of(buffer_bytes(&card), buffer_len(&card)));
	buffer_finish(&card);
	json_decref(row);
	return status;
}

int
cmd_card(struct cli *cli)
{
	return hand_out(cli, "card.show");
}

int
cmd_invite(struct cli *cli)
{
	if (!cli_has(cli, "out") && cli_output_is_open_to_others())
		return cli_fail_with(CLI_USAGE, "others could read that file, and use the invitation up: say --out FILE, which makes one that only you can read");
	return hand_out(cli, "card.invite");
}

/* ---- others' */

static int
rename_to(const struct cli *cli, const char *identity, json_t *row, const char *name)
{
	struct error err;
	if (client_call(&cli->paths, "contact.rename", json_pack("{s:s, s:s, s:s}", "name", identity, "address", view_text(row, "address"), "called",
	        name), CLIENT_TIMEOUT_MS, NULL, &err) != 0)
		return cli_fail(&err);
	json_object_set_new(row, "called", json_string(name));
	return CLI_OK;
}

static int
tell(json_t *row, const char *identity, bool in_person, bool is_invited)
{
	char group[CONTACT_BOOK_FINGERPRINT_TEXT], word[ADDRESS_WORD_MAX + 1];
	const char *called = view_text(row, "called"), *fingerprint = view_text(row, "fingerprint");
	if (called[0] != '\0')
		printf("%s, %s,", called, view_text(row, "address"));
	else
		printf("%s", view_text(row, "address"));
	printf(" is in the address book of %s.\n", identity);
	if (fingerprint[0] == '\0')
		puts("The card has no OpenPGP key.");
	else if (in_person)
		printf("Their key is verified: %s\n", contact_book_group(fingerprint, group));
	else
		printf("Their key: %s\nCompare it with them (who see it by `smtorp openpgp show`), and say `smtorp contact verify %s`.\n", contact_book_group(fingerprint, group),
		    address_as_word(view_text(row, "address"), word));
	if (is_invited)
		puts("A greeting is on its way to them: their node knows you and your key by it, unless somebody has used the invitation before you.");
	return cli_end_output();
}

int
cmd_card_add(struct cli *cli, const char *identity, const char *text)
{
	struct buffer card;
	struct card_text_invitation invitation;
	struct error err;
	json_t *row = NULL;
	const char *name = cli_option_value(cli, "name");
	buffer_init(&card, CARD_MAX_BYTES);
	int status = card_text_read(text, &card, &invitation, &err) == 0 ? CLI_OK : cli_fail(&err);
	bool is_invited = status == CLI_OK && invitation.letters[0] != '\0', in_person = is_invited || cli_has(cli, "in-person");
	if (is_invited && cli_has(cli, "in-person")) { /* which an invitation alone does not say: it verifies, but replaces no verified key */
		status = ask(cli, "card.add-in-person", identity, slice_of(buffer_bytes(&card), buffer_len(&card)), "", &row);
		json_decref(row);
		row = NULL;
	}
	if (status == CLI_OK)
		status = ask(cli, is_invited ? "card.add-invited" : in_person ? "card.add-in-person" : "card.add", identity,
		    slice_of(buffer_bytes(&card), buffer_len(&card)), invitation.letters, &row);
	if (status == CLI_OK && name != NULL)
		status = rename_to(cli, identity, row, name);
	if (status == CLI_OK && cli_has(cli, "json")) {
		json_object_del(row, "card");
		json_object_del(row, "key");
		status = view_print_json(json_incref(row));
	} else if (status == CLI_OK)
		status = tell(row, identity, in_person, is_invited);
	buffer_finish(&card);
	json_decref(row);
	return status;
}
