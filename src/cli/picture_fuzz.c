/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "cli/picture.h"

#define PIXELS_MAX ((size_t)1 << 22) /* of those that are worth the time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The libraries' own memory is bounded by who starts them; here it is that they and their errors leave nothing behind. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size);
	struct picture picture;
	struct error err = { 0 };
	unsigned sum = 0;
	if (picture_kind_of(bytes) == PICTURE_PNG && size >= 24) { /* width and height of what is to be decoded */
		size_t width = (size_t)data[16] << 24 | (size_t)data[17] << 16 | (size_t)data[18] << 8 | data[19];
		size_t height = (size_t)data[20] << 24 | (size_t)data[21] << 16 | (size_t)data[22] << 8 | data[23];
		if (width > 0 && height > PIXELS_MAX / width)
			return 0;
	}
	if (picture_decode(bytes, &picture, &err) != 0) {
		if (err.text[0] == '\0')
			abort();
	} else {
		for (size_t i = 0; i < (size_t)picture.width * picture.height; i++)
			sum += picture.grey[i];
		if (picture.width == 0 || picture.height == 0 || sum / picture.width / picture.height > 255)
			abort();
	}
	free(picture.grey);
	return 0;
}
