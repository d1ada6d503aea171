/* SPDX-License-Identifier: ISC
 *
 * Who introduced whom, as a picture: for each whom the owner knows a node, coloured by how sure their key is, and an arrow from whoever
 * introduced them: one kind for those who name the key that counts, another for those who name a key that conflicts with it.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* people: of one book, with keys and introductions (contact_book.h). identity: whose. */
void contact_graph_dot(FILE *out, json_t *people, const char *identity);

/* The same laid out: the owner in the middle, everybody on a circle around. */
void contact_graph_svg(FILE *out, json_t *people, const char *identity);
