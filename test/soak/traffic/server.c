#include "server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "end.h"

/* Processes or threads of each listener. */
#define WORKERS 4
#define THREADS_EACH 8

struct listener {
	unsigned number;
	int fd;
	int pid; /* of who called listen() */
	char comm[16];
};

static int children[256];
static unsigned child_count;

/* A child of this process that ends with it. Returns 0 in the child. */
static int fork_worker(void)
{
	int pid = fork();

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return 0;
	}
	children[child_count++] = pid;
	return pid;
}

/* In a child of the main process, which does not end what this child forks. */
static void become(const char *name, unsigned number)
{
	child_count = 0;
	name_thread("%s-%u", name, number);
	open_ledger(name);
}

/* @port 0: the kernel chooses, from the ports that it gives to clients */
static struct listener listen_at(unsigned number, int port)
{
	enum family family = number % FAMILIES;
	struct listener listener = { .number = number, .pid = getpid() };
	bool ipv6 = family != IPV4;
	struct address any = make_address(ipv6, ipv6, ipv6 ? "::" : "0.0.0.0", port);
	int one = 1;

	prctl(PR_GET_NAME, listener.comm);
	listener.fd = make_socket(ipv6, family == IPV6);
	if (number / FAMILIES == REUSEPORT &&
	    setsockopt(listener.fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
		die("cannot share a port");
	if (bind(listener.fd, (struct sockaddr *)&any.bytes, any.length) ||
	    listen(listener.fd, 1024))
		die("cannot listen");
	shared->listener_ports[number] = port_of(listener.fd);
	return listener;
}

/* An accepted connection, and whose it is. */
struct accepted {
	int fd;
	struct slot *slot;
	uint64_t open_before;
	uint64_t open_after;
};

static struct accepted accept_one(const struct listener *listener)
{
	struct accepted accepted;
	struct sockaddr_in6 peer, local;
	socklen_t length = sizeof(peer);
	bool loopback, ipv6;

	accepted.open_before = now();
	accepted.fd = accept(listener->fd, (struct sockaddr *)&peer, &length);
	accepted.open_after = now();
	if (accepted.fd < 0)
		die("cannot accept");
	length = sizeof(local);
	if (getsockname(accepted.fd, (struct sockaddr *)&local, &length))
		die("cannot read a local address");
	if (local.sin6_family == AF_INET) {
		ipv6 = false;
		loopback = ntohl(((struct sockaddr_in *)&local)->sin_addr.s_addr) >> 24 == 127;
	} else if (IN6_IS_ADDR_V4MAPPED(&local.sin6_addr)) {
		ipv6 = false;
		loopback = local.sin6_addr.s6_addr[12] == 127;
	} else {
		ipv6 = true;
		loopback = IN6_IS_ADDR_LOOPBACK(&local.sin6_addr);
	}
	accepted.slot = find(listener->number, (ipv6 ? 2 : 0) + !loopback, ntohs(peer.sin6_port));
	if (!accepted.slot)
		die("accepted on listener %u, from port %d, what nobody connected",
		    listener->number, ntohs(peer.sin6_port));
	return accepted;
}

static struct end make_server_end(const struct accepted *accepted, const struct listener *listener)
{
	struct end end = make_end(accepted->fd, SERVER, accepted->slot);

	memcpy(end.facts.listener_comm, listener->comm, sizeof(listener->comm));
	end.facts.listener_pid = listener->pid;
	end.facts.open_before = accepted->open_before;
	end.facts.open_after = accepted->open_after;
	read_socket(&end);
	return end;
}

static void serve(const struct accepted *accepted, const struct listener *listener)
{
	struct end end = make_server_end(accepted, listener);
	enum ending ending = accepted->slot->plan.ending;

	exchange(&end);
	if ((ending == KILL || ending == KILL_UNREAD) && is_first(&end)) {
		leave_facts(&end);
		await_death();
	}
	finish(&end);
	set_phase(accepted->slot, SERVER, DONE);
}

static _Noreturn void accept_and_serve(const struct listener *listener)
{
	for (;;) {
		struct accepted accepted = accept_one(listener);

		serve(&accepted, listener);
	}
}

static void *thread(void *argument)
{
	const struct listener *listener = argument;
	static _Atomic uint32_t count;

	name_thread("thr-%u-%u", listener->number, atomic_fetch_add(&count, 1));
	accept_and_serve(listener);
}

static _Noreturn void serve_in_threads(void)
{
	static struct listener listeners[FAMILIES];
	pthread_t id;

	for (unsigned family = 0; family < FAMILIES; family++) {
		listeners[family] = listen_at(THREADS * FAMILIES + family, 0);
		for (unsigned i = 0; i < THREADS_EACH; i++)
			if (pthread_create(&id, NULL, thread, &listeners[family]))
				die("cannot make a thread");
	}
	await_death();
}

static _Noreturn void serve_in_processes(unsigned number, int port)
{
	struct listener listener = listen_at(number, port);

	for (unsigned i = 0; i < WORKERS; i++)
		if (fork_worker() == 0) {
			become("prefork", i);
			accept_and_serve(&listener);
		}
	await_death();
}

static _Noreturn void serve_in_children(unsigned number, int port)
{
	struct listener listener = listen_at(number, port);

	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;) {
		struct accepted accepted = accept_one(&listener);
		struct slot *slot = accepted.slot;

		if (fork_worker() == 0) {
			name_thread("child-%u", slot->session % 1000);
			close(listener.fd);
			await_word(&slot->handed, 1u << SERVER, "handing over to a child");
			serve(&accepted, &listener);
			_exit(0);
		}
		child_count = 0;
		/* after this, the child's close is the last one */
		close(accepted.fd);
		raise_word(&slot->handed, 1u << SERVER);
	}
}

static void pass(int channel, const struct accepted *accepted)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec body = { .iov_base = (void *)accepted, .iov_len = sizeof(*accepted) };
	struct msghdr message = { .msg_iov = &body, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &accepted->fd, sizeof(int));
	if (sendmsg(channel, &message, 0) != sizeof(*accepted))
		die("cannot pass a socket");
}

