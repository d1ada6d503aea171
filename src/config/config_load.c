/* SPDX-License-Identifier: ISC */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buffer.h"
#include "base/file.h"

#define FILE_MAX_BYTES (256 * 1024)

static int
read_file(const char *path, struct buffer *out, struct error *err)
{
	/* Unlike what lies in a node's own folders, this file may be a symbolic link: to /etc, or to somebody's dotfiles. */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open it");
	int result = file_read_all(fd, out, err);
	file_close(&fd);
	return result;
}

int
config_load(const char *path, struct config *out, struct error *err)
{
	struct error why = { 0 };
	struct buffer text;
	buffer_init(&text, FILE_MAX_BYTES);
	int result = read_file(path, &text, &why);
	if (result != 0 && why.code == ERROR_NOT_FOUND)
		result = 0;
	if (result == 0)
		result = config_parse(slice_of(buffer_bytes(&text), buffer_len(&text)), out, &why);
	buffer_finish(&text);
	if (result != 0)
		error_set(err, why.code, "%.160s: %s", path, why.text);
	return result;
}
