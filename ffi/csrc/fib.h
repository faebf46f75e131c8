/* DPDK's own FIBs, for benches to compare with (cargo feature `fib`). */
#ifndef PXTR_FIB_H
#define PXTR_FIB_H

#include <stdint.h>

struct rte_fib;
struct rte_fib6;

/* DIR-24-8 with next hops of 4 bytes. `none` is what a lookup gives when no route covers. */
struct rte_fib *pxtr_fib4_create(const char *name, int max_routes, uint32_t tbl8, uint32_t none, int *err);
void pxtr_fib4_free(struct rte_fib *fib);
int pxtr_fib4_add(struct rte_fib *fib, uint32_t ip, uint8_t depth, uint64_t next_hop);
void pxtr_fib4_lookup(struct rte_fib *fib, uint32_t *ips, uint64_t *next_hops, int count);

/* The trie of 24 and then 8 bits, with next hops of 4 bytes. */
struct rte_fib6 *pxtr_fib6_create(const char *name, int max_routes, uint32_t tbl8, uint32_t none, int *err);
void pxtr_fib6_free(struct rte_fib6 *fib);
int pxtr_fib6_add(struct rte_fib6 *fib, const uint8_t ip[16], uint8_t depth, uint64_t next_hop);
void pxtr_fib6_lookup(struct rte_fib6 *fib, uint8_t (*ips)[16], uint64_t *next_hops, int count);

#endif