static struct accepted take(int channel)
{
	struct accepted accepted;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec body = { .iov_base = &accepted, .iov_len = sizeof(accepted) };
	struct msghdr message = { .msg_iov = &body, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };

	if (recvmsg(channel, &message, 0) != sizeof(accepted) || !CMSG_FIRSTHDR(&message))
		die("cannot take a socket");
	memcpy(&accepted.fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	await_word(&accepted.slot->handed, 1u << SERVER, "passing a socket");
	return accepted;
}

static _Noreturn void accept_and_pass(unsigned number, int port)
{
	struct listener listener = listen_at(number, port);
	int channel[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel))
		die("cannot make a channel");
	for (unsigned i = 0; i < WORKERS; i++)
		if (fork_worker() == 0) {
			become("taker", i);
			close(listener.fd);
			for (;;) {
				struct accepted accepted = take(channel[1]);

				serve(&accepted, &listener);
			}
		}
	for (;;) {
		struct accepted accepted = accept_one(&listener);

		pass(channel[0], &accepted);
		close(accepted.fd);
		raise_word(&accepted.slot->handed, 1u << SERVER);
	}
}

/* A span's name has no port that the kernel gives to clients: half of the ports are others. */
static int choose_port(unsigned number)
{
	return number % 2 ? 0 : 2000 + (int)(options.seed % 5000) + (int)number;
}

static void start(unsigned number)
{
	enum group group = number / FAMILIES;
	int port = choose_port(number);

	switch (group) {
	case PREFORK:
		if (fork_worker() == 0) {
			become("master", number);
			serve_in_processes(number, port);
		}
		break;
	case REUSEPORT:
		for (unsigned i = 0; i < WORKERS; i++)
			if (fork_worker() == 0) {
				struct listener listener;

				become("reuse", i);
				listener = listen_at(number, 9000 + (int)(options.seed % 500) +
							     (int)number);
				accept_and_serve(&listener);
			}
		break;
	case FORK:
		if (fork_worker() == 0) {
			become("forker", number);
			serve_in_children(number, port);
		}
		break;
	case PASS:
		if (fork_worker() == 0) {
			become("passer", number);
			accept_and_pass(number, port);
		}
		break;
	case THREADS:
		if (number == THREADS * FAMILIES && fork_worker() == 0) {
			become("threads", 0);
			serve_in_threads();
		}
		break;
	default:
		die("no such group");
	}
}

static void await_listeners(void)
{
	uint64_t since = now();

	for (unsigned number = 0; number < LISTENERS; number++)
		while (*(volatile int *)&shared->listener_ports[number] == 0) {
			usleep(1000);
			if (now() - since > PATIENCE_MS * UINT64_C(1000000))
				die("listener %u is missing", number);
		}
	usleep(100000); /* the others of SO_REUSEPORT: a later one takes no connections over */
}

void start_servers(void)
{
	for (unsigned number = 0; number < LISTENERS; number++)
		start(number);
	await_listeners();
}

void stop_servers(void)
{
	for (unsigned i = 0; i < child_count; i++)
		kill(children[i], SIGKILL); /* and with it, its own children */
	for (unsigned i = 0; i < child_count; i++)
		waitpid(children[i], NULL, 0);
}
