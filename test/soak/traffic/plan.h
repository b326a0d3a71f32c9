/* What happens in a session: decided only by the seed and the session's number. */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>

/* Who accepts, and how a connection gets to the process that serves it. */
enum group {
	THREADS,   /* threads of one process on one listener */
	PREFORK,   /* processes on a listener of their parent */
	REUSEPORT, /* processes, each with its own listener on one port */
	FORK,      /* one process accepts, a forked child serves */
	PASS,      /* one process accepts, another gets the socket by SCM_RIGHTS */
	GROUPS,
};

/* A listener's family. DUAL also speaks IPv4. */
enum family { IPV4, IPV6, DUAL, FAMILIES };

#define LISTENERS (GROUPS * FAMILIES)

/* How it ends. "First" is the end that acts first, "last" the other one. */
enum ending {
	FIN,             /* first closes, last closes when it has seen that */
	HALF_CLOSE,      /* first shuts down sending, last sends more, then closes */
	SIMULTANEOUS,    /* both close at once */
	ABORT,           /* first closes with a linger time of 0 */
	UNREAD,          /* first closes with data unread, which is an abort */
	HALF_ABORT,      /* first shuts down sending, then aborts */
	ABORT_AFTER_FIN, /* first shuts down sending, last aborts */
	LATE_DATA,       /* first closes, last sends nevertheless and is reset */
	KILL,            /* first's process is killed */
	KILL_UNREAD,     /* the same with data unread */
	DISCONNECT,      /* the client connects to AF_UNSPEC, then again */
	/* nobody accepts */
	REFUSED,
	ABANDONED,       /* closed before the other host answers */
	UNACCEPTED,      /* the listener is closed before it accepts */
	CONNECT_CLOSE,   /* closed right after a connect that does not wait */
	ENDINGS,
};

extern const char *const ENDING_NAMES[ENDINGS];
extern const char *const GROUP_NAMES[GROUPS];

struct plan {
	enum ending ending;
	enum group group;
	enum family family;
	bool ipv6;          /* of the packets */
	bool dual_client;   /* an IPv6 socket, whatever the packets */
	bool own_address;   /* not loopback's */
	bool bound;         /* the client binds before it connects */
	bool client_first;
	bool hurry;         /* ends without waiting for acknowledgements */
	bool shut[2];       /* by side: shuts down sending before it closes */
	bool quick_ack;
	bool hand;          /* the client's socket is used by a forked child */
	bool refused_before; /* a refused attempt on the same socket comes first */
	bool disconnect_before;
	uint32_t bytes[2];  /* what each side sends, urgent bytes not counted */
	bool urgent[2];     /* one more byte, out of band */
	uint32_t late;      /* what last sends after first's FIN */
	uint32_t unread[2]; /* what each side leaves unread */
	unsigned together;  /* KILL of a client: sessions that the process holds */
};

/*
 * @attempt: 1, or 2 on a socket that already made an attempt
 * @may_fork: whether the client's process may fork; with threads it would give its
 *            child the sockets of all threads
 */
struct plan make_plan(uint64_t seed, uint32_t session, unsigned attempt, bool may_fork);

/* Which of the listeners. */
static inline unsigned listener_of(const struct plan *plan)
{
	return (unsigned)plan->group * FAMILIES + (unsigned)plan->family;
}

#endif
