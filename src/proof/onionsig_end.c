/* SPDX-License-Identifier: ISC
 *
 * Apart from the rest, for a process that may read no message.
 */
#include "base/encode.h"
#include "proof/onionsig.h"

int
onionsig_end(struct buffer *field, const unsigned char signature[DKIM_SIGNATURE_BYTES], struct error *err)
{
	char base64[ENCODE_BASE64_LEN(DKIM_SIGNATURE_BYTES) + 1];
	encode_base64(base64, signature, DKIM_SIGNATURE_BYTES);
	return buffer_printf(field, err, "%.64s\r\n %s\r\n", base64, base64 + 64);
}
