#include "end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static const char payload[65536];

struct end make_end(int fd, enum side side, struct slot *slot)
{
	struct end end = { .fd = fd, .side = side, .slot = slot };
	struct facts *facts = &end.facts;

	facts->session = slot->session;
	facts->attempt = slot->attempt;
	facts->server = side == SERVER;
	facts->path = ENDING_NAMES[slot->plan.ending];
	facts->group = GROUP_NAMES[slot->plan.group];
	facts->ipv6 = slot->plan.ipv6;
	facts->pid = getpid();
	prctl(PR_GET_NAME, facts->comm);
	return end;
}

/* An IPv4 address of an IPv6 socket is written as IPv4. */
static int read_address(const struct sockaddr_in6 *from, char *text)
{
	if (from->sin6_family == AF_INET) {
		const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)from;

		inet_ntop(AF_INET, &ipv4->sin_addr, text, 46);
		return ntohs(ipv4->sin_port);
	}
	if (IN6_IS_ADDR_V4MAPPED(&from->sin6_addr))
		inet_ntop(AF_INET, from->sin6_addr.s6_addr + 12, text, 46);
	else
		inet_ntop(AF_INET6, &from->sin6_addr, text, 46);
	return ntohs(from->sin6_port);
}

void read_cookie(struct end *end)
{
	socklen_t length = sizeof(end->facts.cookie);

	if (getsockopt(end->fd, SOL_SOCKET, SO_COOKIE, &end->facts.cookie, &length))
		die("cannot read a cookie");
}

void read_socket(struct end *end)
{
	struct sockaddr_in6 address;
	socklen_t length = sizeof(address);

	read_cookie(end);
	if (getsockname(end->fd, (struct sockaddr *)&address, &length))
		die("cannot read a local address");
	end->facts.local_port = read_address(&address, end->facts.local_address);
	length = sizeof(address);
	/* a server's end may already be over: it has the address from accept() */
	if (getpeername(end->fd, (struct sockaddr *)&address, &length) == 0)
		end->facts.peer_port = read_address(&address, end->facts.peer_address);
}

bool is_first(const struct end *end)
{
	return end->slot->plan.client_first == (end->side == CLIENT);
}

static _Noreturn void fail(const struct end *end, const char *what)
{
	die("session %u, %s, %s: %s", end->slot->session, end->facts.path,
	    end->side == CLIENT ? "client" : "server", what);
}

static short poll_for(const struct end *end, short events)
{
	struct pollfd fd = { .fd = end->fd, .events = events };

	if (poll(&fd, 1, PATIENCE_MS) != 1)
		fail(end, "nothing comes");
	return fd.revents;
}

