/* SPDX-License-Identifier: ISC */
#include "cli/qr.h"

#include <errno.h>
#include <png.h>
#include <qrencode.h>
#include <setjmp.h>
#include <stdlib.h>

#define QUIET 4 /* modules around it, which the standard asks for */
#define PIXELS 5 /* a module's side in a PNG */

static bool
is_dark(const QRcode *code, int x, int y)
{
	return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & 1) != 0;
}

#define TERMINAL_BEGINS "\033[97;40m"
#define TERMINAL_ENDS "\033[0m\n"

/* Two rows of modules in one of characters, in black and white whatever the terminal's own colours are. */
static int
write_terminal(const QRcode *code, struct buffer *out, struct error *err)
{
	static const char *const cells[] = { " ", "\xe2\x96\x84", "\xe2\x96\x80", "\xe2\x96\x88" }; /* what is light: nothing, below, above, all */
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		if (buffer_append_string(out, TERMINAL_BEGINS, err) != 0)
			return -1;
		for (int x = -QUIET; x < code->width + QUIET; x++)
			if (buffer_append_string(out, cells[(is_dark(code, x, y) ? 0 : 2) + (is_dark(code, x, y + 1) ? 0 : 1)], err) != 0)
				return -1;
		if (buffer_append_string(out, TERMINAL_ENDS, err) != 0)
			return -1;
	}
	return 0;
}

size_t
qr_terminal_columns(struct slice picture)
{
	size_t columns = 0;
	for (size_t i = 0; i < picture.len && picture.data[i] != '\n'; i++)
		columns += (picture.data[i] & 0xc0) != 0x80; /* UTF-8: bytes that begin no letter take no column */
	size_t colours = sizeof TERMINAL_BEGINS - 1 + sizeof TERMINAL_ENDS - 2;
	return columns > colours ? columns - colours : 0;
}

static int
write_svg(const QRcode *code, struct buffer *out, struct error *err)
{
	int side = code->width + 2 * QUIET;
	if (buffer_printf(out, err, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" shape-rendering=\"crispEdges\">\n"
	        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<path d=\"", side, side, side * PIXELS, side * PIXELS) != 0)
		return -1;
	for (int y = 0; y < code->width; y++)
		for (int x = 0, len; x < code->width; x += len) {
			for (len = 1; is_dark(code, x, y) && is_dark(code, x + len, y);)
				len++;
			if (is_dark(code, x, y) && buffer_printf(out, err, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, len, len) != 0)
				return -1;
		}
	return buffer_append_string(out, "\"/>\n</svg>\n", err);
}

/* ---- PNG */

struct png_sink {
	struct buffer *out;
	struct error *err;
};

static void
on_png_bytes(png_structp png, png_bytep bytes, png_size_t len)
{
	struct png_sink *sink = png_get_io_ptr(png);
	if (buffer_append(sink->out, bytes, len, sink->err) != 0)
		png_error(png, "no room");
}

static void
on_png_flush(png_structp png)
{
	(void)png;
}

static void
put_rows(png_structp png, png_infop info, const QRcode *code, unsigned char *row)
{
	int modules = code->width + 2 * QUIET, side = modules * PIXELS;
	png_set_IHDR(png, info, (png_uint_32)side, (png_uint_32)side, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
	    PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (int y = 0; y < side; y++) {
		for (int x = 0; x < side; x++)
			row[x] = is_dark(code, x / PIXELS - QUIET, y / PIXELS - QUIET) ? 0 : 255;
		png_write_row(png, row);
	}
	png_write_end(png, NULL);
}

static int
write_png(const QRcode *code, struct buffer *out, struct error *err)
{
	struct error why = { 0 };
	struct png_sink sink = { out, &why };
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png == NULL ? NULL : png_create_info_struct(png);
	unsigned char *row = malloc((size_t)(code->width + 2 * QUIET) * PIXELS);
	volatile int result = -1;
	if (info != NULL && row != NULL && setjmp(png_jmpbuf(png)) == 0) {
		png_set_write_fn(png, &sink, on_png_bytes, on_png_flush);
		put_rows(png, info, code, row);
		result = 0;
	}
	png_destroy_write_struct(&png, &info);
	free(row);
	return result == 0 ? 0 : error_set(err, ERROR_NO_MEMORY, "the picture cannot be made: %s", why.text[0] != '\0' ? why.text : "out of memory");
}

int
qr_write(struct slice text, enum qr_format format, struct buffer *out, struct error *err)
{
	QRcode *code = text.len == 0 || text.len > QR_TEXT_MAX ? NULL : QRcode_encodeData((int)text.len, text.data, 0, QR_ECLEVEL_L);
	if (code == NULL)
		return error_set(err, errno == ENOMEM ? ERROR_NO_MEMORY : ERROR_TOO_LARGE, "no QR code holds %zu bytes: %d are the most", text.len, QR_TEXT_MAX);
	int result = format == QR_PNG ? write_png(code, out, err) : format == QR_SVG ? write_svg(code, out, err) : write_terminal(code, out, err);
	QRcode_free(code);
	return result;
}
