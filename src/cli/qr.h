/* SPDX-License-Identifier: ISC
 *
 * QR codes (ISO/IEC 18004) as text for terminals, SVG and PNG.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

enum qr_format { QR_TERMINAL, QR_SVG, QR_PNG };
#define QR_IMAGE_MAX_BYTES (1024 * 1024)
#define QR_TEXT_MAX 2953 /* octets in the largest of them, with the least redundancy */

/* Appends the picture. ERROR_TOO_LARGE: no QR code holds so much. */
int qr_write(struct slice text, enum qr_format format, struct buffer *out, struct error *err);

/* How wide a QR_TERMINAL picture is, in characters. */
size_t qr_terminal_columns(struct slice picture);
