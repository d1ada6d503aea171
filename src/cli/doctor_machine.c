/* SPDX-License-Identifier: ISC */
#include "cli/doctor_machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

#define FILE_MAX_BYTES 65536
#define LINE_NAMES_MAX 32

void
machine_add(struct machine *m, const char *word)
{
	size_t len = strlen(word);
	if (len == 0 || len > MACHINE_WORD_MAX || m->count == MACHINE_WORDS_MAX)
		return;
	for (size_t i = 0; i < m->count; i++)
		if (strcasecmp(m->words[i], word) == 0)
			return;
	memcpy(m->words[m->count], word, len + 1);
	m->list[m->count] = m->words[m->count];
	m->count++;
}

/* A name with a domain counts as a whole and without its domain. */
static void
add_host(struct machine *m, const char *name)
{
	char first[MACHINE_WORD_MAX + 1];
	slice_to_string(slice_of(name, strcspn(name, ".")), first, sizeof first);
	if (strcasecmp(first, "localhost") == 0 || first[0] == '\0')
		return;
	machine_add(m, name);
	machine_add(m, first);
	if (strchr(name, '.') != NULL && m->full_host[0] == '\0' && strlen(name) < sizeof m->full_host)
		strcpy(m->full_host, name);
}

/* The names of a line "192.0.2.7 laptop.example.org laptop" when one of them is the host's. */
static void
take_hosts_line(struct machine *m, struct slice line)
{
	char text[1024], *names[LINE_NAMES_MAX], *rest = text;
	size_t count = 0;
	bool is_ours = false;
	slice_to_string(line, text, sizeof text);
	text[strcspn(text, "#")] = '\0';
	strsep(&rest, " \t\r");
	for (char *word; rest != NULL && count < LINE_NAMES_MAX && (word = strsep(&rest, " \t\r")) != NULL;) {
		if (word[0] == '\0')
			continue;
		names[count++] = word;
		is_ours |= strncasecmp(word, m->host, strlen(m->host)) == 0 &&
		    (word[strlen(m->host)] == '\0' || word[strlen(m->host)] == '.');
	}
	for (size_t i = 0; is_ours && i < count; i++)
		add_host(m, names[i]);
}

void
machine_take_hosts(struct machine *m, struct slice text)
{
	while (m->host[0] != '\0' && text.len > 0) {
		const unsigned char *lf = memchr(text.data, '\n', text.len);
		size_t len = lf != NULL ? (size_t)(lf - text.data) : text.len;
		take_hosts_line(m, slice_of(text.data, len));
		len += lf != NULL;
		text = slice_of(text.data + len, text.len - len);
	}
}

/* The file's text up to FILE_MAX_BYTES; empty when it cannot be read. */
static void
load(const char *path, struct buffer *out)
{
	buffer_init(out, FILE_MAX_BYTES);
	file_load(AT_FDCWD, path, out, NULL);
}

static void
look_at_host(struct machine *m)
{
	char name[HOST_NAME_MAX + 1] = "", mailname[MACHINE_WORD_MAX + 1];
	struct buffer text;
	gethostname(name, sizeof name - 1);
	slice_to_string(slice_of(name, strcspn(name, ".")), m->host, sizeof m->host);
	add_host(m, name);
	load("/etc/hosts", &text);
	machine_take_hosts(m, slice_of(buffer_bytes(&text), buffer_len(&text)));
	buffer_finish(&text);
	load("/etc/mailname", &text);
	slice_to_string(slice_of(buffer_bytes(&text), buffer_len(&text)), mailname, sizeof mailname);
	mailname[strcspn(mailname, " \t\r\n")] = '\0';
	add_host(m, mailname);
	buffer_finish(&text);
}

static void
look_at_user(struct machine *m)
{
	char zone[PATH_MAX], *slash;
	struct passwd *user = getpwuid(geteuid());
	if (user != NULL) {
		machine_add(m, user->pw_name);
		if (strcmp(user->pw_dir, "/") != 0)
			machine_add(m, user->pw_dir);
	}
	ssize_t len = readlink("/etc/localtime", zone, sizeof zone - 1);
	if (len <= 0)
		return;
	zone[len] = '\0';
	slash = strrchr(zone, '/');
	if (slash != NULL && strcasecmp(slash + 1, "UTC") != 0)
		machine_add(m, slash + 1);
}

static void
look_at_interfaces(struct machine *m)
{
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		char text[INET6_ADDRSTRLEN] = "";
		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_LOOPBACK) != 0)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, text, sizeof text);
		else if (i->ifa_addr->sa_family == AF_INET6)
			inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, text, sizeof text);
		machine_add(m, text);
	}
	freeifaddrs(all);
}

void
machine_look(struct machine *m)
{
	*m = (struct machine){ 0 };
	look_at_host(m);
	look_at_user(m);
	look_at_interfaces(m);
}
