/* SPDX-License-Identifier: ISC
 *
 * The tables of mail.db, in all their versions. store/, queue/ and contacts/ share one database so that one
 * transaction can hold the effects of a journal record together with the journal's position.
 */
#pragma once

#define SCHEMA_VERSIONS 14
extern const char *const schema_versions[SCHEMA_VERSIONS]; /* for database_open() */
