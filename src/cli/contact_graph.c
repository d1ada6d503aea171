/* SPDX-License-Identifier: ISC */
#include "cli/contact_graph.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/contact_book.h"
#include "cli/contact_why.h"
#include "cli/view.h"

#define VERIFIED "#2e7d32"
#define INTRODUCED "#1565c0"
#define KNOWN "#616161"
#define CONFLICT "#c62828"
#define LABEL_MAX 600

struct person {
	json_t *contact;
	const char *address;
	size_t number; /* of the node */
};

struct graph {
	struct person *people; /* by address */
	size_t count;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct person *)a)->address, ((const struct person *)b)->address);
}

/* Strangers are nobody's acquaintances, and introduce nobody. */
static struct graph
build(json_t *people)
{
	struct graph g = { calloc(json_array_size(people) + 1, sizeof *g.people), 0 };
	json_t *contact;
	size_t i;
	json_array_foreach(people, i, contact)
		if (g.people != NULL && !json_is_true(json_object_get(contact, "stranger"))) {
			g.people[g.count] = (struct person){ contact, view_text(contact, "address"), g.count };
			g.count++;
		}
	if (g.people != NULL)
		qsort(g.people, g.count, sizeof *g.people, compare);
	return g;
}

static const struct person *
find(const struct graph *g, const char *address)
{
	const struct person wanted = { .address = address };
	return g->count == 0 ? NULL : bsearch(&wanted, g->people, g->count, sizeof *g->people, compare);
}

/* ---- words */

/* escape: 0 or more characters that stand for one, or NULL. */
static const char *
escape_dot(char c)
{
	return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
}

static const char *
escape_xml(char c)
{
	return c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : NULL;
}

static void
put(FILE *out, const char *text, const char *(*escape)(char c))
{
	for (; *text != '\0'; text++)
		if (escape(*text) != NULL)
			fputs(escape(*text), out);
		else
			fputc(*text, out);
}

/* bob@abcdefgh...: the whole onion would be all that is seen. */
static void
say_short(const char *address, char out[LABEL_MAX])
{
	const char *at = strchr(address, '@');
	if (at == NULL)
		at = address;
	snprintf(out, LABEL_MAX, "%.*s%.9s...", (int)(at - address), address, at);
}

static const char *
color_of(json_t *contact)
{
	const char *trust = view_text(contact, "trust");
	return strcmp(trust, "verified") == 0 ? VERIFIED : strcmp(trust, "introduced") == 0 ? INTRODUCED : KNOWN;
}

static bool
has_held(json_t *contact)
{
	return view_number(contact, "held") > 0;
}

/* A key that counted before conflicts with nothing: it was changed since. */
static bool
conflicts(json_t *contact, json_t *introduction)
{
	json_t *key;
	size_t i;
	json_array_foreach(json_object_get(contact, "keys"), i, key)
		if (strcmp(view_text(key, "fingerprint"), view_text(introduction, "fingerprint")) == 0)
			return strcmp(view_text(key, "state"), "counts") != 0 && strcmp(view_text(key, "state"), "former") != 0;
	return true;
}

/* Calls each for every introduction whose introducer has a node. */
typedef void take_edge(FILE *out, const struct person *from, const struct person *to, bool is_conflict, const char *day, const void *context);

static void
for_edges(FILE *out, const struct graph *g, take_edge *each, const void *context)
{
	json_t *introduction;
	size_t i;
	for (size_t n = 0; n < g->count; n++)
		json_array_foreach(json_object_get(g->people[n].contact, "introductions"), i, introduction) {
			const struct person *by = find(g, view_text(introduction, "by"));
			char day[11];
			contact_why_day(view_number(introduction, "since"), day);
			if (by != NULL)
				each(out, by, &g->people[n], conflicts(g->people[n].contact, introduction), day, context);
		}
}

/* ---- DOT */

static void
put_dot_edge(FILE *out, const struct person *from, const struct person *to, bool is_conflict, const char *day, const void *context)
{
	(void)context;
	fprintf(out, "  n%zu -> n%zu [color=\"%s\", label=\"%s%s\"%s];\n", from->number, to->number, is_conflict ? CONFLICT : INTRODUCED, day,
	    is_conflict ? "\\nconflicting" : "", is_conflict ? ", style=dashed, fontcolor=\"" CONFLICT "\"" : "");
}

