/* SPDX-License-Identifier: ISC */
#include "tor/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static int
parse_path(const char *path, struct endpoint *out, struct error *err)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&out->address;
	if (strlen(path) >= sizeof address->sun_path)
		return error_set(err, ERROR_INVALID, "the path of a socket has at most %zu bytes", sizeof address->sun_path - 1);
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	out->len = sizeof *address;
	return 0;
}

static int
parse_host(const char *text, struct endpoint *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->address;
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	char *end;
	if (colon == NULL || (size_t)(colon - text) >= sizeof host || colon[1] < '0' || colon[1] > '9')
		return -1;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port == 0 || port > 65535)
		return -1;
	snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		out->len = sizeof *v4;
		return 0;
	}
	size_t len = strlen(host);
	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return -1;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	out->len = sizeof *v6;
	return 0;
}

int
endpoint_parse(const char *text, struct endpoint *out, struct error *err)
{
	*out = (struct endpoint){ 0 };
	if (strncmp(text, "unix:", 5) == 0)
		text += 5;
	if (text[0] == '/')
		return parse_path(text, out, err);
	if (parse_host(text, out) != 0)
		return error_set(err, ERROR_INVALID, "'%.100s' is no place where tor listens: it must be like unix:/run/tor/control or "
		    "127.0.0.1:9051", text);
	return 0;
}

int
endpoint_connect(const struct endpoint *endpoint)
{
	int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->len) == 0 || errno == EINPROGRESS)
		return fd;
	int errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}
