/* A few connections at full speed. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define MOST_CONNECTIONS 64
#define CHUNK (128 * 1024) /* bytes */

struct connection {
	pthread_t sender, receiver;
	int client, server;
	uint64_t received;
};

static uint64_t connections = 1, seconds = 5, end;

static void *send_until_end(void *argument)
{
	struct connection *connection = argument;
	char *bytes = calloc(1, CHUNK);

	while (now_ns() < end)
		if (send_all(connection->client, bytes, CHUNK) < 0)
			die("cannot send");
	shutdown(connection->client, SHUT_WR);
	free(bytes);
	return NULL;
}

static void *receive_all_of_it(void *argument)
{
	struct connection *connection = argument;
	char *bytes = malloc(CHUNK);
	ssize_t received;

	while ((received = recv(connection->server, bytes, CHUNK, 0)) > 0)
		connection->received += received;
	free(bytes);
	return NULL;
}

static void open_connection(struct connection *connection, int listener, in_port_t port)
{
	struct sockaddr_in address = loopback(1, 1, port);

	connection->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->client < 0 ||
	    connect(connection->client, (struct sockaddr *)&address, sizeof address) < 0)
		die("cannot connect");
	connection->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection->server < 0)
		die("cannot accept");
}

int bulk(int argc, char **argv)
{
	static struct connection open[MOST_CONNECTIONS];
	uint64_t begin, received = 0;
	in_port_t port;
	int listener;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--connections") == 0)
			connections = number_option(argc, argv, &i, 1, MOST_CONNECTIONS);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = number_option(argc, argv, &i, 1, 600);
		else
			unknown_option(argv[i]);
	}
	listener = listen_anywhere(&port);
	begin = now_ns();
	end = begin + seconds * NS_PER_S;
	for (uint64_t i = 0; i < connections; i++) {
		open_connection(&open[i], listener, port);
		if (pthread_create(&open[i].receiver, NULL, receive_all_of_it, &open[i]) != 0 ||
		    pthread_create(&open[i].sender, NULL, send_until_end, &open[i]) != 0)
			die("cannot start a thread");
	}
	for (uint64_t i = 0; i < connections; i++) {
		pthread_join(open[i].sender, NULL);
		pthread_join(open[i].receiver, NULL);
		received += open[i].received;
	}
	printf("{\"bytes\":%llu,\"seconds\":%.6f}\n", (unsigned long long)received,
	       (now_ns() - begin) / 1e9);
	return 0;
}
