/* HTTP/1.1 requests with a Content-Length, as they arrive on one connection. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>

struct connection {
	int socket;
	uint8_t *bytes;
	size_t length, capacity;
};

struct request {
	const uint8_t *body;
	size_t body_length, whole_length;
};

/* Reads what has arrived. Returns 1, 0 if nothing more is there, -1 if the connection has ended. */
int receive_more(struct connection *connection);

/* Returns 1 for a whole request, 0 if more must come, -1 if it cannot be taken. */
int next_request(const struct connection *connection, struct request *request);

/* Removes the first request. */
void drop_request(struct connection *connection, const struct request *request);

#endif
