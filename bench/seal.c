/* SPDX-License-Identifier: ISC
 *
 * What it costs to encrypt and sign a message, and to decrypt and verify it, here and by gpg. See usage.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "botan.h"
#include "measure.h"
#include "mime/library.h"
#include "seal/pgpmime.h"

#define ALICE "alice@aliceonion.onion"
#define BOB "bob@bobonion.onion"
#define BODY_BYTES 4096
#define ONE_OF_GPG 20 /* messages here for one there */
#define HEADER "From: " ALICE "\r\nTo: " BOB "\r\nSubject: Measured\r\nDate: Sun, 01 Nov 2026 10:00:00 +0000\r\n" \
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"

enum { SEAL, OPEN, SEAL_GPG, OPEN_GPG, SEAL_CURVES, OPEN_CURVES, KINDS };

static struct openpgp *alice, *bob;
static struct buffer alice_public, bob_public, message;
static int here; /* the folder */

static const char usage[] =
    "usage: seal [MESSAGES]\n\n"
    "Encrypts and signs a message of 4 KiB with PGP/MIME, as content@ID does, then decrypts and verifies it; MESSAGES (200) times, the median\n"
    "of each. Among them a twentieth as many by gpg, with the same keys, without passphrases: processes and all, but not the agent's\n"
    "start. gpg does what it does without options, as mail programs call it; that it is to trust the recipient is all that it is told.\n"
    "x: how many times faster. Each side signs once and encrypts to one key; content@ID encrypts to the identity's own as well.\n"
    "curves: what Botan's curve arithmetic alone takes of it, as RNP has it done, and how many times faster than gpg that is: nothing above it can be\n"
    "faster. Files are made in $TMPDIR, else /tmp, and removed.\n";

static void
make_person(const char *address, const char *file, struct openpgp **pgp, struct buffer *public)
{
	struct buffer secret;
	buffer_init(&secret, OPENPGP_KEY_MAX_BYTES);
	buffer_init(public, OPENPGP_ARMOURED_MAX_BYTES);
	if (openpgp_generate(address, (int64_t)time(NULL), &secret, &err) != 0)
		stop("key");
	struct slice key = buffer_slice(&secret);
	if (openpgp_new(&key, 1, pgp, &err) != 0 || openpgp_key_as(*pgp, NULL, public, &err) != 0 ||
	    file_replace(here, file, key.data, key.len, 0600, &err) != 0)
		stop(file);
	buffer_finish(&secret);
}

static void
seal_and_open(double *seal_us, double *open_us)
{
	struct slice bobs = buffer_slice(&bob_public), alices = buffer_slice(&alice_public);
	struct pgpmime_seal seal = { alice, &bobs, 1, (int64_t)time(NULL), "" };
	const struct pgpmime_open open_it = { bob, &alices, 1, ALICE };
	struct pgpmime_facts facts;
	struct buffer sealed, opened;
	bool is_8bit;
	buffer_init(&sealed, 1 << 20);
	buffer_init(&opened, 1 << 20);
	random_name(seal.boundary_letters, sizeof seal.boundary_letters);
	double begun = now_us(CLOCK_MONOTONIC);
	if (pgpmime_seal_message(&seal, buffer_slice(&message), &sealed, &is_8bit, &err) != 0)
		stop("seal");
	*seal_us = now_us(CLOCK_MONOTONIC) - begun;
	begun = now_us(CLOCK_MONOTONIC);
	if (pgpmime_open(&open_it, buffer_slice(&sealed), &facts, &opened, &err) != 0 || facts.signature != PGPMIME_SIGNED_GOOD)
		stop("open");
	*open_us = now_us(CLOCK_MONOTONIC) - begun;
	buffer_finish(&sealed);
	buffer_finish(&opened);
}

static double
run_gpg(const char *const *arguments)
{
	pid_t pid;
	int status;
	double begun = now_us(CLOCK_MONOTONIC);
	if (posix_spawnp(&pid, "gpg", NULL, NULL, (char *const *)(uintptr_t)arguments, environ) != 0 || waitpid(pid, &status, 0) != pid || status != 0)
		stop("gpg");
	return now_us(CLOCK_MONOTONIC) - begun;
}

