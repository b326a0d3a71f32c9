#include "plan.h"

#include "common.h"

const char *const ENDING_NAMES[ENDINGS] = {
	[FIN] = "fin", [HALF_CLOSE] = "half_close", [SIMULTANEOUS] = "simultaneous",
	[ABORT] = "abort", [UNREAD] = "unread", [HALF_ABORT] = "half_abort",
	[ABORT_AFTER_FIN] = "abort_after_fin", [LATE_DATA] = "late_data", [KILL] = "kill",
	[KILL_UNREAD] = "kill_unread", [DISCONNECT] = "disconnect", [REFUSED] = "refused",
	[ABANDONED] = "abandoned", [UNACCEPTED] = "unaccepted",
	[CONNECT_CLOSE] = "connect_close",
};

const char *const GROUP_NAMES[GROUPS] = {
	[THREADS] = "threads", [PREFORK] = "prefork", [REUSEPORT] = "reuseport",
	[FORK] = "fork", [PASS] = "pass",
};

/* Out of 100. KILL and DISCONNECT cost more than others. */
static const unsigned WEIGHTS[ENDINGS] = {
	[FIN] = 26, [HALF_CLOSE] = 12, [SIMULTANEOUS] = 8, [ABORT] = 9, [UNREAD] = 7,
	[HALF_ABORT] = 4, [ABORT_AFTER_FIN] = 4, [LATE_DATA] = 4, [KILL] = 3, [KILL_UNREAD] = 2,
	[DISCONNECT] = 0, [REFUSED] = 7, [ABANDONED] = 5, [UNACCEPTED] = 4, [CONNECT_CLOSE] = 5,
};

/* splitmix64, https://prng.di.unimi.it/splitmix64.c */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(next(state) % limit);
}

static bool chance(uint64_t *state, unsigned percent)
{
	return below(state, 100) < percent;
}

/* Mostly small, now and then up to 1 MiB. */
static uint32_t size(uint64_t *state)
{
	unsigned kind = below(state, 100);

	if (kind < 25)
		return 0;
	if (kind < 35)
		return 1;
	if (kind < 85)
		return 2 + below(state, 3000);
	if (kind < 97)
		return 3000 + below(state, 60000);
	return 60000 + below(state, (1 << 20) - 60000);
}

static enum ending choose_ending(uint64_t *state)
{
	unsigned number = below(state, 100);
	enum ending ending = FIN;

	while (number >= WEIGHTS[ending])
		number -= WEIGHTS[ending++];
	return ending;
}

/* Plans the socket: the same for all of its attempts. */
static void plan_socket(struct plan *plan, uint64_t seed, uint32_t session)
{
	uint64_t state = seed ^ ((uint64_t)session << 20);

	plan->ipv6 = chance(&state, 40);
	plan->dual_client = plan->ipv6 || chance(&state, 35);
	plan->own_address = chance(&state, 25);
	plan->bound = chance(&state, 20);
	plan->refused_before = chance(&state, 5);
	plan->disconnect_before = !plan->refused_before && chance(&state, 5);
	plan->hand = chance(&state, 5);
}

struct plan make_plan(uint64_t seed, uint32_t session, unsigned attempt, bool may_fork)
{
	struct plan plan = { 0 };
	uint64_t state = (seed ^ ((uint64_t)session << 20)) + attempt * 0xd1b54a32d192ed03u;
	enum side first;

	plan_socket(&plan, seed, session);
	plan.ending = choose_ending(&state);
	if (plan.disconnect_before && attempt == 1)
		plan.ending = DISCONNECT;
	plan.client_first = plan.ending == DISCONNECT || plan.ending == CONNECT_CLOSE ||
			    chance(&state, 50);
	if ((plan.ending == KILL || plan.ending == KILL_UNREAD) && (!may_fork || attempt > 1))
		plan.client_first = false;
	first = plan.client_first ? CLIENT : SERVER;

	plan.group = below(&state, GROUPS);
	plan.family = chance(&state, 40) ? DUAL : plan.ipv6 ? IPV6 : IPV4;
	plan.bytes[CLIENT] = size(&state);
	plan.bytes[SERVER] = size(&state);
	plan.urgent[CLIENT] = plan.bytes[CLIENT] > 0 && chance(&state, 4);
	plan.urgent[SERVER] = plan.bytes[SERVER] > 0 && chance(&state, 4);
	plan.shut[CLIENT] = chance(&state, 40);
	plan.shut[SERVER] = chance(&state, 40);
	plan.quick_ack = chance(&state, 80);
	plan.late = size(&state);
	plan.together = 1;

	switch (plan.ending) {
	case FIN:
	case HALF_CLOSE:
		plan.hurry = chance(&state, 50);
		break;
	case LATE_DATA:
		plan.late = 1 + below(&state, 1000);
		break;
	case UNREAD:
	case KILL_UNREAD:
		/* little enough to be acknowledged although nobody reads it */
		plan.bytes[!first] = 1 + below(&state, 20000);
		plan.urgent[!first] = false;
		plan.unread[first] = 1 + below(&state, plan.bytes[!first]);
		if (plan.unread[first] > 1000 && chance(&state, 80))
			plan.unread[first] = 1000;
		break;
	case ABORT:
		if (chance(&state, 20)) { /* what the end that is reset never read */
			plan.bytes[first] = 1 + below(&state, 20000);
			plan.urgent[first] = false;
			plan.unread[!first] = 1 + below(&state, plan.bytes[first]);
		}
		break;
	case CONNECT_CLOSE:
		plan.bytes[CLIENT] = plan.bytes[SERVER] = 0;
		plan.urgent[CLIENT] = plan.urgent[SERVER] = false;
		break;
	default:
		break;
	}
	if (plan.ending == KILL || plan.ending == KILL_UNREAD) {
		/* each of these has its own process, which can be killed */
		plan.group = FORK;
		if (plan.client_first) {
			plan.together = 1 + below(&state, 3);
			plan.refused_before = plan.disconnect_before = false;
		}
		plan.hand = false;
	}
	/* the child of a client that hands over has nothing to connect again */
	if (plan.ending >= DISCONNECT || !may_fork)
		plan.hand = false;
	return plan;
}
