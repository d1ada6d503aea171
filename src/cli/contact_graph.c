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

/* What their onion has said of itself: "" for nothing. */
static const char *
move_of(json_t *contact)
{
	return view_text(json_object_get(contact, "move"), "state");
}

/* Something that the owner should know, or decide. */
static bool
is_alarming(json_t *contact)
{
	const char *move = move_of(contact);
	return view_number(contact, "held") > 0 || (move[0] != '\0' && strcmp(move, "moved") != 0);
}

/* Their trust, and what became of them: short, since it stands in a box. */
static void
say_state(json_t *contact, char out[LABEL_MAX])
{
	const char *move = move_of(contact);
	bool is_held = view_number(contact, "held") > 0, is_open = strcmp(move, "held") == 0 || strcmp(move, "frozen") == 0;
	if (strcmp(move, "revoked") == 0)
		snprintf(out, LABEL_MAX, "revoked");
	else
		snprintf(out, LABEL_MAX, "%s%s", view_text(contact, "trust"), is_held && is_open ? ", a key and a move are held" :
		    is_held ? ", a key is held" : is_open ? ", a move is held" : move[0] != '\0' ? ", moved" : "");
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

/* Of those whom the same person has introduced with several keys: how many introductions of theirs stand before this one. */
static size_t
count_before(json_t *introductions, size_t at)
{
	const char *by = view_text(json_array_get(introductions, at), "by");
	size_t count = 0;
	for (size_t i = 0; i < at; i++)
		count += strcmp(view_text(json_array_get(introductions, i), "by"), by) == 0;
	return count;
}

struct edge {
	const struct person *from, *to;
	bool is_conflict;
	char day[11];
	size_t before; /* between the same two */
};

/* Calls each for every introduction whose introducer has a node. */
typedef void take_edge(FILE *out, const struct edge *edge, const void *context);

static void
for_edges(FILE *out, const struct graph *g, take_edge *each, const void *context)
{
	json_t *introduction;
	size_t i;
	for (size_t n = 0; n < g->count; n++)
		json_array_foreach(json_object_get(g->people[n].contact, "introductions"), i, introduction) {
			struct edge edge = { .from = find(g, view_text(introduction, "by")), .to = &g->people[n],
				.is_conflict = conflicts(g->people[n].contact, introduction),
				.before = count_before(json_object_get(g->people[n].contact, "introductions"), i) };
			contact_why_day(view_number(introduction, "since"), edge.day);
			if (edge.from != NULL)
				each(out, &edge, context);
		}
}

/* ---- DOT */

static void
put_dot_edge(FILE *out, const struct edge *edge, const void *context)
{
	(void)context;
	bool is_conflict = edge->is_conflict;
	fprintf(out, "  n%zu -> n%zu [color=\"%s\", label=\"%s%s\"%s];\n", edge->from->number, edge->to->number, is_conflict ? CONFLICT : INTRODUCED,
	    edge->day, is_conflict ? "\\nconflicting" : "", is_conflict ? ", style=dashed, fontcolor=\"" CONFLICT "\"" : "");
}

void
contact_graph_dot(FILE *out, json_t *people, const char *identity)
{
	struct graph g = build(people);
	char address[LABEL_MAX], state[LABEL_MAX];
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
		say_state(p->contact, state);
		fprintf(out, "\\n%s\", tooltip=\"", state);
		put(out, p->address, escape_dot);
		fprintf(out, "\", color=\"%s\"%s];\n", is_alarming(p->contact) ? CONFLICT : color_of(p->contact),
		    is_alarming(p->contact) ? ", penwidth=2" : "");
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
#define RADIUS_LEAST 260.0
#define LABEL_AT 0.36 /* of the way: the middle of some is behind the owner's box */
#define ASIDE 8.0   /* of a line between two: there is room for one the other way */

struct point {
	double x, y;
};

/* An odd number of places, so that no two are on both sides of the owner, whose box would hide what is between them. */
struct circle {
	struct point middle;
	double radius;
	size_t count;
};

static struct point
place(const struct circle *c, const struct person *p)
{
	double angle = 6.283185307179586 * (double)p->number / (double)(c->count | 1) - 1.5707963267948966;
	return (struct point){ c->middle.x + c->radius * cos(angle), c->middle.y + c->radius * sin(angle) };
}

/* Whole numbers, so that the same book gives the same picture everywhere. */
static int
rounded(double value)
{
	return (int)lround(value);
}

/* How far a line lies to the left of the one between the middles of two boxes, when others go between them, too. */
static struct point
aside(struct point from, struct point to, double by)
{
	double dx = to.x - from.x, dy = to.y - from.y, length = hypot(dx, dy);
	return length > 0.001 ? (struct point){ dy / length * by, -dx / length * by } : (struct point){ 0 };
}

/* Which part of a way, along one axis, is still in a box of this half width, when it begins off from its middle. */
static double
part_inside(double off, double way, double half)
{
	return fabs(way) > 0.001 ? (half - (way > 0 ? off : -off)) / fabs(way) : 1e9;
}

/* Where the way from a box towards another point leaves the box. */
static struct point
leave_box(struct point box, struct point to, struct point off)
{
	double dx = to.x - box.x, dy = to.y - box.y;
	double part = fmin(part_inside(off.x, dx, NODE_WIDTH / 2.0 + 4), part_inside(off.y, dy, NODE_HEIGHT / 2.0 + 4));
	part = part < 1 ? part : 1;
	return (struct point){ box.x + off.x + dx * part, box.y + off.y + dy * part };
}

static void
put_line(FILE *out, struct point a, struct point b, struct point off, const char *style)
{
	struct point from = leave_box(a, b, off), to = leave_box(b, a, off);
	fprintf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" %s/>\n", rounded(from.x), rounded(from.y), rounded(to.x), rounded(to.y), style);
}

static void
put_svg_edge(FILE *out, const struct edge *edge, const void *context)
{
	struct point from = place(context, edge->from), to = place(context, edge->to);
	struct point off = aside(from, to, ASIDE + 2 * ASIDE * (double)edge->before);
	double part = LABEL_AT + 0.1 * (double)(edge->before % 4);
	bool is_conflict = edge->is_conflict;
	put_line(out, from, to, off, is_conflict ? "stroke=\"" CONFLICT "\" stroke-dasharray=\"6 4\" marker-end=\"url(#conflict)\"" :
	    "stroke=\"" INTRODUCED "\" marker-end=\"url(#introduced)\"");
	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"day\" fill=\"%s\">%s%s</text>\n", rounded(from.x + (to.x - from.x) * part + off.x),
	    rounded(from.y + (to.y - from.y) * part + off.y) - 3, is_conflict ? CONFLICT : INTRODUCED, edge->day, is_conflict ? " conflicting" : "");
}

