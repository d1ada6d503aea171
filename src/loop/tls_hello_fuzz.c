/* SPDX-License-Identifier: ISC
 *
 * What comes before TLS stands: how it is cut changes nothing.
 */
#include <stdlib.h>

#include "loop/tlsconn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_hello whole = { .have = 0 }, single = { .have = 0 };
	bool goes_on = true;
	for (size_t i = 0; goes_on && i < size; i++)
		goes_on = tls_hello_may_go_on(&single, data + i, 1);
	if (tls_hello_may_go_on(&whole, data, size) != goes_on || (goes_on && (whole.have != single.have || whole.left != single.left)))
		abort();
	return 0;
}
