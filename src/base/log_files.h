/* SPDX-License-Identifier: ISC
 *
 * The files of a node's log: LOG_FILE in the folder LOG_FOLDER of its data, and older ones, LOG_FILE ".1" to
 * ".LOG_FILES_OLD", the oldest last. smtorp-log writes them, `smtorp logs` reads them.
 */
#pragma once

#define LOG_FOLDER "log"
#define LOG_FILE "smtorpd.log"
#define LOG_FILES_OLD 3
#define LOG_FILE_MAX_BYTES (1024 * 1024)
