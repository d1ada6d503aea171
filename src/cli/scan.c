/* SPDX-License-Identifier: ISC
 *
 * smtorp-scan: a picture comes in, and what its first QR code holds goes out. `smtorp` starts it, so that the libraries that take pictures
 * apart do so in a process that can do nothing else: no file, no network, bounded memory and time. Ends with 0; 1 and a sentence on standard error
 * when there is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zbar.h>

#include "base/file.h"
#include "cli/picture.h"
#include "sandbox/sandbox.h"

#define MEMORY_MAX_BYTES ((rlim_t)768 * 1024 * 1024)
#define CPU_MAX_S 20

static void
limit(int what, rlim_t most)
{
	const struct rlimit both = { most, most };
	setrlimit(what, &both);
}

static int
give_up_rights(struct error *err)
{
	struct sandbox_holds holds;
#if !defined(__SANITIZE_ADDRESS__)
	limit(RLIMIT_DATA, MEMORY_MAX_BYTES);
#endif
	limit(RLIMIT_CPU, CPU_MAX_S);
	limit(RLIMIT_CORE, 0);
	prctl(PR_SET_DUMPABLE, 0);
	return sandbox_enter_scanner(&holds, err);
}

static int
read_picture(unsigned char *room, size_t *len, struct error *err)
{
	ssize_t n = 1;
	for (*len = 0; n > 0 && *len <= PICTURE_MAX_BYTES; *len += n > 0 ? (size_t)n : 0)
		n = read(STDIN_FILENO, room + *len, PICTURE_MAX_BYTES + 1 - *len);
	if (n < 0)
		return error_set(err, ERROR_IO, "the picture cannot be read");
	return *len <= PICTURE_MAX_BYTES ? 0 :
	    error_set(err, ERROR_TOO_LARGE, "the picture has more than %zu MiB", PICTURE_MAX_BYTES / (1024 * 1024));
}

/* Writes what the first code holds, octet by octet as it is. */
static int
find_code(const struct picture *picture, struct error *err)
{
	zbar_image_scanner_t *scanner = zbar_image_scanner_create();
	zbar_image_t *image = zbar_image_create();
	int found = 0;
	zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
	zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
	zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_BINARY, 1);
	zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
	zbar_image_set_size(image, picture->width, picture->height);
	zbar_image_set_data(image, picture->grey, (unsigned long)picture->width * picture->height, NULL);
	zbar_scan_image(scanner, image);
	const zbar_symbol_t *symbol = zbar_image_first_symbol(image);
	if (symbol != NULL)
		found = write(STDOUT_FILENO, zbar_symbol_get_data(symbol), zbar_symbol_get_data_length(symbol)) > 0;
	zbar_image_destroy(image);
	zbar_image_scanner_destroy(scanner);
	return found ? 0 : error_set(err, ERROR_NOT_FOUND, "no QR code is seen in the picture: take one that is straight, sharp and whole");
}

int
main(int argc, char **argv)
{
	struct error err = { 0 };
	struct picture picture = { 0 };
	size_t len;
	(void)argv;
	if (argc > 1) {
		fputs("smtorp-scan is started by smtorp\n", stderr);
		return 2;
	}
	unsigned char *bytes = malloc(PICTURE_MAX_BYTES + 1);
	int result = bytes == NULL ? error_set(&err, ERROR_NO_MEMORY, "out of memory") : give_up_rights(&err);
	if (result == 0)
		result = read_picture(bytes, &len, &err);
	if (result == 0)
		result = picture_decode(slice_of(bytes, len), &picture, &err);
	if (result == 0)
		result = find_code(&picture, &err);
	free(picture.grey);
	free(bytes);
	if (result == 0)
		return 0;
	file_write_all(STDERR_FILENO, err.text, strlen(err.text), NULL); /* dprintf() seeks first, which is not allowed here */
	return 1;
}