/* Two lines in a box; what stands above them when the mouse rests on it is the whole address. */
static void
put_node(FILE *out, struct point at, const char *first, const char *second, const char *whole, const char *color, bool is_wide)
{
	fprintf(out, "<g><title>");
	put(out, whole, escape_xml);
	fprintf(out, "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#ffffff\" stroke=\"%s\" stroke-width=\"%d\"/>"
	    "<text x=\"%d\" y=\"%d\">", rounded(at.x) - NODE_WIDTH / 2, rounded(at.y) - NODE_HEIGHT / 2, NODE_WIDTH, NODE_HEIGHT, color, is_wide ? 3 : 1,
	    rounded(at.x), rounded(at.y) - 6);
	put(out, first, escape_xml);
	fprintf(out, "</text><text x=\"%d\" y=\"%d\" class=\"small\" fill=\"%s\">", rounded(at.x), rounded(at.y) + 14, color);
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
	char first[LABEL_MAX], address[LABEL_MAX], second[LABEL_MAX];
	bool is_loud = is_alarming(p->contact);
	say_short(p->address, address);
	cut(view_text(p->contact, "name")[0] != '\0' ? view_text(p->contact, "name") : address, 26, first);
	say_state(p->contact, second);
	put_node(out, place(c, p), first, second, p->address, is_loud ? CONFLICT : color_of(p->contact), is_loud);
}

void
contact_graph_svg(FILE *out, json_t *people, const char *identity)
{
	struct graph g = build(people);
	double around = (double)g.count * ARC / 6.283185307179586;
	struct circle c = { .radius = around > RADIUS_LEAST ? around : RADIUS_LEAST, .count = g.count };
	c.middle = (struct point){ c.radius + NODE_WIDTH / 2.0 + MARGIN, c.radius + NODE_HEIGHT / 2.0 + MARGIN };
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"14\" "
	    "text-anchor=\"middle\">\n<style>.small{font-size:11px}.day{font-size:10px}</style>\n<defs>\n", rounded(2 * c.middle.x), rounded(2 * c.middle.y));
	put_marker(out, "introduced", INTRODUCED);
	put_marker(out, "conflict", CONFLICT);
	put_marker(out, "verified", VERIFIED);
	fputs("</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fafafa\"/>\n", out);
	for (size_t i = 0; i < g.count; i++) {
		bool is_verified = strcmp(view_text(g.people[i].contact, "trust"), "verified") == 0 && view_number(g.people[i].contact, "vouching") < 2;
		put_line(out, c.middle, place(&c, &g.people[i]), (struct point){ 0 }, is_verified ? "stroke=\"" VERIFIED "\" marker-end=\"url(#verified)\"" :
		    "stroke=\"" KNOWN "\" stroke-dasharray=\"1 4\"");
	}
	for_edges(out, &g, put_svg_edge, &c);
	put_node(out, c.middle, identity, "you", identity, "#212121", true);
	for (size_t i = 0; i < g.count; i++)
		put_person(out, &c, &g.people[i]);
	fputs("</svg>\n", out);
	free(g.people);
}
