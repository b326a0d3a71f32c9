/* Sessions that stay open, both ends in one process; several processes if the limit of open
 * files requires it. Prints when all are open, and keeps them until it is killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define MOST_SOCKETS 1000000
#define MOST_PROCESSES 1000
#define SPARE_FILES 64
#define FIRST_BLOCK 128 /* beyond those of churn */

static uint64_t sockets = 1000, processes, messages = 1, seconds = 600;

static void parse(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--sockets") == 0)
			sockets = number_option(argc, argv, &i, 2, MOST_SOCKETS);
		else if (strcmp(argv[i], "--processes") == 0)
			processes = number_option(argc, argv, &i, 1, MOST_PROCESSES);
		else if (strcmp(argv[i], "--messages") == 0)
			messages = number_option(argc, argv, &i, 0, 1000000);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = number_option(argc, argv, &i, 1, 3600);
		else
			unknown_option(argv[i]);
	}
}

static void raise_file_limit(struct rlimit *limit)
{
	if (getrlimit(RLIMIT_NOFILE, limit) < 0)
		die("cannot read the limit of open files");
	limit->rlim_cur = limit->rlim_max;
	if (setrlimit(RLIMIT_NOFILE, limit) < 0)
		die("cannot raise the limit of open files");
}

struct session {
	int client, server;
};

static void open_session(struct session *session, int listener, const struct sockaddr_in *address)
{
	session->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (session->client < 0 ||
	    connect(session->client, (const struct sockaddr *)address, sizeof *address) < 0)
		die("cannot connect");
	session->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (session->server < 0)
		die("cannot accept");
}

/* `messages` a second, one byte each, on the sessions in turn, until `end`. */
static void exchange(const struct session *open, uint64_t count, uint64_t end)
{
	char byte = 0;

	for (uint64_t n = 0; now_ns() < end; n++) {
		const struct session *session = &open[n % count];

		if (messages == 0) {
			pause();
			continue;
		}
		if (send_all(session->client, &byte, 1) < 0 ||
		    receive_all(session->server, &byte, 1) < 0)
			die("cannot exchange a byte");
		sleep_until(now_ns() + NS_PER_S * processes / messages);
	}
}

static void hold(unsigned process, uint64_t count, int ready)
{
	struct session *open = calloc(count, sizeof *open);
	in_port_t port;
	int listener = listen_anywhere(&port);

	if (open == NULL)
		die("cannot hold sessions");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t i = 0; i < count; i++) {
		struct sockaddr_in address = loopback(FIRST_BLOCK + process % 100, i, port);

		open_session(&open[i], listener, &address);
	}
	if (write(ready, "", 1) != 1)
		die("cannot tell that all is open");
	exchange(open, count, now_ns() + seconds * NS_PER_S);
	exit(0);
}

int steady(int argc, char **argv)
{
	static pid_t children[MOST_PROCESSES];
	struct rlimit limit;
	uint64_t sessions, each;
	int ready[2];
	char byte;

	parse(argc, argv);
	raise_file_limit(&limit);
	sessions = sockets / 2;
	each = (limit.rlim_cur - SPARE_FILES) / 2;
	if (processes == 0)
		processes = (sessions + each - 1) / each;
	if (pipe(ready) < 0)
		die("cannot make a pipe");
	for (uint64_t i = 0; i < processes; i++) {
		/* the first ones hold one more if the division has a remainder */
		uint64_t count = sessions / processes + (i < sessions % processes);

		children[i] = fork();
		if (children[i] < 0)
			die("cannot start a process");
		if (children[i] == 0)
			hold(i, count, ready[1]);
	}
	close(ready[1]);
	for (uint64_t i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			return 1; /* a child has said why */
	printf("{\"sockets\":%llu,\"processes\":%llu}\n", (unsigned long long)sessions * 2,
	       (unsigned long long)processes);
	fflush(stdout);
	sleep_until(now_ns() + seconds * NS_PER_S);
	for (uint64_t i = 0; i < processes; i++)
		kill(children[i], SIGKILL);
	return 0;
}
