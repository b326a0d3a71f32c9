#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "end.h"

#define MAX_THREADS 256
#define MOST_ATTEMPTS 20
#define TOGETHER 3 /* at most, of sessions that one process is killed with */

/* One thread of a client: one plan at a time. */
struct worker {
	unsigned number; /* of all threads of all clients */
	bool may_fork;
	struct slot *slots[TOGETHER];
};

static uint64_t began;

static struct slot *take_slot(void)
{
	uint32_t number = atomic_fetch_add(&shared->next_slot, 1);

	if (number >= sizeof(shared->slots) / sizeof(shared->slots[0]))
		die("too many threads");
	return &shared->slots[number];
}

static void prepare(struct slot *slot, uint32_t session, unsigned attempt, const struct plan *plan)
{
	memset(slot, 0, sizeof(*slot));
	slot->session = session;
	slot->attempt = attempt;
	slot->plan = *plan;
}

static const char *target_of(const struct plan *plan)
{
	if (plan->own_address)
		return plan->ipv6 ? options.address6 : options.address4;
	return plan->ipv6 ? "::1" : "127.0.0.1";
}

static int make_client_socket(const struct plan *plan)
{
	int fd = make_socket(plan->dual_client, false);
	int one = 1;

	/* ports of earlier sessions are in TIME_WAIT */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("cannot share ports");
	if (plan->bound)
		bind_anywhere(fd, plan->dual_client);
	return fd;
}

static int connect_to(struct end *end, const char *text, int port)
{
	const struct plan *plan = &end->slot->plan;
	struct address to = make_address(plan->dual_client, plan->ipv6, text, port);
	int result;

	end->facts.peer_port = port;
	snprintf(end->facts.peer_address, sizeof(end->facts.peer_address), "%s", text);
	end->facts.open_before = now();
	result = connect(end->fd, (struct sockaddr *)&to.bytes, to.length);
	end->facts.open_after = now();
	return result ? errno : 0;
}

/* Writes down an attempt that was refused. */
static void write_refusal(struct end *end)
{
	end->facts.path = ENDING_NAMES[REFUSED];
	/* the kernel chose the address connected to, which is on this host */
	memcpy(end->facts.local_address, end->facts.peer_address, sizeof(end->facts.peer_address));
	end->facts.how = WAS_REFUSED;
	end->facts.end_low = end->facts.open_before;
	end->facts.end_high = end->facts.open_after;
	write_down(&end->facts);
}

/*
 * Connects to a server. If packets of a loopback interface go to other CPUs,
 * a SYN may meet the rest of the session that had its port before, and be
 * refused: that is a separate attempt.
 */
static struct end connect_to_server(int fd, struct slot *slot, int *error)
{
	for (;;) {
		struct end end = make_end(fd, CLIENT, slot);
		struct plan plan = slot->plan;

		*error = connect_to(&end, target_of(&plan),
				    shared->listener_ports[listener_of(&plan)]);
		if (*error != ECONNREFUSED || slot->attempt >= MOST_ATTEMPTS)
			return end;
		read_cookie(&end);
		write_refusal(&end);
		prepare(slot, slot->session, slot->attempt + 1, &plan);
	}
}

static struct end open_session(int fd, struct slot *slot)
{
	int error;
	struct end end = connect_to_server(fd, slot, &error);

	errno = error;
	if (error)
		die("session %u cannot connect", slot->session);
	read_socket(&end);
	publish(slot, end.facts.local_port);
	return end;
}

/* A port that nobody listens on. */
static void be_refused(int fd, struct slot *slot)
{
	struct end end = make_end(fd, CLIENT, slot);
	bool bound = slot->plan.bound && slot->attempt == 1;

	read_socket(&end);
	if (!bound)
		end.facts.local_port = 0; /* the kernel forgets the one that it gave */
	if (connect_to(&end, target_of(&slot->plan), shared->refusing_ports[slot->plan.ipv6]) !=
	    ECONNREFUSED)
		die("session %u was not refused", slot->session);
	write_refusal(&end);
}

static void set_blocking(int fd, bool blocking)
{
	if (fcntl(fd, F_SETFL, blocking ? 0 : O_NONBLOCK))
		die("cannot set O_NONBLOCK");
}