void
contact_graph_dot(FILE *out, json_t *people, const char *identity)
{
	struct graph g = build(people);
	char address[LABEL_MAX];
	fprintf(out, "digraph contacts {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
	    "  edge [fontname=\"sans-serif\", fontsize=9];\n  me [label=\"");
	put(out, identity, escape_dot);
	fprintf(out, "\\n(you)\", style=\"rounded,filled\", fillcolor=\"#eeeeee\"];\n");
	for (size_t i = 0; i < g.count; i++) {
		const struct person *p = &g.people[i];
		say_short(p->address, address);
		fprintf(out, "  n%zu [label=\"", p->number);
		put(out, view_text(p->contact, "name"), escape_dot);
		fputs(view_text(p->contact, "name")[0] != '\0' ? "\\n" : "", out);
		put(out, address, escape_dot);
		fprintf(out, "\\n%s%s\", tooltip=\"", view_text(p->contact, "trust"), has_held(p->contact) ? ", a key is held" : "");
		put(out, p->address, escape_dot);
		fprintf(out, "\", color=\"%s\"%s];\n", has_held(p->contact) ? CONFLICT : color_of(p->contact), has_held(p->contact) ? ", penwidth=2" : "");
		if (strcmp(view_text(p->contact, "trust"), "verified") == 0 && view_number(p->contact, "vouching") < 2)
			fprintf(out, "  me -> n%zu [color=\"" VERIFIED "\", label=\"verified\", fontcolor=\"" VERIFIED "\"];\n", p->number);
		else
			fprintf(out, "  me -> n%zu [color=\"" KNOWN "\", style=dotted, arrowhead=none];\n", p->number);
	}
	for_edges(out, &g, put_dot_edge, NULL);
	fputs("}\n", out);
	free(g.people);
}

/* ---- SVG */

#define NODE_WIDTH 190
#define NODE_HEIGHT 54
#define ARC 120.0 /* of the circle, for each node */
#define MARGIN 40

struct circle {
	double x, y, radius;
	size_t count;
};

static void
place(const struct circle *c, const struct person *p, double *x, double *y)
{
	double angle = 6.283185307179586 * (double)p->number / (double)(c->count > 0 ? c->count : 1) - 1.5707963267948966;
	*x = c->x + c->radius * cos(angle);
	*y = c->y + c->radius * sin(angle);
}

/* Whole numbers, so that the same book gives the same picture everywhere. */
static int
rounded(double value)
{
	return (int)lround(value);
}

/* Where the way from a box's middle to another point leaves the box. */
static void
leave_box(double x, double y, double to_x, double to_y, double *out_x, double *out_y)
{
	double dx = to_x - x, dy = to_y - y;
	double across = fabs(dx) > 0.001 ? (NODE_WIDTH / 2.0 + 4) / fabs(dx) : 1e9, down = fabs(dy) > 0.001 ? (NODE_HEIGHT / 2.0 + 4) / fabs(dy) : 1e9;
	double part = across < down ? across : down;
	*out_x = x + dx * (part < 1 ? part : 1);
	*out_y = y + dy * (part < 1 ? part : 1);
}

static void
put_line(FILE *out, double x1, double y1, double x2, double y2, const char *style)
{
	double from_x, from_y, to_x, to_y;
	leave_box(x1, y1, x2, y2, &from_x, &from_y);
	leave_box(x2, y2, x1, y1, &to_x, &to_y);
	fprintf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" %s/>\n", rounded(from_x), rounded(from_y), rounded(to_x), rounded(to_y), style);
}

static void
put_svg_edge(FILE *out, const struct person *from, const struct person *to, bool is_conflict, const char *day, const void *context)
{
	double x1, y1, x2, y2;
	place(context, from, &x1, &y1);
	place(context, to, &x2, &y2);
	put_line(out, x1, y1, x2, y2, is_conflict ? "stroke=\"" CONFLICT "\" stroke-dasharray=\"6 4\" marker-end=\"url(#conflict)\"" :
	    "stroke=\"" INTRODUCED "\" marker-end=\"url(#introduced)\"");
	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"day\" fill=\"%s\">%s%s</text>\n", rounded((x1 + x2) / 2), rounded((y1 + y2) / 2) - 3,
	    is_conflict ? CONFLICT : INTRODUCED, day, is_conflict ? " conflicting" : "");
}