/* Sends and receives at the same time. The urgent byte comes in the middle. */
static void pump(struct end *end, uint64_t out, uint64_t in, bool urgent)
{
	static _Thread_local char buffer[65536];
	uint64_t urgent_at = (out + 1) / 2, left_out = out, left_in = in;
	int one = 1;

	while (left_out || left_in) {
		short ready = poll_for(end, (left_out ? POLLOUT : 0) | (left_in ? POLLIN : 0));

		if (left_in && ready & (POLLIN | POLLHUP | POLLERR)) {
			size_t wanted = left_in < sizeof(buffer) ? left_in : sizeof(buffer);
			ssize_t got = recv(end->fd, buffer, wanted, MSG_DONTWAIT);

			if (got == 0 || (got < 0 && errno != EAGAIN))
				fail(end, "cannot receive all");
			if (got > 0) {
				left_in -= (uint64_t)got;
				end->facts.used = true;
				if (end->slot->plan.quick_ack)
					setsockopt(end->fd, IPPROTO_TCP, TCP_QUICKACK, &one,
						   sizeof(one));
			}
		}
		if (left_out && ready & (POLLOUT | POLLHUP | POLLERR)) {
			uint64_t most = urgent ? left_out - urgent_at : left_out;
			size_t wanted = most < sizeof(payload) ? most : sizeof(payload);
			ssize_t sent = 0;

			if (urgent && left_out == urgent_at) {
				sent = send(end->fd, payload, 1,
					    MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
				urgent = sent != 1;
				end->facts.tx += sent == 1;
				if (sent == 1)
					continue;
			} else {
				sent = send(end->fd, payload, wanted, MSG_DONTWAIT | MSG_NOSIGNAL);
			}
			if (sent < 0 && errno != EAGAIN)
				fail(end, "cannot send all");
			if (sent > 0) {
				left_out -= (uint64_t)sent;
				end->facts.tx += (uint64_t)sent;
				end->facts.used = true;
			}
		}
	}
	end->facts.rx += in;
}

static void await_acknowledged(const struct end *end)
{
	struct timespec moment = { .tv_nsec = 50000 };
	uint64_t since = now();
	int waiting;

	for (;;) {
		if (ioctl(end->fd, SIOCOUTQ, &waiting))
			fail(end, "cannot ask for what waits");
		if (waiting == 0)
			return;
		if (now() - since > PATIENCE_MS * UINT64_C(1000000))
			fail(end, "nobody acknowledges");
		nanosleep(&moment, NULL);
	}
}

void exchange(struct end *end)
{
	const struct plan *plan = &end->slot->plan;
	enum side side = end->side;
	uint64_t unread = plan->unread[side];

	pump(end, plan->bytes[side], plan->bytes[!side] - unread, plan->urgent[side]);
	end->facts.rx += unread + plan->urgent[!side]; /* both are received, though not read */
	end->facts.unread = unread;
	if (plan->hurry || plan->ending == CONNECT_CLOSE)
		return;
	await_acknowledged(end);
	meet(end->slot, side, READY);
}

void await_fin(struct end *end)
{
	char byte;

	poll_for(end, POLLIN);
	if (recv(end->fd, &byte, 1, MSG_DONTWAIT) != 0)
		fail(end, "no FIN came");
	end->facts.fin_seen = now();
}

void await_reset(struct end *end)
{
	if (!(poll_for(end, 0) & (POLLERR | POLLHUP)))
		fail(end, "no reset came");
	end->facts.how = WAS_RESET;
	end->facts.end_high = now();
}

void close_socket(struct end *end)
{
	if (close(end->fd))
		fail(end, "cannot close");
	end->fd = -1;
}

/* Sends the FIN, by shutdown(), or by close() if `closing`. */
static void send_fin(struct end *end, bool closing)
{
	end->facts.fin_before = now();
	if (closing)
		close_socket(end);
	else if (shutdown(end->fd, SHUT_WR))
		fail(end, "cannot shut down");
	end->facts.fin_after = now();
	end->facts.end_low = end->facts.fin_before;
}

static void close_last(struct end *end)
{
	bool shut = end->slot->plan.shut[end->side];

	end->facts.how = CLOSED_LAST;
	send_fin(end, !shut);
	if (shut)
		close_socket(end);
}

/* Closes; the kernel sends a reset. */
static void abort_session(struct end *end, enum after after)
{
	end->facts.how = ABORTED;
	end->facts.after = after;
	end->facts.end_low = now();
	close_socket(end);
	end->facts.end_high = now();
}

static void linger_zero(const struct end *end)
{
	struct linger linger = { .l_onoff = 1 };

	if (setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		fail(end, "cannot set the linger time");
}

static void act_first(struct end *end)
{
	const struct plan *plan = &end->slot->plan;
	bool shut = plan->shut[end->side], used;

	end->facts.how = CLOSED_FIRST;
	switch (plan->ending) {
	case FIN:
	case CONNECT_CLOSE:
		send_fin(end, !shut);
		if (!shut)
			break;
		await_fin(end);
		end->facts.end_high = end->facts.fin_seen;
		close_socket(end);
		break;
	case HALF_CLOSE:
		send_fin(end, false);
		used = end->facts.used;
		pump(end, 0, plan->late, false);
		/* the peer's FIN may have ended the session before any of it was read */
		end->facts.used_late = !used && end->facts.used;
		await_fin(end);
		end->facts.end_high = end->facts.fin_seen;
		close_socket(end);
		break;
	case SIMULTANEOUS:
		end->facts.how = CLOSED_AT_ONCE;
		send_fin(end, !shut);
		if (!shut)
			break;
		await_fin(end);
		close_socket(end);
		break;
	case ABORT:
		linger_zero(end);
		abort_session(end, AFTER_NOTHING);
		break;
	case UNREAD:
		abort_session(end, AFTER_NOTHING);
		break;
	case HALF_ABORT:
		send_fin(end, false);
		await_acknowledged(end); /* else it might be in FIN_WAIT1 still */
		await_phase(end->slot, !end->side, FIN_SEEN);
		linger_zero(end);
		abort_session(end, AFTER_OWN_FIN);
		break;
	case ABORT_AFTER_FIN:
		send_fin(end, false);
		await_acknowledged(end);
		set_phase(end->slot, end->side, FIN_SEEN);
		await_reset(end);
		end->facts.after = AFTER_OWN_FIN;
		close_socket(end);
		break;
	case LATE_DATA: {
		send_fin(end, false);
		await_acknowledged(end);
		close_socket(end); /* in FIN_WAIT2: it is over here, inside of close() */
		end->facts.end_high = now();
		meet(end->slot, end->side, FIN_SEEN);
		break;
	}
	case DISCONNECT: {
		struct sockaddr unspec = { .sa_family = AF_UNSPEC };

		end->facts.how = ABORTED;
		end->facts.end_low = now();
		if (connect(end->fd, &unspec, sizeof(unspec)))
			fail(end, "cannot disconnect");
		end->facts.end_high = now();
		break;
	}
	default:
		fail(end, "has no such ending");
	}
}

static void act_last(struct end *end)
{
	const struct plan *plan = &end->slot->plan;

	switch (plan->ending) {
	case FIN:
	case CONNECT_CLOSE:
	case KILL:
		await_fin(end);
		close_last(end);
		break;
	case HALF_CLOSE:
		await_fin(end);
		pump(end, plan->late, 0, false);
		close_last(end);
		break;
	case SIMULTANEOUS:
		act_first(end);
		break;
	case ABORT:
	case UNREAD:
	case KILL_UNREAD:
	case DISCONNECT:
		await_reset(end);
		close_socket(end);
		break;
	case HALF_ABORT:
		await_fin(end);
		set_phase(end->slot, end->side, FIN_SEEN);
		await_reset(end);
		end->facts.after = AFTER_PEER_FIN;
		close_socket(end);
		break;
	case ABORT_AFTER_FIN:
		await_fin(end);
		await_phase(end->slot, !end->side, FIN_SEEN);
		linger_zero(end);
		abort_session(end, AFTER_PEER_FIN);
		break;
	case LATE_DATA:
		await_fin(end);
		meet(end->slot, end->side, FIN_SEEN);
		end->facts.end_low = now();
		if (send(end->fd, payload, plan->late, MSG_NOSIGNAL) != (ssize_t)plan->late)
			fail(end, "cannot send late data");
		/* not a use of it: the reset comes before send() returns */
		end->facts.unacked = plan->late;
		await_reset(end);
		end->facts.after = AFTER_PEER_FIN;
		close_socket(end);
		break;
	default:
		fail(end, "has no such ending");
	}
}

void finish(struct end *end)
{
	if (is_first(end))
		act_first(end);
	else
		act_last(end);
	write_down(&end->facts);
}

void leave_facts(struct end *end)
{
	struct slot *slot = end->slot;
	bool reset = slot->plan.ending == KILL_UNREAD;

	end->facts.how = reset ? ABORTED : CLOSED_FIRST;
	end->facts.killed = true;
	slot->victim = getpid();
	slot->facts = end->facts;
	raise_word(&slot->doomed, 1);
}

void await_death(void)
{
	for (;;)
		pause();
}
