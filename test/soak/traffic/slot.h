/* Where the two ends of a session meet: memory that all processes share. */
#ifndef SLOT_H
#define SLOT_H

#include <stdatomic.h>

#include "common.h"
#include "facts.h"
#include "plan.h"

struct slot {
	_Atomic uint32_t phase[2]; /* by side: how far it is */
	_Atomic uint32_t handed;   /* by side, as bits: who passed the socket on has closed it */
	_Atomic uint32_t doomed;   /* the end to be killed waits for that */
	uint32_t session;
	uint32_t attempt;
	struct plan plan;
	int victim;          /* pid */
	struct facts facts;  /* of the victim, which can't write them down itself */
};

/* How an accepted socket is recognized: by listener, addresses, and the client's port. */
struct shared {
	_Atomic uint32_t next_slot;
	_Atomic uint64_t made; /* sessions begun */
	int listener_ports[LISTENERS];
	int refusing_ports[2]; /* IPv4, IPv6 */
	_Atomic uint16_t by_port[LISTENERS][4][65536]; /* slot number + 1; 0: none */
	struct slot slots[4096];
};

extern struct shared *shared;

void make_shared(void);

/* Which of the four pairs of addresses is used. */
static inline unsigned addresses_of(const struct plan *plan)
{
	return (plan->ipv6 ? 2u : 0u) + (plan->own_address ? 1u : 0u);
}

void publish(struct slot *slot, int port);
/* Takes it back; false if somebody has found it. */
bool retract(struct slot *slot, int port);
struct slot *find(unsigned listener, unsigned addresses, int port);

void set_phase(struct slot *slot, enum side side, uint32_t phase);
/* Waits until the end on `side` is that far. */
void await_phase(struct slot *slot, enum side side, uint32_t phase);
/* Both ends are that far. */
void meet(struct slot *slot, enum side side, uint32_t phase);
void raise_word(_Atomic uint32_t *word, uint32_t bits);
void await_word(_Atomic uint32_t *word, uint32_t bits, const char *what);

enum phase {
	READY = 1,  /* has exchanged its data */
	FIN_SEEN,
	DONE,
};

#endif