/* Two lines in a box; what stands above them when the mouse rests on it is the whole address. */
static void
put_node(FILE *out, double x, double y, const char *first, const char *second, const char *whole, const char *color, bool is_wide)
{
	fprintf(out, "<g><title>");
	put(out, whole, escape_xml);
	fprintf(out, "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#ffffff\" stroke=\"%s\" stroke-width=\"%d\"/>"
	    "<text x=\"%d\" y=\"%d\">", rounded(x) - NODE_WIDTH / 2, rounded(y) - NODE_HEIGHT / 2, NODE_WIDTH, NODE_HEIGHT, color, is_wide ? 3 : 1,
	    rounded(x), rounded(y) - 6);
	put(out, first, escape_xml);
	fprintf(out, "</text><text x=\"%d\" y=\"%d\" class=\"small\" fill=\"%s\">", rounded(x), rounded(y) + 14, color);
	put(out, second, escape_xml);
	fprintf(out, "</text></g>\n");
}

static void
put_marker(FILE *out, const char *id, const char *color)
{
	fprintf(out, "<marker id=\"%s\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">"
	    "<path d=\"M0 0L8 4L0 8z\" fill=\"%s\"/></marker>\n", id, color);
}

/* UTF-8 is cut between characters. */
static void
cut(const char *text, size_t most, char out[LABEL_MAX])
{
	size_t len = strlen(text);
	if (len > most) {
		for (len = most - 1; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
		snprintf(out, LABEL_MAX, "%.*s...", (int)len, text);
	} else {
		snprintf(out, LABEL_MAX, "%s", text);
	}
}

static void
put_person(FILE *out, const struct circle *c, const struct person *p)
{
	double x, y;
	char first[LABEL_MAX], address[LABEL_MAX], second[LABEL_MAX];
	bool is_held = has_held(p->contact);
	place(c, p, &x, &y);
	say_short(p->address, address);
	cut(view_text(p->contact, "name")[0] != '\0' ? view_text(p->contact, "name") : address, 26, first);
	snprintf(second, sizeof second, "%s%s", view_text(p->contact, "trust"), is_held ? ", a key is held" : "");
	put_node(out, x, y, first, second, p->address, is_held ? CONFLICT : color_of(p->contact), is_held);
}

void
contact_graph_svg(FILE *out, json_t *people, const char *identity)
{
	struct graph g = build(people);
	double around = (double)g.count * ARC / 6.283185307179586;
	struct circle c = { .radius = around > 200 ? around : 200, .count = g.count };
	c.x = c.radius + NODE_WIDTH / 2.0 + MARGIN;
	c.y = c.radius + NODE_HEIGHT / 2.0 + MARGIN;
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"14\" "
	    "text-anchor=\"middle\">\n<style>.small{font-size:11px}.day{font-size:10px}</style>\n<defs>\n", rounded(2 * c.x), rounded(2 * c.y));
	put_marker(out, "introduced", INTRODUCED);
	put_marker(out, "conflict", CONFLICT);
	put_marker(out, "verified", VERIFIED);
	fputs("</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fafafa\"/>\n", out);
	for (size_t i = 0; i < g.count; i++) {
		double x, y;
		bool is_verified = strcmp(view_text(g.people[i].contact, "trust"), "verified") == 0 && view_number(g.people[i].contact, "vouching") < 2;
		place(&c, &g.people[i], &x, &y);
		put_line(out, c.x, c.y, x, y, is_verified ? "stroke=\"" VERIFIED "\" marker-end=\"url(#verified)\"" :
		    "stroke=\"" KNOWN "\" stroke-dasharray=\"1 4\"");
	}
	for_edges(out, &g, put_svg_edge, &c);
	put_node(out, c.x, c.y, identity, "you", identity, "#212121", true);
	for (size_t i = 0; i < g.count; i++)
		put_person(out, &c, &g.people[i]);
	fputs("</svg>\n", out);
	free(g.people);
}
