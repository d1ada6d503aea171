/* SPDX-License-Identifier: ISC
 *
 * GMime made ready, once for each process, before the process gives up opening files: its character set tables and GLib's
 * types are set up here. What this module asks of GMime afterwards loads nothing: it never converts a character set (iconv
 * would load modules) and never asks for the local time zone.
 */
#pragma once

void library_init(void);
