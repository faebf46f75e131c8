/* DPDK's own FIBs, for benches to compare with (cargo feature `fib`). */
#include <errno.h>

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_memory.h>

#include "fib.h"

struct rte_fib *pxtr_fib4_create(const char *name, int max_routes, uint32_t tbl8, uint32_t none, int *err)
{
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = none,
		.max_routes = max_routes,
		.dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = tbl8 },
	};
	struct rte_fib *fib = rte_fib_create(name, SOCKET_ID_ANY, &conf);

	*err = fib ? 0 : (rte_errno > 0 ? -rte_errno : -ENOMEM);
	return fib;
}

void pxtr_fib4_free(struct rte_fib *fib)
{
	rte_fib_free(fib);
}

int pxtr_fib4_add(struct rte_fib *fib, uint32_t ip, uint8_t depth, uint64_t next_hop)
{
	return rte_fib_add(fib, ip, depth, next_hop);
}

void pxtr_fib4_lookup(struct rte_fib *fib, uint32_t *ips, uint64_t *next_hops, int count)
{
	rte_fib_lookup_bulk(fib, ips, next_hops, count);
}

struct rte_fib6 *pxtr_fib6_create(const char *name, int max_routes, uint32_t tbl8, uint32_t none, int *err)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.default_nh = none,
		.max_routes = max_routes,
		.trie = { .nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = tbl8 },
	};
	struct rte_fib6 *fib = rte_fib6_create(name, SOCKET_ID_ANY, &conf);

	*err = fib ? 0 : (rte_errno > 0 ? -rte_errno : -ENOMEM);
	return fib;
}

void pxtr_fib6_free(struct rte_fib6 *fib)
{
	rte_fib6_free(fib);
}

/* DPDK 24.11 made the addresses a structure of 16 bytes; the calls take the same bytes. */
int pxtr_fib6_add(struct rte_fib6 *fib, const uint8_t ip[16], uint8_t depth, uint64_t next_hop)
{
	return rte_fib6_add(fib, (const void *)ip, depth, next_hop);
}

void pxtr_fib6_lookup(struct rte_fib6 *fib, uint8_t (*ips)[16], uint64_t *next_hops, int count)
{
	rte_fib6_lookup_bulk(fib, (void *)ips, next_hops, count);
}