static void give_up(int fd, struct slot *slot)
{
	struct end end = make_end(fd, CLIENT, slot);
	bool ipv6 = slot->plan.ipv6;

	set_blocking(fd, false);
	if (connect_to(&end, ipv6 ? options.hole6 : options.hole4, 9) != EINPROGRESS)
		die("session %u does not wait", slot->session);
	read_socket(&end);
	end.facts.end_low = now();
	close_socket(&end);
	end.facts.end_high = now();
	end.facts.how = GAVE_UP;
	write_down(&end.facts);
}

/* Connects to its own listener, which is closed before it accepts. */
static void stay_unaccepted(int fd, struct slot *slot)
{
	const struct plan *plan = &slot->plan;
	struct end client = make_end(fd, CLIENT, slot);
	struct end server = make_end(-1, SERVER, slot);
	int listener = make_socket(plan->ipv6, true);
	struct pollfd ready = { .fd = listener, .events = POLLIN };

	bind_anywhere(listener, plan->ipv6);
	if (listen(listener, 1))
		die("cannot listen");
	if (connect_to(&client, target_of(plan), port_of(listener)))
		die("session %u cannot connect", slot->session);
	read_socket(&client);

	server.facts.open_before = client.facts.open_before;
	server.facts.open_after = client.facts.open_after;
	memcpy(server.facts.local_address, client.facts.peer_address, 46);
	memcpy(server.facts.peer_address, client.facts.local_address, 46);
	server.facts.local_port = client.facts.peer_port;
	server.facts.peer_port = client.facts.local_port;
	server.facts.listener_pid = getpid();
	memcpy(server.facts.listener_comm, client.facts.comm, sizeof(client.facts.comm));
	server.facts.how = NEVER_ACCEPTED;

	/* the handshake's last packet may still be on its way */
	if (poll(&ready, 1, PATIENCE_MS) != 1)
		die("session %u: nothing to accept", slot->session);
	server.facts.end_low = now();
	if (close(listener))
		die("cannot close");
	server.facts.end_high = now();
	await_reset(&client);
	close_socket(&client);
	write_down(&client.facts);
	write_down(&server.facts);
}

/* Closes as soon as connect() returns, which is before the end of the handshake. */
static void connect_and_close(int fd, struct slot *slot)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);
	struct end end;
	int error;

	set_blocking(fd, false);
	end = connect_to_server(fd, slot, &error);
	errno = error;
	if (error && error != EINPROGRESS)
		die("session %u cannot connect", slot->session);
	read_socket(&end);
	publish(slot, end.facts.local_port);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		die("cannot read a state");
	end.facts.fin_before = end.facts.end_low = now();
	close_socket(&end);
	end.facts.fin_after = now();
	end.facts.how = info.tcpi_state == TCP_ESTABLISHED ? CLOSED_FIRST : EITHER;
	write_down(&end.facts);
	if (end.facts.how == EITHER) {
		usleep(200000);
		if (retract(slot, end.facts.local_port))
			return;
	}
	await_phase(slot, SERVER, DONE);
}

/* The killer writes down the victim's end. */
static void write_victim(struct facts *facts, uint64_t before, uint64_t after)
{
	facts->end_low = before;
	if (facts->how == ABORTED) {
		facts->end_high = after;
	} else {
		facts->fin_before = before;
		facts->fin_after = after;
	}
	write_down(facts);
}

/* Another process holds the clients' ends of these slots, and is killed. */
static void kill_client(struct worker *worker, unsigned count)
{
	uint64_t before, after;
	int pid = fork();

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		name_thread("victim-%u", worker->number);
		for (unsigned i = 0; i < count; i++) {
			struct slot *slot = worker->slots[i];
			struct end end = open_session(make_client_socket(&slot->plan), slot);

			exchange(&end);
			leave_facts(&end);
		}
		await_death();
	}
	for (unsigned i = 0; i < count; i++)
		await_word(&worker->slots[i]->doomed, 1, "the preparation of a victim");
	before = now();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	after = now();
	for (unsigned i = 0; i < count; i++) {
		write_victim(&worker->slots[i]->facts, before, after);
		await_phase(worker->slots[i], SERVER, DONE);
	}
}

