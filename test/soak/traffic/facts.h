/* What a process knows for sure about one end of a session. */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stdint.h>

/* How this end ended. */
enum how {
	CLOSED_FIRST,
	CLOSED_LAST,
	CLOSED_AT_ONCE, /* with the other end */
	ABORTED,
	WAS_RESET,
	WAS_REFUSED,
	GAVE_UP,        /* before it was established */
	EITHER,         /* closed first or gave up: it can't be known */
	NEVER_ACCEPTED,
};

/* What came before an abort or a reset. */
enum after { AFTER_NOTHING, AFTER_OWN_FIN, AFTER_PEER_FIN };

/* Times are CLOCK_BOOTTIME in nanoseconds, 0 if there is none. */
struct facts {
	uint32_t session;
	uint32_t attempt;
	bool server;
	const char *path; /* of a constant: the same in all processes */
	const char *group;
	uint64_t cookie; /* 0: no process has had the socket */
	char local_address[46];
	char peer_address[46];
	int local_port;  /* 0: unknown */
	int peer_port;
	bool ipv6;       /* of the packets */
	int pid;         /* of the process that connected, or used what was accepted */
	char comm[16];
	int listener_pid;
	char listener_comm[16];
	bool used;       /* received from or sent to by that process */
	bool used_late;  /* the first time maybe after the end */
	bool killed;
	uint64_t tx;     /* acknowledged */
	uint64_t rx;
	uint64_t unacked;
	uint64_t unread;
	enum how how;
	enum after after;
	uint64_t open_before;
	uint64_t open_after;
	uint64_t fin_before; /* around the call that sent the FIN */
	uint64_t fin_after;
	uint64_t fin_seen;   /* after the peer's FIN was seen */
	uint64_t end_low;    /* CLOSE can't be before; 0: ask the other end */
	uint64_t end_high;   /* CLOSE can't be after */
};

/* Opens this process's ledger. Children write to their parent's. */
void open_ledger(const char *name);
/* Writes one line, in one write. */
void write_down(const struct facts *facts);

#endif
