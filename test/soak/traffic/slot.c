#include "slot.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct shared *shared;

void make_shared(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		die("cannot share memory");
}

static void wait_for_change(_Atomic uint32_t *word, uint32_t seen)
{
	struct timespec tick = { .tv_nsec = 200000000 };

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &tick, NULL, 0);
}

static void wake_all(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

static bool late(uint64_t since)
{
	return now() - since > PATIENCE_MS * UINT64_C(1000000);
}

void set_phase(struct slot *slot, enum side side, uint32_t phase)
{
	atomic_store(&slot->phase[side], phase);
	wake_all(&slot->phase[side]);
}

void await_phase(struct slot *slot, enum side side, uint32_t phase)
{
	uint64_t since = now();
	uint32_t seen;

	/* a short spin first: both ends continue at nearly the same time */
	for (int i = 0; i < 200; i++)
		if (atomic_load(&slot->phase[side]) >= phase)
			return;
	while ((seen = atomic_load(&slot->phase[side])) < phase) {
		wait_for_change(&slot->phase[side], seen);
		if (late(since))
			die("session %u, %s: its %s stays at %u, before %u", slot->session,
			    ENDING_NAMES[slot->plan.ending], side == CLIENT ? "client" : "server",
			    seen, phase);
	}
}

void meet(struct slot *slot, enum side side, uint32_t phase)
{
	set_phase(slot, side, phase);
	await_phase(slot, !side, phase);
}

void raise_word(_Atomic uint32_t *word, uint32_t bits)
{
	atomic_fetch_or(word, bits);
	wake_all(word);
}

void await_word(_Atomic uint32_t *word, uint32_t bits, const char *what)
{
	uint64_t since = now();
	uint32_t seen;

	while (((seen = atomic_load(word)) & bits) != bits) {
		wait_for_change(word, seen);
		if (late(since))
			die("%s did not happen", what);
	}
}

static _Atomic uint16_t *place(const struct slot *slot, int port)
{
	return &shared->by_port[listener_of(&slot->plan)][addresses_of(&slot->plan)][port];
}

void publish(struct slot *slot, int port)
{
	uint16_t number = (uint16_t)(slot - shared->slots + 1);

	if (atomic_exchange(place(slot, port), number) != 0)
		die("two sessions have port %d", port);
}

bool retract(struct slot *slot, int port)
{
	return atomic_exchange(place(slot, port), 0) != 0;
}

struct slot *find(unsigned listener, unsigned addresses, int port)
{
	_Atomic uint16_t *place = &shared->by_port[listener][addresses][port];
	struct timespec moment = { .tv_nsec = 20000 };
	uint64_t since = now();
	uint16_t number;

	/* the server may accept before connect() returns to the client */
	while ((number = atomic_exchange(place, 0)) == 0) {
		nanosleep(&moment, NULL);
		if (late(since))
			return NULL;
	}
	return &shared->slots[number - 1];
}
