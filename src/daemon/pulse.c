/* SPDX-License-Identifier: ISC */
#include "daemon/pulse.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define IDLE_MOST (60000 / PULSE_MS)
#define BUSY_MOST (300000 / PULSE_MS)

char
pulse_state(pid_t pid)
{
	char path[64], text[256];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	file_close(&fd);
	if (n <= 0)
		return '?';
	text[n] = '\0';
	const char *end = strrchr(text, ')'); /* of its name, which may hold anything */
	return end != NULL && end[1] == ' ' && end[2] != '\0' ? end[2] : '?';
}

bool
pulse_is_lost(unsigned unanswered, char state)
{
	switch (state) {
	case 'D':
	case 't':
		return false;
	case 'S':
	case 'T':
	case 'I':
		return unanswered >= IDLE_MOST;
	default:
		return unanswered >= BUSY_MOST;
	}
}
