#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "spans.h"

/* Numbers of opentelemetry.proto.trace.v1 and .common.v1, release 1.x. */
enum {
	REQUEST_RESOURCE_SPANS = 1,
	RESOURCE_SPANS_SCOPE_SPANS = 2,
	SCOPE_SPANS_SPANS = 2,
	SPAN_SPAN_ID = 2,
	SPAN_ATTRIBUTES = 9,
	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
	ANY_VALUE_INT = 3,
};

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* wire types */

static const char NETNS[] = "tcpspan.netns";

static uint64_t selected;
static uint64_t spans, matching, capacity;
static uint64_t *ids;

struct message {
	const uint8_t *at, *end;
};

struct field {
	unsigned number, type;
	uint64_t value;		/* of VARINT and FIXED types */
	struct message content; /* of BYTES */
};

static bool read_varint(struct message *message, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && message->at < message->end; shift += 7) {
		uint8_t byte = *message->at++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool read_fixed(struct message *message, size_t size, uint64_t *value)
{
	if ((size_t)(message->end - message->at) < size)
		return false;
	*value = 0;
	memcpy(value, message->at, size);
	message->at += size;
	return true;
}

/* Returns 1 for a field, 0 at the end, -1 for invalid bytes. */
static int next_field(struct message *message, struct field *field)
{
	uint64_t tag, length;

	if (message->at == message->end)
		return 0;
	if (!read_varint(message, &tag))
		return -1;
	field->number = tag >> 3;
	field->type = tag & 7;
	switch (field->type) {
	case VARINT:
		return read_varint(message, &field->value) ? 1 : -1;
	case FIXED64:
		return read_fixed(message, 8, &field->value) ? 1 : -1;
	case FIXED32:
		return read_fixed(message, 4, &field->value) ? 1 : -1;
	case BYTES:
		if (!read_varint(message, &length) ||
		    length > (uint64_t)(message->end - message->at))
			return -1;
		field->content = (struct message){ message->at, message->at + length };
		message->at += length;
		return 1;
	default:
		return -1;
	}
}

static bool is_netns(struct message text)
{
	size_t length = text.end - text.at;

	return length == sizeof NETNS - 1 && memcmp(text.at, NETNS, length) == 0;
}

/* Whether a KeyValue is the selected network namespace; its key comes before its value. */
static bool is_selected(struct message attribute)
{
	struct field field;
	bool netns = false;

	while (next_field(&attribute, &field) > 0) {
		if (field.number == KEY_VALUE_KEY && field.type == BYTES) {
			netns = is_netns(field.content);
			if (!netns)
				return false;
		} else if (field.number == KEY_VALUE_VALUE && field.type == BYTES) {
			struct field value;

			return netns && next_field(&field.content, &value) > 0 &&
			       value.number == ANY_VALUE_INT && value.value == selected;
		}
	}
	return false;
}

static int keep(uint64_t id)
{
	if (matching == capacity) {
		uint64_t more = capacity == 0 ? 1 << 20 : capacity * 2;
		uint64_t *grown = realloc(ids, more * sizeof *ids);

		if (grown == NULL)
			return -1;
		ids = grown;
		capacity = more;
	}
	ids[matching++] = id;
	return 0;
}

static int take_span(struct message span)
{
	struct field field;
	uint64_t id = 0;
	bool wanted = false;
	int found;

	while ((found = next_field(&span, &field)) > 0) {
		if (field.type != BYTES)
			continue;
		if (field.number == SPAN_SPAN_ID && field.content.end - field.content.at == 8)
			memcpy(&id, field.content.at, 8);
		else if (field.number == SPAN_ATTRIBUTES && !wanted)
			wanted = is_selected(field.content);
	}
	spans++;
	return found == 0 && (!wanted || keep(id) == 0) ? 0 : -1;
}

static int take_children(struct message message, const unsigned *path, size_t depth)
{
	struct field field;
	int found;

	if (depth == 0)
		return take_span(message);
	while ((found = next_field(&message, &field)) > 0)
		if (field.type == BYTES && field.number == path[0] &&
		    take_children(field.content, path + 1, depth - 1) < 0)
			return -1;
	return found;
}

void select_netns(uint64_t inode)
{
	selected = inode;
}

int take_request(const uint8_t *bytes, size_t length)
{
	static const unsigned path[] = { REQUEST_RESOURCE_SPANS, RESOURCE_SPANS_SCOPE_SPANS,
					 SCOPE_SPANS_SPANS };

	return take_children((struct message){ bytes, bytes + length }, path, 3);
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

struct counts count_spans(void)
{
	struct counts counts = { .spans = spans, .matching = matching };

	if (matching > 0)
		qsort(ids, matching, sizeof *ids, compare);
	for (uint64_t i = 0; i < matching; i++)
		counts.distinct += i == 0 || ids[i] != ids[i - 1];
	return counts;
}

void forget_spans(void)
{
	spans = matching = 0;
}
