#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LEAST_ROOM (256 * 1024)
#define MOST (64 * 1024 * 1024) /* bytes of a request */

int receive_more(struct connection *connection)
{
	ssize_t received;

	if (connection->capacity - connection->length < LEAST_ROOM) {
		size_t more = connection->capacity * 2 + LEAST_ROOM;
		uint8_t *grown = more > MOST ? NULL : realloc(connection->bytes, more);

		if (grown == NULL)
			return -1;
		connection->bytes = grown;
		connection->capacity = more;
	}
	received = recv(connection->socket, connection->bytes + connection->length,
			connection->capacity - connection->length, MSG_DONTWAIT);
	if (received < 0 && errno == EAGAIN)
		return 0;
	if (received <= 0)
		return -1;
	connection->length += received;
	return 1;
}

/* The number of a header, whose name comes with its colon; -1 if there is none. */
static long long header_number(const char *head, const char *end, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = head; line < end; line++) {
		line = memchr(line, '\n', end - line);
		if (line == NULL)
			return -1;
		if ((size_t)(end - line) > length && strncasecmp(line + 1, name, length) == 0)
			return strtoll(line + 1 + length, NULL, 10);
	}
	return -1;
}

int next_request(const struct connection *connection, struct request *request)
{
	static const char start[] = "POST /v1/traces ";
	const char *head = (const char *)connection->bytes;
	const char *end = connection->length == 0 ? NULL :
						    memmem(head, connection->length, "\r\n\r\n", 4);
	long long length;

	if (end == NULL)
		return 0;
	length = header_number(head, end + 2, "content-length:");
	if (strncmp(head, start, sizeof start - 1) != 0 || length < 0 || length > MOST)
		return -1;
	request->body = (const uint8_t *)end + 4;
	request->body_length = length;
	request->whole_length = end + 4 - head + length;
	return connection->length >= request->whole_length;
}

void drop_request(struct connection *connection, const struct request *request)
{
	connection->length -= request->whole_length;
	memmove(connection->bytes, connection->bytes + request->whole_length, connection->length);
}
