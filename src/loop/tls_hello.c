/* SPDX-License-Identifier: ISC
 *
 * How long a stranger's ClientHello may be. OpenSSL takes 131,396 octets, and memory for all that the first nine octets speak of, before
 * any more has come: thousands of connections that then say nothing would fill the machine. And each ticket that is offered in one is
 * looked at.
 */
#include "loop/tlsconn.h"

#define RECORD_HEADER_BYTES 5 /* RFC 8446 section 5.1: type, version, length */
#define TYPE_HANDSHAKE 22
#define CLIENT_HELLO 1

/* Records hold the beginning of a message whole; nobody's ClientHello is cut within the four octets of type and length. */
static bool
is_fine(const struct tls_hello *h)
{
	const unsigned char *message = h->head + RECORD_HEADER_BYTES;
	if (h->have < RECORD_HEADER_BYTES || h->head[0] != TYPE_HANDSHAKE)
		return true;
	if (h->have < sizeof h->head)
		return h->left > 0;
	size_t length = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];
	return message[0] != CLIENT_HELLO || length <= TLS_HELLO_MAX_BYTES;
}

bool
tls_hello_may_go_on(struct tls_hello *h, const unsigned char *bytes, size_t len)
{
	while (len > 0) {
		size_t step = 1;
		if (h->have < sizeof h->head) {
			h->head[h->have++] = *bytes;
			if (h->have == RECORD_HEADER_BYTES)
				h->left = (size_t)h->head[3] << 8 | h->head[4];
			else if (h->have > RECORD_HEADER_BYTES)
				h->left--;
			if (!is_fine(h))
				return false;
		} else { /* the rest of the record */
			step = len < h->left ? len : h->left;
			h->left -= step;
		}
		bytes += step;
		len -= step;
		if (h->have >= RECORD_HEADER_BYTES && h->left == 0)
			h->have = 0;
	}
	return true;
}
