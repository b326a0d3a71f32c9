/* Short sessions: connect, 64 bytes there and back, close. Each thread that connects has a
 * listener and an accepting thread to itself. The destination's last 16 bits count the
 * sessions of a thread, its second byte is the thread's number. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define MOST_THREADS 64
#define PAYLOAD 64 /* bytes */

struct pair {
	pthread_t client, server;
	int listener;
	in_port_t port;
	unsigned block;
	uint64_t made, failed;
	_Atomic uint64_t served;
};

static struct {
	uint64_t threads, seconds, sessions, rate, begin, end;
	bool rst;
} options = { .threads = 4, .seconds = 600, .sessions = UINT64_MAX };

static void serve_one(int session)
{
	char bytes[PAYLOAD];

	if (receive_all(session, bytes, PAYLOAD) == 0 && send_all(session, bytes, PAYLOAD) == 0)
		while (recv(session, bytes, PAYLOAD, 0) > 0) {
		}
	close(session);
}

static void *serve(void *argument)
{
	struct pair *pair = argument;

	for (;;) {
		int session = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);

		if (session < 0)
			return NULL; /* shut down: the client has finished */
		serve_one(session);
		pair->served++;
	}
}

/* Returns whether the session was made. */
static bool session(const struct pair *pair, uint64_t n)
{
	static const struct linger abort_at_close = { .l_onoff = 1 };
	struct sockaddr_in address = loopback(pair->block, n, pair->port);
	char bytes[PAYLOAD] = { 0 };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (client < 0)
		die("cannot make a socket");
	if (connect(client, (struct sockaddr *)&address, sizeof address) < 0) {
		close(client);
		return false;
	}
	if (send_all(client, bytes, PAYLOAD) < 0 || receive_all(client, bytes, PAYLOAD) < 0)
		die("cannot exchange bytes");
	if (options.rst)
		setsockopt(client, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close);
	close(client);
	return true;
}

static void *connect_often(void *argument)
{
	struct pair *pair = argument;
	uint64_t most = options.sessions / options.threads;
	uint64_t interval = options.rate == 0 ? 0 : NS_PER_S * options.threads / options.rate;

	for (uint64_t n = 0; n < most; n++) {
		uint64_t now = now_ns(), due = options.begin + n * interval;

		if (now >= options.end)
			break;
		if (interval > 0 && due > now)
			sleep_until(due);
		if (session(pair, n))
			pair->made++;
		else if (++pair->failed == 1000)
			die("cannot connect, a thousand times");
	}
	while (pair->served < pair->made)
		usleep(1000);
	shutdown(pair->listener, SHUT_RD);
	return NULL;
}

static void parse(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--threads") == 0)
			options.threads = number_option(argc, argv, &i, 1, MOST_THREADS);
		else if (strcmp(argv[i], "--seconds") == 0)
			options.seconds = number_option(argc, argv, &i, 1, 3600);
		else if (strcmp(argv[i], "--sessions") == 0)
			options.sessions = number_option(argc, argv, &i, 1, 100000000);
		else if (strcmp(argv[i], "--rate") == 0)
			options.rate = number_option(argc, argv, &i, 1, 10000000);
		else if (strcmp(argv[i], "--rst") == 0)
			options.rst = true;
		else
			unknown_option(argv[i]);
	}
}

static void start(pthread_t *thread, void *(*run)(void *), struct pair *pair)
{
	if (pthread_create(thread, NULL, run, pair) != 0)
		die("cannot start a thread");
}

int churn(int argc, char **argv)
{
	static struct pair pairs[MOST_THREADS];
	uint64_t made = 0, failed = 0, took;

	parse(argc, argv);
	options.begin = now_ns();
	options.end = options.begin + options.seconds * NS_PER_S;
	for (uint64_t i = 0; i < options.threads; i++) {
		pairs[i].block = i + 1;
		pairs[i].listener = listen_anywhere(&pairs[i].port);
		start(&pairs[i].server, serve, &pairs[i]);
		start(&pairs[i].client, connect_often, &pairs[i]);
	}
	for (uint64_t i = 0; i < options.threads; i++) {
		pthread_join(pairs[i].client, NULL);
		pthread_join(pairs[i].server, NULL);
		made += pairs[i].made;
		failed += pairs[i].failed;
	}
	took = now_ns() - options.begin;
	printf("{\"sessions\":%llu,\"failed\":%llu,\"seconds\":%.6f}\n", (unsigned long long)made,
	       (unsigned long long)failed, took / 1e9);
	return 0;
}
