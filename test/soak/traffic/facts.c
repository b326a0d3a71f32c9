#include "facts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

static int ledger = -1;

static const char *const HOW[] = {
	[CLOSED_FIRST] = "closed_first", [CLOSED_LAST] = "closed_last",
	[CLOSED_AT_ONCE] = "closed_at_once", [ABORTED] = "aborted", [WAS_RESET] = "reset",
	[WAS_REFUSED] = "refused", [GAVE_UP] = "gave_up", [EITHER] = "either",
	[NEVER_ACCEPTED] = "never_accepted",
};

static const char *const AFTER[] = {
	[AFTER_NOTHING] = "nothing", [AFTER_OWN_FIN] = "own_fin", [AFTER_PEER_FIN] = "peer_fin",
};

void open_ledger(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s-%d.jsonl", options.folder, name, (int)getpid());
	ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (ledger < 0)
		die("cannot write %s", path);
}

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

void write_down(const struct facts *f)
{
	char line[2048];
	int length = snprintf(
		line, sizeof(line),
		"{\"session\":%u,\"attempt\":%u,\"role\":\"%s\",\"path\":\"%s\",\"group\":\"%s\","
		"\"cookie\":%" PRIu64 ",\"localAddress\":\"%s\",\"localPort\":%d,"
		"\"peerAddress\":\"%s\",\"peerPort\":%d,\"family\":\"%s\",\"pid\":%d,"
		"\"comm\":\"%s\",\"listenerPid\":%d,\"listenerComm\":\"%s\",\"used\":%s,\"usedLate\":%s,"
		"\"killed\":%s,\"tx\":%" PRIu64 ",\"rx\":%" PRIu64 ",\"unacked\":%" PRIu64
		",\"unread\":%" PRIu64 ",\"how\":\"%s\",\"after\":\"%s\",\"openBefore\":%" PRIu64
		",\"openAfter\":%" PRIu64 ",\"finBefore\":%" PRIu64 ",\"finAfter\":%" PRIu64
		",\"finSeen\":%" PRIu64 ",\"endLow\":%" PRIu64 ",\"endHigh\":%" PRIu64 "}\n",
		f->session, f->attempt, f->server ? "server" : "client", f->path, f->group, f->cookie,
		f->local_address, f->local_port, f->peer_address, f->peer_port,
		f->ipv6 ? "ipv6" : "ipv4", f->pid, f->comm, f->listener_pid, f->listener_comm,
		truth(f->used), truth(f->used_late), truth(f->killed), f->tx, f->rx, f->unacked, f->unread, HOW[f->how],
		AFTER[f->after], f->open_before, f->open_after, f->fin_before, f->fin_after,
		f->fin_seen, f->end_low, f->end_high);

	if (length >= (int)sizeof(line) || write(ledger, line, (size_t)length) != length)
		die("cannot write to the ledger");
}

