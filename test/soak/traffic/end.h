/* One end of a session, from when it is connected. */
#ifndef END_H
#define END_H

#include "slot.h"

struct end {
	int fd;
	enum side side;
	struct slot *slot;
	struct facts facts;
};

/* Starts with what the plan says about it. */
struct end make_end(int fd, enum side side, struct slot *slot);
/* Takes cookie and addresses from the socket. */
void read_cookie(struct end *end);
void read_socket(struct end *end);
/* Whether this end acts first. */
bool is_first(const struct end *end);
/* Sends and receives all data, up to the point where the session may end. */
void exchange(struct end *end);
/* Ends the session as planned. Writes the ledger's line. */
void finish(struct end *end);
/* For an end whose process is killed: leaves its facts to the killer, and waits. */
_Noreturn void await_death(void);
void leave_facts(struct end *end);

/* Waits for the peer's FIN. */
void await_fin(struct end *end);
/* Waits for a reset. */
void await_reset(struct end *end);
void close_socket(struct end *end);

#endif
