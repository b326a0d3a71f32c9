#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

void die(const char *attempt)
{
	fprintf(stderr, "load: %s: %s\n", attempt, strerror(errno));
	exit(1);
}

void unknown_option(const char *option)
{
	fprintf(stderr, "load: unknown option %s\n", option);
	exit(2);
}

uint64_t number_option(int argc, char **argv, int *i, uint64_t least, uint64_t most)
{
	const char *name = argv[*i];
	const char *text = *i + 1 < argc ? argv[++*i] : "";
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != 0 || value < least || value > most) {
		fprintf(stderr, "load: %s needs a number from %llu to %llu\n", name,
			(unsigned long long)least, (unsigned long long)most);
		exit(2);
	}
	return value;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

void sleep_until(uint64_t ns)
{
	struct timespec then = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR) {
	}
}

int listen_anywhere(in_port_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
	    listen(listener, 4096) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		die("cannot listen");
	*port = address.sin_port;
	return listener;
}

struct sockaddr_in loopback(unsigned block, uint64_t n, in_port_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = port,
		.sin_addr.s_addr = htonl(127u << 24 | block << 16 | (n & 0xffff)),
	};
}

int send_all(int socket, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(socket, bytes, length, MSG_NOSIGNAL);

		if (sent < 0)
			return -1;
		bytes += sent;
		length -= sent;
	}
	return 0;
}

int receive_all(int socket, char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t received = recv(socket, bytes, length, 0);

		if (received <= 0)
			return -1;
		bytes += received;
		length -= received;
	}
	return 0;
}
