/* A receiver of OTLP over HTTP that costs next to nothing: takes everything, keeps span ids.
 *
 * Its first line on stdout is {"port":N}. Each line on stdin asks for a line of counts: `count`,
 * or `count` and the inode of the network namespace to count from 0 from now on;
 * `close` before it, to refuse connections from then on, or `open`, to take them again. It ends
 * at the end of stdin. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "request.h"
#include "spans.h"

static const char TAKEN[] = "HTTP/1.1 200 OK\r\n"
			    "content-type: application/x-protobuf\r\n"
			    "content-length: 0\r\n\r\n";
static const char REFUSED[] = "HTTP/1.1 400 Bad Request\r\n"
			      "connection: close\r\n"
			      "content-length: 0\r\n\r\n";

#define MOST_CONNECTIONS 1024

static uint64_t requests, bytes;
static int events;
static int listener = -1;
static struct sockaddr_in address = { .sin_family = AF_INET };
static struct connection *connections[MOST_CONNECTIONS]; /* by descriptor */

static void die(const char *attempt)
{
	fprintf(stderr, "sink: %s: %s\n", attempt, strerror(errno));
	exit(1);
}

static void watch(int fd, void *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &event) < 0)
		die("cannot watch a descriptor");
}

/* On the earlier port, if there was one. */
static void start_listening(void)
{
	static const int on = 1;
	socklen_t length = sizeof address;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 64) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		die("cannot listen");
	watch(listener, &listener);
}

static void drop(struct connection *connection)
{
	connections[connection->socket] = NULL;
	close(connection->socket);
	free(connection->bytes);
	free(connection);
}

static void stop_listening(void)
{
	close(listener);
	listener = -1;
	for (int i = 0; i < MOST_CONNECTIONS; i++)
		if (connections[i] != NULL)
			drop(connections[i]);
}

static void accept_one(void)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL)
		die("cannot accept");
	connection->socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection->socket < 0 || connection->socket >= MOST_CONNECTIONS)
		die("cannot accept");
	connections[connection->socket] = connection;
	watch(connection->socket, connection);
}

/* Returns -1 if the connection must be closed. */
static int answer(struct connection *connection)
{
	struct request request;
	int found;

	while ((found = next_request(connection, &request)) > 0) {
		const char *reply = TAKEN;

		requests++;
		bytes += request.whole_length;
		if (take_request(request.body, request.body_length) < 0)
			reply = REFUSED;
		drop_request(connection, &request);
		if (send(connection->socket, reply, strlen(reply), MSG_NOSIGNAL) < 0 ||
		    reply == REFUSED)
			return -1;
	}
	return found;
}

static void serve(struct connection *connection)
{
	int state;

	while ((state = receive_more(connection)) > 0)
		if (answer(connection) < 0) {
			state = -1;
			break;
		}
	if (state != 0)
		drop(connection);
}

static void tell(const char *line)
{
	unsigned long long inode;
	struct timespec cpu;
	struct counts counts;

	if (strcmp(line, "close\n") == 0 && listener >= 0)
		stop_listening();
	if (strcmp(line, "open\n") == 0 && listener < 0)
		start_listening();
	counts = count_spans();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	printf("{\"requests\":%llu,\"bytes\":%llu,\"spans\":%llu,\"matching\":%llu,"
	       "\"distinct\":%llu,\"cpuSeconds\":%.9f}\n",
	       (unsigned long long)requests, (unsigned long long)bytes,
	       (unsigned long long)counts.spans, (unsigned long long)counts.matching,
	       (unsigned long long)counts.distinct, cpu.tv_sec + cpu.tv_nsec / 1e9);
	fflush(stdout);
	if (sscanf(line, "count %llu", &inode) == 1) {
		select_netns(inode);
		forget_spans();
		requests = bytes = 0;
	}
}

int main(void)
{
	char line[64];
	int stdin_watched;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left of a bench that was killed */
	setvbuf(stdin, NULL, _IONBF, 0);
	events = epoll_create1(EPOLL_CLOEXEC);
	if (events < 0)
		die("cannot make an epoll instance");
	start_listening();
	printf("{\"port\":%d}\n", ntohs(address.sin_port));
	fflush(stdout);
	watch(STDIN_FILENO, &stdin_watched);
	for (;;) {
		struct epoll_event event;

		if (epoll_wait(events, &event, 1, -1) < 1)
			continue;
		if (event.data.ptr == &listener)
			accept_one();
		else if (event.data.ptr != &stdin_watched)
			serve(event.data.ptr);
		else if (fgets(line, sizeof line, stdin) != NULL)
			tell(line);
		else
			return 0;
	}
}
