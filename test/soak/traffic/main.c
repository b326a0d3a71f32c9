/*
 * Makes TCP sessions of all kinds between many processes. Each process writes
 * down what it knows for sure about its ends: test/soak/ledger.ts reads that.
 *
 * traffic SEED SECONDS SESSIONS RATE CLIENTS THREADS FORKERS FOLDER ADDRESS4 ADDRESS6 HOLE4 HOLE6
 *
 * Runs in a network namespace with these addresses. A session's plan follows
 * from the seed and the session's number. Prints the number of sessions started,
 * every second.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "client.h"
#include "server.h"
#include "slot.h"

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

static void read_options(char **arguments)
{
	options = (struct options){
		.seed = strtoull(arguments[1], NULL, 10),
		.seconds = number(arguments[2]),
		.sessions = number(arguments[3]),
		.rate = number(arguments[4]),
		.clients = number(arguments[5]),
		.threads = number(arguments[6]),
		.forkers = number(arguments[7]),
		.folder = arguments[8],
		.address4 = arguments[9],
		.address6 = arguments[10],
		.hole4 = arguments[11],
		.hole6 = arguments[12],
	};
}

/* Bound and not listening: connections are refused. */
static void reserve_ports(void)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		int fd = make_socket(ipv6, true);

		bind_anywhere(fd, ipv6);
		shared->refusing_ports[ipv6] = port_of(fd);
	}
}

static int start_client(unsigned number)
{
	int pid = fork();

	if (pid < 0)
		die("cannot fork");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_ledger("client");
	if (number < options.clients)
		run_client(number);
	else
		run_forker(number - options.clients);
	exit(0);
}

static void say_progress(int signal)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "%llu\n",
			      (unsigned long long)atomic_load(&shared->made));

	(void)signal;
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(1);
	alarm(1);
}

/* A server that ends is a fault; so is a client that fails. */
static void await_clients(const int *clients)
{
	unsigned left = options.clients + options.forkers;

	while (left > 0) {
		int status;
		int pid = waitpid(-1, &status, 0);
		unsigned i = 0;

		if (pid < 0 && errno == EINTR)
			continue;
		while (i < options.clients + options.forkers && clients[i] != pid)
			i++;
		if (i == options.clients + options.forkers || status != 0)
			die("process %d ended, status %x", pid, (unsigned)status);
		left--;
	}
}

int main(int count, char **arguments)
{
	struct sigaction action = { .sa_handler = say_progress };
	int clients[256];

	if (count != 13)
		die("12 arguments, please");
	read_options(arguments);
	if (options.clients + options.forkers > 256 || options.rate == 0)
		die("too many clients, or no rate");
	make_shared();
	reserve_ports();
	start_servers();
	for (unsigned i = 0; i < options.clients + options.forkers; i++)
		clients[i] = start_client(i);
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	await_clients(clients);
	alarm(0);
	stop_servers();
	say_progress(0);
	alarm(0);
	return 0;
}
