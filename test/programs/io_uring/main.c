/*
 * Has a session whose every call a thread of the kernel makes on behalf of the
 * process, by io_uring(7): iou-wrk-PID, or with `poll` iou-sqp-PID.
 *
 *   io_uring (wrk | poll) PORT
 */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	unsigned flags, sqe_flags;
	unsigned *sq_tail, *sq_mask, *sq_array;
	unsigned *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(int fd, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void open_ring(struct ring *ring, int poll)
{
	struct io_uring_params params = { .flags = poll ? IORING_SETUP_SQPOLL : 0 };
	char *sq, *cq;

	ring->fd = syscall(SYS_io_uring_setup, 8, &params);
	if (ring->fd < 0)
		die("io_uring_setup");
	ring->flags = IORING_ENTER_GETEVENTS | (poll ? IORING_ENTER_SQ_WAKEUP : 0);
	ring->sqe_flags = poll ? 0 : IOSQE_ASYNC;
	sq = map(ring->fd, params.sq_off.array + params.sq_entries * sizeof(unsigned),
		 IORING_OFF_SQ_RING);
	cq = map(ring->fd, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	ring->sqes = map(ring->fd, params.sq_entries * sizeof(struct io_uring_sqe),
			 IORING_OFF_SQES);
	ring->sq_tail = (unsigned *)(sq + params.sq_off.tail);
	ring->sq_mask = (unsigned *)(sq + params.sq_off.ring_mask);
	ring->sq_array = (unsigned *)(sq + params.sq_off.array);
	ring->cq_head = (unsigned *)(cq + params.cq_off.head);
	ring->cq_tail = (unsigned *)(cq + params.cq_off.tail);
	ring->cq_mask = (unsigned *)(cq + params.cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
}

/* Has one operation done, and waits for it. */
static int run(struct ring *ring, struct io_uring_sqe sqe)
{
	unsigned tail = *ring->sq_tail, slot = tail & *ring->sq_mask;
	unsigned head = *ring->cq_head;
	int result;

	sqe.flags = ring->sqe_flags;
	ring->sqes[slot] = sqe;
	ring->sq_array[slot] = slot;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == head) {
		if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, ring->flags, NULL, 0) < 0)
			die("io_uring_enter");
	}
	result = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct ring ring;
	char byte = 'x';
	int sock, code;

	if (argc != 3)
		return 2;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(atoi(argv[2]));
	open_ring(&ring, !strcmp(argv[1], "poll"));
	sock = socket(AF_INET, SOCK_STREAM, 0);
	code = run(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_CONNECT, .fd = sock,
						 .addr = (unsigned long)&to, .off = sizeof(to) });
	if (code)
		return 10;
	code = run(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = sock,
						 .addr = (unsigned long)&byte, .len = 1 });
	if (code != 1)
		return 11;
	code = run(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_CLOSE, .fd = sock });
	if (code)
		return 12;
	getchar(); /* so that its pid stays its own */
	return 0;
}