#define GPG "gpg", "--batch", "--yes", "--quiet", "--logger-file", "/dev/null"

/* Once each, both. */
static void
seal_and_open_by_gpg(double *seal_us, double *open_us)
{
	const char *const seal[] = { GPG, "--trust-model", "always", "--armor", "-u", ALICE, "-r", BOB, "-o", "sealed", "--sign", "--encrypt", "message", NULL };
	const char *const open_it[] = { GPG, "-o", "opened", "--decrypt", "sealed", NULL };
	*seal_us = run_gpg(seal);
	*open_us = run_gpg(open_it);
}

/* In turn, so that what else the machine does is shared. */
static void
measure(double *const us[KINDS], size_t count, bool has_botan)
{
	const char *const import_keys[] = { GPG, "--import", "alice", "bob", NULL };
	run_gpg(import_keys);
	seal_and_open_by_gpg(&us[SEAL_GPG][0], &us[OPEN_GPG][0]); /* starts the agent */
	for (size_t i = 0; i < count; i++) {
		if (i % ONE_OF_GPG == 0)
			seal_and_open_by_gpg(&us[SEAL_GPG][i / ONE_OF_GPG], &us[OPEN_GPG][i / ONE_OF_GPG]);
		seal_and_open(&us[SEAL][i], &us[OPEN][i]);
		if (has_botan)
			botan_seal_and_open(&us[SEAL_CURVES][i], &us[OPEN_CURVES][i]);
	}
}

static void
prepare(char *folder)
{
	const char *tmp = getenv("TMPDIR");
	random_init();
	library_init();
	if (openpgp_prepare(&err) != 0)
		stop("prepare");
	snprintf(folder, 200, "%.150s/seal-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL || chdir(folder) != 0 || mkdir("gnupg", 0700) != 0 || setenv("GNUPGHOME", "gnupg", 1) != 0)
		stop("folder");
	here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_person(ALICE, "alice", &alice, &alice_public);
	make_person(BOB, "bob", &bob, &bob_public);
	buffer_init(&message, 1 << 20);
	buffer_append_string(&message, HEADER, &err);
	for (size_t i = 0; i < BODY_BYTES; i += 64)
		buffer_printf(&message, &err, "%062zu\r\n", i);
	if (file_replace(here, "message", buffer_bytes(&message), buffer_len(&message), 0600, &err) != 0)
		stop("message");
}

static void
show(const char *what, double own_us, double gpg_us, double curves_us)
{
	printf("%-24s %8.3f ms   gpg %8.2f ms   x %.1f", what, own_us / 1e3, gpg_us / 1e3, gpg_us / own_us);
	if (curves_us > 0)
		printf("   curves %8.3f ms   x %.1f", curves_us / 1e3, gpg_us / curves_us);
	putchar('\n');
}

int
main(int argc, char **argv)
{
	char folder[200];
	size_t count = argc > 1 ? (size_t)atoi(argv[1]) : 200, few = (count + ONE_OF_GPG - 1) / ONE_OF_GPG;
	double *us[KINDS];
	if (argc > 2 || count == 0) {
		fputs(usage, stderr);
		return 2;
	}
	prepare(folder);
	for (size_t i = 0; i < KINDS; i++)
		if ((us[i] = calloc(count, sizeof *us[i])) == NULL)
			stop("memory");
	measure(us, count, botan_find());
	show("sign and encrypt 4 KiB", median(us[SEAL], count), median(us[SEAL_GPG], few), median(us[SEAL_CURVES], count));
	show("decrypt and verify 4 KiB", median(us[OPEN], count), median(us[OPEN_GPG], few), median(us[OPEN_CURVES], count));
	if (system("gpgconf --kill gpg-agent") != 0 || chdir("/") != 0 || file_remove_tree(AT_FDCWD, folder, &err) != 0)
		stop("folder");
	for (size_t i = 0; i < KINDS; i++)
		free(us[i]);
	return 0;
}