/* The server's end is in its own process, which this one kills. */
static void kill_server(struct end *end)
{
	struct slot *slot = end->slot;
	uint64_t before;

	await_word(&slot->doomed, 1, "the preparation of a victim");
	before = now();
	kill(slot->victim, SIGKILL);
	finish(end); /* sees that the peer has closed */
	write_victim(&slot->facts, before,
		     end->facts.fin_seen ? end->facts.fin_seen : end->facts.end_high);
}

/* A child, which did not connect, does the rest. */
static void hand_over(struct end *end)
{
	int pid = fork(), status;

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		name_thread("heir");
		await_word(&end->slot->handed, 1u << CLIENT, "handing over to a child");
		exchange(end);
		finish(end);
		_exit(0);
	}
	close(end->fd);
	raise_word(&end->slot->handed, 1u << CLIENT);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("session %u: who it was handed to has failed", end->slot->session);
}

static void connect_and_use(int fd, struct slot *slot)
{
	struct end end = open_session(fd, slot);
	enum ending ending = slot->plan.ending;

	if (slot->plan.hand) {
		hand_over(&end);
	} else {
		exchange(&end);
		if (ending == KILL || ending == KILL_UNREAD) {
			kill_server(&end);
			return; /* with nobody left to wait for */
		}
		finish(&end);
	}
	await_phase(slot, SERVER, DONE);
}

/* @returns the number of sessions that it took */
static unsigned run_session(struct worker *worker, uint32_t number, uint32_t stride)
{
	struct slot *slot = worker->slots[0];
	unsigned attempt = 1;
	struct plan plan = make_plan(options.seed, number, attempt, worker->may_fork);
	int fd;

	if ((plan.ending == KILL || plan.ending == KILL_UNREAD) && plan.client_first) {
		unsigned together = plan.together;

		for (unsigned i = 0; i < together; i++)
			prepare(worker->slots[i], number + i * stride, 1, &plan);
		kill_client(worker, together);
		return together;
	}
	prepare(slot, number, attempt, &plan);
	fd = make_client_socket(&plan);
	if (plan.refused_before && plan.ending != REFUSED) {
		be_refused(fd, slot);
		prepare(slot, number, ++attempt, &plan);
	}
	if (plan.disconnect_before) {
		connect_and_use(fd, slot);
		attempt = slot->attempt + 1;
		plan = make_plan(options.seed, number, attempt, worker->may_fork);
		prepare(slot, number, attempt, &plan);
	}
	switch (plan.ending) {
	case REFUSED:
		be_refused(fd, slot);
		close(fd);
		break;
	case ABANDONED:
		give_up(fd, slot);
		break;
	case UNACCEPTED:
		stay_unaccepted(fd, slot);
		break;
	case CONNECT_CLOSE:
		connect_and_close(fd, slot);
		break;
	default:
		connect_and_use(fd, slot);
	}
	return 1;
}

/* Sessions start at even intervals, as far as possible. */
static void await_turn(uint64_t turn)
{
	uint64_t at = began + turn * UINT64_C(1000000000) / options.rate;
	uint64_t time = now();

	if (at > time)
		usleep((useconds_t)((at - time) / 1000));
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	uint32_t stride = options.clients * options.threads + options.forkers;
	uint64_t limit = began + options.seconds * UINT64_C(1000000000);
	uint32_t number = worker->number;

	name_thread("client-%u", worker->number);
	for (unsigned i = 0; i < TOGETHER; i++)
		worker->slots[i] = take_slot();
	while (number < options.sessions && now() < limit) {
		unsigned taken;

		await_turn(number);
		taken = run_session(worker, number, stride);
		atomic_fetch_add(&shared->made, taken);
		number += taken * stride;
	}
	return NULL;
}

void run_client(unsigned number)
{
	pthread_t threads[MAX_THREADS];
	static struct worker workers[MAX_THREADS];

	began = now();
	if (options.threads > MAX_THREADS)
		die("too many threads");
	for (unsigned i = 0; i < options.threads; i++) {
		workers[i].number = number * options.threads + i;
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			die("cannot make a thread");
	}
	for (unsigned i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
}

void run_forker(unsigned number)
{
	struct worker worker = { .number = options.clients * options.threads + number,
				 .may_fork = true };

	began = now();
	work(&worker);
}
