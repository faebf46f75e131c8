/* Pools, mbufs, bursts. */
#include <errno.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "shim.h"

/* What mbuf.rs relies on beyond the offsets: widths, and l2_len and l3_len at the low end. */
_Static_assert(sizeof(((struct rte_mbuf *)0)->data_off) == 2, "data_off is u16");
_Static_assert(sizeof(((struct rte_mbuf *)0)->refcnt) == 2, "refcnt is u16");
_Static_assert(sizeof(((struct rte_mbuf *)0)->nb_segs) == 2, "nb_segs is u16");
_Static_assert(sizeof(((struct rte_mbuf *)0)->port) == 2, "port is u16");
_Static_assert(sizeof(((struct rte_mbuf *)0)->ol_flags) == 8, "ol_flags is u64");
_Static_assert(sizeof(((struct rte_mbuf *)0)->pkt_len) == 4, "pkt_len is u32");
_Static_assert(sizeof(((struct rte_mbuf *)0)->data_len) == 2, "data_len is u16");
_Static_assert(sizeof(((struct rte_mbuf *)0)->buf_len) == 2, "buf_len is u16");
_Static_assert(sizeof(((struct rte_mbuf *)0)->tx_offload) == 8, "tx_offload is u64");
_Static_assert(sizeof(((struct rte_mbuf *)0)->buf_addr) == 8, "64-bit pointers");
_Static_assert(PXTR_MBUF_SIZE == 128, "an mbuf is two cache lines");
_Static_assert(RTE_MBUF_L2_LEN_OFS == 0, "l2_len is lowest in tx_offload");
_Static_assert(RTE_MBUF_L3_LEN_OFS == RTE_MBUF_L2_LEN_BITS, "l3_len follows l2_len");

void pxtr_layout(uint32_t words[PXTR_MBUF_LAYOUT_WORDS])
{
	words[0] = sizeof(struct rte_mbuf);
	words[1] = offsetof(struct rte_mbuf, buf_addr);
	words[2] = offsetof(struct rte_mbuf, data_off);
	words[3] = offsetof(struct rte_mbuf, refcnt);
	words[4] = offsetof(struct rte_mbuf, nb_segs);
	words[5] = offsetof(struct rte_mbuf, port);
	words[6] = offsetof(struct rte_mbuf, ol_flags);
	words[7] = offsetof(struct rte_mbuf, pkt_len);
	words[8] = offsetof(struct rte_mbuf, data_len);
	words[9] = offsetof(struct rte_mbuf, buf_len);
	words[10] = offsetof(struct rte_mbuf, tx_offload);
}

struct rte_mempool *pxtr_pool_create(const char *name, unsigned int count, unsigned int cache,
				     uint16_t data_room, int socket, int *err)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(name, count, cache, 0, data_room, socket);

	*err = pool ? 0 : (rte_errno > 0 ? -rte_errno : -ENOMEM);
	return pool;
}

unsigned int pxtr_pool_available(const struct rte_mempool *pool)
{
	return rte_mempool_avail_count(pool);
}

struct rte_mbuf *pxtr_mbuf_alloc(struct rte_mempool *pool)
{
	return rte_pktmbuf_alloc(pool);
}

void pxtr_mbuf_free(struct rte_mbuf *m)
{
	rte_pktmbuf_free(m);
}

/* Mbufs of one pool that go back to it together. */
struct returning {
	struct rte_mempool *pool;
	unsigned int count;
	struct rte_mbuf *mbufs[64];
};

static void give_back(struct returning *r)
{
	if (r->count)
		rte_mempool_put_bulk(r->pool, (void **)r->mbufs, r->count);
	r->count = 0;
}

/*
 * Like rte_pktmbuf_free_bulk(), but leaves the second cache line of an mbuf alone when the first one says that it is
 * the only segment and nobody else's: `next` is NULL then, as a pool wants it. In a flood that line is a cache miss a packet.
 */
void pxtr_mbuf_free_bulk(struct rte_mbuf **mbufs, unsigned int count)
{
	struct returning r = {.pool = NULL, .count = 0};

	for (unsigned int i = 0; i < count; i++) {
		struct rte_mbuf *m = mbufs[i];

		if (unlikely(m->nb_segs != 1 || rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m))) {
			rte_pktmbuf_free(m);
			continue;
		}
		if (unlikely(m->pool != r.pool || r.count == RTE_DIM(r.mbufs))) {
			give_back(&r);
			r.pool = m->pool;
		}
		r.mbufs[r.count++] = m;
	}
	give_back(&r);
}

void pxtr_mbuf_truncate_chain(struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *seg = m;
	struct rte_mbuf *rest;
	uint32_t left = len;
	uint16_t segs = 1;

	while (left > seg->data_len && seg->next != NULL) {
		left -= seg->data_len;
		seg = seg->next;
		segs++;
	}
	if (left < seg->data_len)
		seg->data_len = (uint16_t)left;
	rest = seg->next;
	seg->next = NULL;
	m->nb_segs = segs;
	m->pkt_len = len;
	while (rest != NULL) {
		struct rte_mbuf *next = rest->next;

		rte_pktmbuf_free_seg(rest);
		rest = next;
	}
}

void pxtr_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail)
{
	rte_pktmbuf_lastseg(head)->next = tail;
	head->nb_segs += tail->nb_segs;
	head->pkt_len += tail->pkt_len;
	tail->pkt_len = tail->data_len;
}

int pxtr_mbuf_linearize(struct rte_mbuf *m)
{
	return rte_pktmbuf_linearize(m) == 0 ? 0 : -ENOSPC;
}

/*
 * Not rte_raw_cksum_mbuf(): that of 22.11 loses the carries of a segment that begins in the middle
 * of a word.
 */
uint16_t pxtr_mbuf_sum(const struct rte_mbuf *m, uint32_t at)
{
	uint32_t sum = 0, done = 0;

	for (; m != NULL; m = m->next) {
		uint32_t len = rte_pktmbuf_data_len(m);
		uint16_t part;

		if (at >= len) {
			at -= len;
			continue;
		}
		len -= at;
		part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const void *, at), len);
		sum += done & 1 ? rte_bswap16(part) : part;
		done += len;
		at = 0;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t pxtr_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_rx_burst(port, queue, mbufs, count);
}

uint16_t pxtr_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}

uint16_t pxtr_tx_burst_prepared(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	uint16_t ready = rte_eth_tx_prepare(port, queue, mbufs, count);

	return ready ? rte_eth_tx_burst(port, queue, mbufs, ready) : 0;
}
