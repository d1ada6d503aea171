/* SPDX-License-Identifier: ISC */
#include "cli/picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

enum picture_kind
picture_kind_of(struct slice bytes)
{
	if (bytes.len >= 8 && memcmp(bytes.data, "\x89PNG\r\n\x1a\n", 8) == 0)
		return PICTURE_PNG;
	return bytes.len >= 3 && memcmp(bytes.data, "\xff\xd8\xff", 3) == 0 ? PICTURE_JPEG : PICTURE_NONE;
}

/* Room for it, when it is not too large. */
static int
make_room(struct picture *p, size_t width, size_t height, struct error *err)
{
	if (width == 0 || height == 0 || width > PICTURE_MAX_PIXELS / height)
		return error_set(err, ERROR_TOO_LARGE, "the picture has more than %zu million pixels", PICTURE_MAX_PIXELS / 1000000);
	p->width = (unsigned)width;
	p->height = (unsigned)height;
	p->grey = malloc(width * height);
	return p->grey != NULL ? 0 : error_set(err, ERROR_NO_MEMORY, "out of memory");
}

static int
decode_png(struct slice bytes, struct picture *out, struct error *err)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	const png_color white = { 255, 255, 255 };
	if (png_image_begin_read_from_memory(&image, bytes.data, bytes.len) == 0)
		return error_set(err, ERROR_INVALID, "the picture cannot be read: %s", image.message);
	image.format = PNG_FORMAT_GRAY;
	int result = make_room(out, image.width, image.height, err);
	if (result == 0 && png_image_finish_read(&image, &white, out->grey, 0, NULL) == 0)
		result = error_set(err, ERROR_INVALID, "the picture cannot be read: %s", image.message);
	png_image_free(&image);
	return result;
}

/* ---- JPEG, whose library ends the process unless it is jumped out of */

struct jpeg_trouble {
	struct jpeg_error_mgr manager; /* first: the library knows only this */
	jmp_buf way_out;
};

static void
on_jpeg_error(j_common_ptr info)
{
	longjmp(((struct jpeg_trouble *)info->err)->way_out, 1);
}

static void
on_jpeg_message(j_common_ptr info)
{
	(void)info;
}

static int
read_jpeg(struct jpeg_decompress_struct *info, struct slice bytes, struct picture *out, struct error *err)
{
	jpeg_mem_src(info, bytes.data, bytes.len);
	jpeg_read_header(info, TRUE);
	info->out_color_space = JCS_GRAYSCALE;
	info->mem->max_memory_to_use = 256 * 1024 * 1024;
	jpeg_calc_output_dimensions(info);
	if (make_room(out, info->output_width, info->output_height, err) != 0)
		return -1;
	jpeg_start_decompress(info);
	while (info->output_scanline < info->output_height) {
		JSAMPROW row = out->grey + (size_t)info->output_scanline * out->width;
		jpeg_read_scanlines(info, &row, 1);
	}
	jpeg_finish_decompress(info);
	return 0;
}

static int
decode_jpeg(struct slice bytes, struct picture *out, struct error *err)
{
	struct jpeg_decompress_struct info = { 0 };
	struct jpeg_trouble trouble;
	int result;
	info.err = jpeg_std_error(&trouble.manager);
	trouble.manager.error_exit = on_jpeg_error;
	trouble.manager.output_message = on_jpeg_message;
	if (setjmp(trouble.way_out) == 0) {
		jpeg_create_decompress(&info);
		result = read_jpeg(&info, bytes, out, err);
	} else {
		result = error_set(err, ERROR_INVALID, "the picture cannot be read: it is damaged");
	}
	jpeg_destroy_decompress(&info);
	return result;
}

int
picture_decode(struct slice bytes, struct picture *out, struct error *err)
{
	*out = (struct picture){ 0 };
	enum picture_kind kind = picture_kind_of(bytes);
	if (kind == PICTURE_NONE)
		return error_set(err, ERROR_UNSUPPORTED, "this is no picture that can be read: PNG and JPEG can");
	return kind == PICTURE_PNG ? decode_png(bytes, out, err) : decode_jpeg(bytes, out, err);
}
