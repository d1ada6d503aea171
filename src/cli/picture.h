/* SPDX-License-Identifier: ISC
 *
 * PNG and JPEG as shades of grey. In smtorp-scan alone, which has no rights: pictures are strangers'.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define PICTURE_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define PICTURE_MAX_PIXELS ((size_t)50 * 1000 * 1000)

struct picture {
	unsigned width, height;
	unsigned char *grey; /* width * height; freed by who asked for it */
};

/* By its first octets. */
enum picture_kind { PICTURE_NONE, PICTURE_PNG, PICTURE_JPEG };
enum picture_kind picture_kind_of(struct slice bytes);

/* ERROR_UNSUPPORTED: it is neither; ERROR_TOO_LARGE: more than PICTURE_MAX_PIXELS; ERROR_INVALID. */
int picture_decode(struct slice bytes, struct picture *out, struct error *err);
